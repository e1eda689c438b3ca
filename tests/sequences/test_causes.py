"""Units taken out of a layer: against cells written out step by step, with the units forced by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis.errors import CutawayError, ParameterError
from analysis.sequences import causes, silence
from analysis.sequences.sources import source_of
from analysis.subject.session import Session
from tests.layers.desk import open_desk
from tests.sequences import nets, tasks
from tests.sequences.conftest import TOKENS, labelled, opened, texts
from tests.sequences.nets import Loop, Series, Text, seeded
from tests.sequences.planted import asked, recalling
from tests.sequences.planted import source as named

UNITS = {False: [1, 3], True: [1, 3, 7]}  # of 5, or of 5 in each direction


def forced(
    rnn: nn.RNNBase, x: Tensor, level: int, units: list[int], value: float, start: tuple[float, float]
) -> Tensor:
    """Hidden states (T, U) of the last depth, units of one depth put to a value after each step, and before the first.

    x: (T, inputs). start: hidden and cell state before the first step.
    """
    width, given = rnn.proj_size or rnn.hidden_size, x
    for layer in range(rnn.num_layers):
        halves = []
        for direction, suffix in enumerate(("", "_reverse")[: 1 + rnn.bidirectional]):
            own = [unit - direction * width for unit in units if unit // width == direction and layer == level]
            h, c = torch.full((width,), start[0]), torch.full((rnn.hidden_size,), start[1])
            h[own] = value
            line = []
            for step in given.flip(0) if suffix else given:
                h, c = nets._step(rnn, f"_l{layer}{suffix}", step, h, c)
                h = h.clone()
                h[own] = value
                line.append(h)
            halves.append(torch.stack(line[::-1] if suffix else line))
        given = torch.cat(halves, 1)
    return given


def scores(session: Session, depth: int, units: list[int], mode: str, value: float, state: str = "hidden") -> Tensor:
    """Of all instances, with units silent."""
    layer = "cell" if isinstance(session.model, Loop) else "rnn"
    source = source_of(session, layer, state, depth)
    batch = session.batch(range(session.n))
    before = [parameter.detach().clone() for parameter in session.model.parameters()]
    plain = session.forward(batch)
    with silence.silenced(session, source, tuple(units), mode, value) as running:
        running.begin()
        found = session.forward(batch)
        running.begin()
        assert torch.equal(session.forward(batch), found)
    for parameter, kept in zip(session.model.parameters(), before, strict=True):
        assert torch.equal(parameter, kept)
    assert torch.equal(session.forward(batch), plain)
    assert not torch.allclose(found, plain)
    return found


@pytest.mark.parametrize("kind", nets.KINDS)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize(("mode", "value"), [("zero", 0.0), ("clamp", 0.4)])
@pytest.mark.parametrize("start", [False, True])
def test_silent_units_are_those_forced_by_hand(
    kind: str, both: bool, depth: int, mode: str, value: float, start: bool
) -> None:
    model = seeded(lambda: Text(kind, bidirectional=both, num_layers=2, start=start))
    session = opened(model, labelled(texts()), decode=TOKENS)
    found = scores(session, depth, UNITS[both], mode, value)
    with torch.no_grad():
        for row, ids in enumerate(texts()):
            initial = (0.3, -0.2) if start else (0.0, 0.0)
            out = forced(model.rnn, model.embedding(ids), depth, UNITS[both], value, initial)
            torch.testing.assert_close(found[row], model.head(out.mean(0)), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", nets.KINDS)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(("mode", "value"), [("zero", 0.0), ("clamp", 0.4)])
@pytest.mark.parametrize("start", [False, True])
def test_so_are_those_of_a_cell_in_a_loop(kind: str, whole: bool, mode: str, value: float, start: bool) -> None:
    model = seeded(lambda: Loop(kind, whole=whole, start=start))
    data = torch.stack(texts((6, 6, 6, 6)))
    session = opened(model, labelled(data), decode=TOKENS)
    found = scores(session, -1, [0, 4], mode, value)
    twin = getattr(nn, kind)(6, 5)
    twin.load_state_dict({name if whole else f"{name}_l0": held for name, held in model.cell.state_dict().items()})
    with torch.no_grad():
        for row, ids in enumerate(data):
            initial = (0.3, -0.2) if start else (0.0, 0.0)
            out = forced(twin, model.embedding(ids), 0, [0, 4], value, initial)
            torch.testing.assert_close(found[row], model.head(out[-1]), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("make", [lambda: Text("LSTM", bidirectional=True), lambda: Loop("LSTM")])
@pytest.mark.parametrize("value", [0.0, 1.7, -3.0])
def test_a_cell_state_is_held_at_any_value(make: Any, value: float) -> None:
    model = seeded(make)
    data = torch.stack(texts((6, 6, 6)))
    session = opened(model, labelled(data), decode=TOKENS)
    found = scores(session, -1, [2], "clamp", value, "cell")
    rnn = model.rnn if isinstance(model, Text) else nn.LSTM(6, 5)
    if isinstance(model, Loop):
        rnn.load_state_dict({f"{name}_l0": held for name, held in model.cell.state_dict().items()})
    with torch.no_grad():
        for row, ids in enumerate(data):
            x, halves = model.embedding(ids), []
            for direction, suffix in enumerate(("", "_reverse")[: 1 + rnn.bidirectional]):
                h, c, line = torch.zeros(5), torch.zeros(5), []
                for step in x.flip(0) if suffix else x:
                    gate = getattr(rnn, f"weight_ih_l0{suffix}") @ step + getattr(rnn, f"bias_ih_l0{suffix}")
                    gate = gate + getattr(rnn, f"weight_hh_l0{suffix}") @ h + getattr(rnn, f"bias_hh_l0{suffix}")
                    taken, forgotten, new, out = gate.chunk(4)
                    c = forgotten.sigmoid() * c + taken.sigmoid() * new.tanh()
                    if direction == 0:
                        c = c.index_fill(0, torch.tensor([2]), value)
                    h = out.sigmoid() * c.tanh()
                    line.append(h)
                halves.append(torch.stack(line[::-1] if suffix else line))
            out = torch.cat(halves, 1)
            answer = model.head(out.mean(0) if isinstance(model, Text) else out[-1])
            torch.testing.assert_close(found[row], answer, atol=2e-6, rtol=1e-5)


def test_projected_states_can_be_silenced_too() -> None:
    model = seeded(lambda: Text("LSTM", proj_size=3))
    session = opened(model, labelled(texts()), decode=TOKENS)
    found = scores(session, -1, [2], "zero", 0.0)
    with torch.no_grad():
        for row, ids in enumerate(texts()):
            out = forced(model.rnn, model.embedding(ids), 0, [2], 0.0, (0.0, 0.0))
            torch.testing.assert_close(found[row], model.head(out.mean(0)), atol=2e-6, rtol=1e-5)


def test_channels_of_a_layer_without_memory_can_be_silenced_too() -> None:
    model = seeded(
        lambda: nn.Sequential(
            nn.Conv1d(2, 4, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)
        )
    )
    data = labelled(torch.randn(5, 2, 9, generator=torch.Generator().manual_seed(0)), 2)
    session = opened(model, data, kind="series")
    batch = session.batch(range(5))
    source = source_of(session, "0")
    assert not source.recurrent
    with silence.silenced(session, source, (1,), "clamp", 0.5) as running:
        running.begin()
        held = session.forward(batch)
    with torch.no_grad():
        middle = model[0](batch.principal)
        middle[:, 1] = 0.5
        torch.testing.assert_close(held, model[1:](middle))


def test_weights_are_put_back_when_a_pass_fails() -> None:
    session = opened(seeded(lambda: Text("GRU")), labelled(texts()), decode=TOKENS)
    before = [parameter.detach().clone() for parameter in session.model.parameters()]
    source = source_of(session, "rnn")

    def fails(*_given: Any) -> None:
        raise RuntimeError("stop")

    handle = session.model.rnn.register_forward_pre_hook(fails)

    def silently() -> None:
        with silence.silenced(session, source, (0,)) as running:
            running.begin()
            session.forward(session.batch([0]))

    with pytest.raises(RuntimeError, match="stop"):
        silently()
    handle.remove()
    assert all(torch.equal(a, b) for a, b in zip(session.model.parameters(), before, strict=True))
    assert not session.model.rnn._forward_hooks


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"units": []}, "No unit was chosen"),
        ({"units": [5]}, "rnn has no unit 5"),
        ({"units": [-1]}, "rnn has no unit -1"),
        ({"units": [0], "mode": "halve"}, "cannot be tested by 'halve'"),
        ({"units": [0], "mode": "clamp", "value": float("nan")}, "no number"),
    ],
)
def test_what_cannot_be_tested_is_refused_in_words(given: dict[str, Any], words: str) -> None:
    session = opened(seeded(lambda: Text("RNN")), labelled(texts()), decode=TOKENS)
    told = {"mode": "zero", "value": 0.0} | given
    with pytest.raises(ParameterError, match=words):
        silence.checked(told["units"], source_of(session, "rnn").units, told["mode"], told["value"], "rnn")


def test_a_layer_without_biases_can_be_silenced_but_not_clamped() -> None:
    session = opened(seeded(lambda: Text("GRU", bias=False)), labelled(texts()), decode=TOKENS)
    scores(session, -1, [1], "zero", 0.0)
    with (
        pytest.raises(CutawayError, match="no biases"),
        silence.silenced(session, source_of(session, "rnn"), (1,), "clamp", 0.5),
    ):
        pass


def test_margins_are_those_of_the_class_above_the_next() -> None:
    logits = np.array([[1, 3, 2], [4, 0, -1]], np.float32)
    assert causes.margins(logits, np.array([1, 1])).tolist() == [1, -4]
    assert causes.margins(np.array([[2.0], [-1.0]], np.float32), np.array([1, 0])).tolist() == [2, 1]


def test_words_are_ranked_by_what_moves_beyond_the_others() -> None:
    rng = np.random.default_rng(0)
    shift = rng.normal(-1, 0.1, 100)
    shift[:20] -= 2
    holds = {5: list(range(100)), 6: list(range(20)), 7: list(range(10, 60)), 8: [0, 1]}
    found = causes.moved(shift, holds)
    assert found[0]["id"] == 6
    assert {one["id"] for one in found} == {5, 6, 7}  # two instances say nothing
    first = found[0]
    assert first["low"] < first["shift"] < first["high"]
    assert first["shift"] == pytest.approx(shift[:20].mean())
    assert first["without"] == pytest.approx(shift[20:].mean())
    assert found[-1]["id"] == 5
    assert found[-1]["without"] is None


def test_the_answer_counts_flips_and_draws_a_control(tmp_path: Path) -> None:
    session = recalling(tasks.trained("GRU"), tmp_path)
    told = {"mode": "zero", "value": 0.0} | named("rnn")
    answer = asked(session, "sequence_ablation", units=list(range(6)), **told).value
    assert answer["accuracy_before"] > 0.95
    assert answer["low"] <= answer["change"] <= answer["high"]
    assert answer["change"] < -10
    assert answer["random"]["draws"] == 3
    assert answer["random"]["low"] <= answer["random"]["change"] <= answer["random"]["high"]
    assert answer["tokens"][0]["name"]
    whole = asked(session, "sequence_ablation", units=list(range(16)), **told).value
    assert whole["accuracy_after"] == pytest.approx(0.25, abs=0.1)
    assert whole["random"]["change"] is None
    assert "all units of the layer" in whole["random"]["reason"]
    most = asked(session, "sequence_ablation", units=list(range(12)), **told).value["random"]
    assert (most["from"], most["count"], most["draws"]) == ("all", 12, 3)


def test_series_without_labels_still_move(tmp_path: Path) -> None:
    data = [(one, None) for one in torch.randn(12, 8, 2, generator=torch.Generator().manual_seed(0))]
    session = open_desk(seeded(Series), data, tmp_path, kind="series", class_names=["a", "b"])
    told = {"mode": "clamp", "value": 1.0} | named("rnn")
    answer = asked(session, "sequence_ablation", units=[0, 1], **told).value
    assert answer["change"] is None
    assert answer["tokens"] == []
    assert answer["shift"] != 0
    assert answer["random"]["change"] is None
    assert answer["random"]["flips"] is not None
