"""States of every form of layer against cells written out by hand, one sequence at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from analysis.errors import NotFound, ParameterError
from analysis.sequences import states
from analysis.sequences.faults import SequenceError, StepsDiffer
from analysis.sequences.sources import sequence_sources
from analysis.subject.session import Session
from tests.layers.desk import Context
from tests.models import zoo
from tests.sequences.conftest import TOKENS, labelled, opened, texts
from tests.sequences.nets import KINDS, Loop, Series, Text, one_by_one, seeded

TOLERANCE = 2e-6


def session_of(model: nn.Module, data: Any = None, **options: Any) -> Session:
    return opened(model, labelled(texts()) if data is None else data, **({"decode": TOKENS} | options))


def read(session: Session, layer: str, state: str = "hidden", depth: int = -1, n: int | None = None) -> states.Chunk:
    source = states.source_of(session, layer, state, depth)
    return states.of_batch(session, session.batch(range(session.n if n is None else n)), source)


@torch.no_grad()
def check(chunk: states.Chunk, rnn: nn.RNNBase, inputs: list[Tensor], state: str, level: int, start: bool) -> None:
    """Every valid state, and every change, is what the cell loop yields."""
    hidden, cell = (0.3, -0.2) if start else (0.0, 0.0)
    before = hidden if state == "hidden" else cell
    moved = states.changes(chunk)
    for row, x in enumerate(inputs):
        found = one_by_one(rnn, x, level, hidden, cell)
        own = (found[0] if state == "hidden" else found[1]).numpy()
        length = int(chunk.lengths[row])
        assert length == len(x)
        np.testing.assert_allclose(chunk.states[row, :length], own, atol=TOLERANCE)
        half = own.shape[1] // (1 + rnn.bidirectional)
        first = np.full((1, half), before)
        last = np.concatenate([first, own[:-1, :half]])
        if rnn.bidirectional:
            last = np.concatenate([last, np.concatenate([own[1:, half:], first])], 1)
        np.testing.assert_allclose(moved[row, :length], own - last, atol=2 * TOLERANCE)
        np.testing.assert_allclose(states.previous(chunk)[row, :length], last, atol=TOLERANCE)
        assert not moved[row, length:].any()
    np.testing.assert_allclose(chunk.initial, before, atol=TOLERANCE)


FORMS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "batch_first": st.booleans(),
        "start": st.booleans(),
        "num_layers": st.integers(1, 3),
        "bidirectional": st.booleans(),
    }
)


@settings(max_examples=25, deadline=None)
@given(form=FORMS, proj=st.booleans(), depth=st.integers(-1, 2), seed=st.integers(0, 99))
def test_states_of_packed_sequences_are_those_of_the_cells_by_hand(
    form: dict[str, Any], proj: bool, depth: int, seed: int
) -> None:
    options = dict(form)
    if proj and form["kind"] == "LSTM":
        options["proj_size"] = 3
    model = seeded(lambda: Text(packed=True, **options), seed)
    data = texts(seed=seed)
    session = session_of(model, labelled(data))
    depth = depth if depth < form["num_layers"] else -1
    inputs = [model.embedding(one).detach() for one in data]
    for state in ("hidden", "cell") if form["kind"] == "LSTM" else ("hidden",):
        chunk = read(session, "rnn", state, depth)
        check(chunk, model.rnn, inputs, state, depth % form["num_layers"], form["start"])


@settings(max_examples=12, deadline=None)
@given(form=FORMS, depth=st.integers(-1, 1))
def test_states_of_layers_that_are_not_packed_run_over_all_steps(form: dict[str, Any], depth: int) -> None:
    model = seeded(lambda: Text(packed=False, **form))
    data = texts((6, 6, 6))  # of one length: nothing is padded
    session = session_of(model, labelled(data))
    depth = depth if depth < form["num_layers"] else -1
    inputs = [model.embedding(one).detach() for one in data]
    for state in ("hidden", "cell") if form["kind"] == "LSTM" else ("hidden",):
        check(read(session, "rnn", state, depth), model.rnn, inputs, state, depth % form["num_layers"], form["start"])


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize(("kind", "whole"), [("RNN", False), ("GRU", False), ("LSTM", False), ("LSTM", True)])
def test_states_of_a_cell_that_is_called_once_a_step_are_stacked(kind: str, whole: bool, start: bool) -> None:
    model = seeded(lambda: Loop(kind, whole, start))
    data = texts((6, 6, 6))
    session = session_of(model, labelled(data))
    rnn = seeded(lambda: getattr(nn, kind)(6, 5, batch_first=True))
    for base in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(rnn, f"{base}_l0", getattr(model.cell, base + ("_l0" if whole else "")))
    inputs = [model.embedding(one).detach() for one in data]
    for state in ("hidden", "cell") if kind == "LSTM" else ("hidden",):
        check(read(session, "cell", state), rnn, inputs, state, 0, start)
    assert read(session, "cell#2").states.shape == (3, 6, 5)  # the key of one call means all of them


def test_padding_of_layers_that_are_not_packed_counts_nowhere_and_the_backward_half_starts_behind_it() -> None:
    session = session_of(seeded(lambda: Text("GRU", packed=False, bidirectional=True)))
    chunk = read(session, "rnn")
    assert chunk.lengths.tolist() == [7, 4, 9, 1, 5, 6]
    good, moved = states.valid(chunk), states.changes(chunk)
    assert good.sum() == 32
    assert not moved[~good].any()
    # The model went through the padding first, backward: that state is the one before, not 0.
    np.testing.assert_array_equal(moved[1, 3, 5:], chunk.states[1, 3, 5:] - chunk.states[1, 4, 5:])
    assert chunk.direction.tolist() == [1] * 5 + [-1] * 5


def test_states_do_not_depend_on_the_batch() -> None:
    session = session_of(seeded(lambda: Text("LSTM", num_layers=2, bidirectional=True)))
    whole = read(session, "rnn", "cell", 0)
    source = states.source_of(session, "rnn", "cell", 0)
    for index in range(session.n):
        one = states.of_batch(session, session.batch([index]), source)
        length = int(one.lengths[0])
        np.testing.assert_allclose(one.states[0, :length], whole.states[index, :length], atol=TOLERANCE)


class Masked(nn.Module):
    """Padding in front, told by a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.rnn, self.head = nn.Embedding(20, 6), nn.GRU(6, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        del attention_mask
        found: Tensor = self.head(self.rnn(self.embedding(input_ids))[0][:, -1])
        return found


def test_padding_in_front_is_told_by_the_mask() -> None:
    data = []
    for number, one in enumerate(texts((7, 2, 3, 5))):
        empty = torch.zeros(7 - len(one), dtype=torch.int64)
        mask = torch.cat([empty, torch.ones_like(one)])
        data.append(({"input_ids": torch.cat([empty, one]), "attention_mask": mask}, number % 2))
    session = session_of(seeded(Masked), data, kind="text")
    chunk = read(session, "rnn")
    assert states.valid(chunk).sum(1).tolist() == [7, 2, 3, 5]
    moved = states.changes(chunk)
    assert not moved[1, :5].any()
    np.testing.assert_array_equal(moved[1, 5], chunk.states[1, 5] - chunk.states[1, 4])


def test_a_sequence_that_is_all_padding_has_no_steps() -> None:
    data = [*texts((5, 3)), torch.zeros(4, dtype=torch.int64)]
    chunk = read(session_of(seeded(lambda: Text("LSTM")), labelled(data)), "rnn")
    assert states.valid(chunk).sum(1).tolist() == [5, 3, 0]
    assert not states.changes(chunk)[2].any()


def test_layers_without_a_memory_that_yield_a_state_at_every_step_are_read_too() -> None:
    session = session_of(zoo.transformer_text(), labelled(texts(), 2), layers=["encoder.layers.0", "encoder.layers.1"])
    source = states.source_of(session, "encoder.layers.0")
    assert not source.recurrent
    chunk = states.of_batch(session, session.batch(range(6)), source)
    assert chunk.states.shape == (6, 9, 8)
    np.testing.assert_allclose(states.changes(chunk)[0, 1], chunk.states[0, 1] - chunk.states[0, 0])


def test_time_may_come_first() -> None:
    data = [(torch.randn(11, 3), number % 2) for number in range(5)]
    session = opened(zoo.time_first(), data, kind="series")
    for layer in ("rnn", "step"):
        assert read(session, layer).states.shape[:2] == (5, 11)


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(2, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.rnn(x)[0][:, -1])
        return torch.nan_to_num(found)


def test_a_state_that_is_no_number_is_named() -> None:
    data = torch.zeros(6, 8, 2)
    data[3, 5, 1] = torch.nan
    session = opened(Broken().eval(), labelled(data, 2), kind="series")
    with pytest.raises(states.NotANumber, match=r"hidden state of 'rnn' is NaN in instance 3 at step 6"):
        read(session, "rnn")


class Downsampled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.rnn, self.head = nn.Conv1d(2, 3, 4, 4), nn.GRU(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.rnn(self.conv(x).movedim(1, 2))[0][:, -1])
        return found


def test_a_layer_with_other_steps_than_the_input_is_refused_with_both_numbers() -> None:
    session = opened(Downsampled().eval(), labelled(torch.randn(5, 2, 32), 2))
    with pytest.raises(StepsDiffer, match="8 steps where the input has 32"):
        read(session, "rnn")


class Sorting(Text):
    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        lengths = (ids != 0).sum(1)
        order = lengths.argsort(descending=True)
        found = super().forward(ids[order], lengths[order])
        return found[order.argsort()]


def test_a_model_that_reorders_its_instances_is_refused() -> None:
    session = session_of(Sorting("GRU").eval())
    with pytest.raises(SequenceError, match="another order"):
        read(session, "rnn")


class Different(nn.LSTM):
    """Yields something else than its weights say."""

    def forward(self, *given: Any, **named: Any) -> Any:
        out, state = super().forward(*given, **named)
        return out * 0.5, state


def test_states_that_do_not_follow_from_the_weights_are_refused_unless_they_are_the_output() -> None:
    model = Text("LSTM", packed=False).eval()
    model.rnn = Different(6, 5, batch_first=True)
    session = session_of(model, labelled(texts((6, 6, 6))))
    assert read(session, "rnn").states.shape == (3, 6, 5)
    with pytest.raises(SequenceError, match="cannot be computed from its weights"):
        read(session, "rnn", "cell")


def test_states_and_depths_that_a_layer_does_not_have_are_refused() -> None:
    session = session_of(seeded(lambda: Text("GRU", num_layers=2)))
    with pytest.raises(ParameterError, match="no cell state"):
        states.source_of(session, "rnn", "cell")
    with pytest.raises(ParameterError, match="2 layers, not one of number 2"):
        states.source_of(session, "rnn", "hidden", 2)
    with pytest.raises(NotFound, match="no state at every step"):
        states.source_of(session, "head")
    with pytest.raises(NotFound, match="no layer 'nothing'"):
        states.source_of(session, "nothing")


def test_a_pass_leaves_weights_and_answers_as_they_were() -> None:
    session = session_of(seeded(lambda: Text("LSTM", num_layers=2, bidirectional=True)))
    batch = session.batch(range(6))
    before = session.forward(batch)
    chunk = read(session, "rnn", "cell", 0)
    np.testing.assert_array_equal(chunk.logits, before.numpy())
    with states.untrained(session):
        assert not np.allclose(read(session, "rnn").logits, before.numpy())
    assert torch.equal(session.forward(batch), before)
    assert not session.outdated


def test_sources_say_what_there_is_and_why_something_cannot_be_read() -> None:
    session = session_of(seeded(lambda: Text("LSTM", num_layers=2, bidirectional=True)))
    value, arrays = sequence_sources(session, Context())
    assert not arrays
    assert value["sources"] == [
        {
            "layer": "rnn",
            "type": "LSTM",
            "states": ["hidden", "cell"],
            "depths": 2,
            "directions": 2,
            "units": 10,
            "recurrent": True,
            "reason": "",
        }
    ]
    assert value["default"] == {"layer": "rnn", "state": "hidden", "depth": -1}
    assert {one["name"]: bool(one["reason"]) for one in value["vocabularies"]} == {
        "tokens": False,
        "quantiles": True,
        "motifs": True,
    }
    assert value["typing"] == {"reason": ""}
    assert "0 % of the words" in value["pos"]["reason"] or "textblob" in value["pos"]["reason"]
    value, _ = sequence_sources(opened(Downsampled().eval(), labelled(torch.randn(5, 2, 32), 2)), Context())
    assert value["default"] is None
    assert "8 steps where the input has 32" in value["why"]
    value, _ = sequence_sources(opened(zoo.inplace_relu(), labelled(torch.randn(6, 1, 10, 10))), Context())
    assert value["default"] is None
    assert "'image'" in value["why"]


def test_a_layer_with_a_memory_is_chosen_before_one_without() -> None:
    data = [(torch.randn(11, 3), number % 2) for number in range(5)]
    value, _ = sequence_sources(opened(zoo.time_first(), data, kind="series"), Context())
    assert [one["recurrent"] for one in value["sources"]] == [True, False]
    assert value["default"]["layer"] == "rnn"


def test_series_of_one_channel_without_its_axis_are_read() -> None:
    class Flat(Series):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x[..., None])

    session = opened(Flat(1).eval(), labelled(torch.randn(5, 12), 2), kind="series")
    assert read(session, "rnn").states.shape == (5, 12, 4)
