"""Similar moments: against a loop over all windows; spans, thresholds and units that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import CutawayError
from analysis.sequences import index, similar
from analysis.subject.session import Session
from tests.layers.desk import open_desk
from tests.sequences.conftest import TOKENS, labelled, texts
from tests.sequences.nets import Series, Text, seeded
from tests.sequences.planted import asked, source


def slow(on: np.ndarray, length: int) -> list[tuple[int, int, float]]:
    """First and last step and score of the best windows of one sequence, as the rule says. on: (steps, units)."""
    steps, units = on.shape
    free, found = [True] * steps, []
    for _ in range(similar.FEW if steps else 0):
        scores = [on[t : t + length].sum() if all(free[t : t + length]) else 0 for t in range(steps)]
        for t in range(steps):
            if not (on[t : t + length].sum(1) * 2 >= units).any():
                scores[t] = 0
        best = int(np.argmax(scores))
        if not scores[best]:
            break
        matching = [on[t].sum() * 2 >= units for t in range(best, min(steps, best + length))]
        runs = [
            (b - a, -a, a, b)
            for a in range(len(matching))
            for b in range(a + 1, len(matching) + 1)
            if all(matching[a:b])
        ]
        if runs:
            _, _, a, b = max(runs)
            found.append((best + a, best + b - 1, scores[best] / (length * units)))
        for t in range(best, min(steps, best + length)):
            free[t] = False
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 4))
def test_all_windows_are_searched(seed: int, length: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 12, 5)
    offset = np.concatenate([[0], np.cumsum(lengths)])
    codes = rng.integers(-127, 128, (units, offset[-1])).astype(np.int8)
    chosen = [(unit, 1 if rng.random() < 0.5 else -1) for unit in range(units)]
    found = similar.search(similar.Index(codes, offset), chosen, 40, length, 1000)
    on = np.stack([codes[unit] * sign >= 40 for unit, sign in chosen], 1)
    expected = {
        (number, *moment) for number in range(5) for moment in slow(on[offset[number] : offset[number + 1]], length)
    }
    assert {(one.sequence, one.first, one.last, one.score) for one in found} == expected
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    few = similar.search(similar.Index(codes, offset), chosen, 40, length, 2)
    assert [one.score for one in few] == [one.score for one in found][:2]


def test_the_span_itself_is_left_out() -> None:
    codes = np.full((1, 20), 100, np.int8)
    found = similar.search(similar.Index(codes, np.array([0, 10, 20])), [(0, 1)], 50, 4, 10, own=(0, 3, 6))
    of_own = sorted((one.first, one.last) for one in found if one.sequence == 0)
    assert of_own == [(7, 9)]  # before the span there are only 3 steps: no window of 4 fits between
    assert len([one for one in found if one.sequence == 1]) == similar.FEW


def test_thresholds_in_hundredths_are_exact() -> None:
    scale = np.array([0.7, 1.3, 0.0], np.float32)
    for level in (1, 29, 50, 100, 127):
        at = (level / 100 * scale.astype(np.float64)).astype(np.float32)
        codes = index.coded(np.stack([at, -at, at * 0.98]), scale)
        assert codes[0, :2].tolist() == [level, level]
        assert codes[1, :2].tolist() == [-level, -level]
        assert (codes[2, :2] < level).all()
        assert codes[:, 2].tolist() == [0, 0, 0]


def text_session(home: Path) -> Session:
    return open_desk(seeded(lambda: Text("GRU", bidirectional=True)), labelled(texts()), home, decode=TOKENS)


def test_moments_of_texts_have_their_tokens(tmp_path: Path) -> None:
    session = text_session(tmp_path)
    given_ = {"instance": 2, "start": 3, "stop": 5, "threshold": 0.3} | source("rnn")
    answer = asked(session, "sequence_similar", **given_).value
    assert answer["units"]
    assert answer["moments"]
    assert answer["steps"] == 32
    for moment in answer["moments"]:
        names = session.tokens(moment["instance"])
        first, last = moment["start"], moment["stop"]
        assert moment["tokens"] == names[first : last + 1]
        assert (names[:first] + moment["tokens"] + moment["after"])[: len(names)] == names[: last + 1 + 6]
        assert moment["before"] == names[max(0, first - 6) : first]
        assert moment["label"] == moment["instance"] % 3
        assert not (moment["instance"] == 2 and first <= 5 and last >= 3)
    assert sum(row["moments"] for row in answer["by_label"]) == len(answer["moments"])
    assert [row["base"] for row in answer["by_label"]] == pytest.approx([1 / 3] * 3)
    scale = session.ask("sequence_index", **source("rnn")).array("scale")
    codes = session.ask("sequence_index", **source("rnn")).array("codes")
    offset = session.ask("sequence_index", **source("rnn")).array("offset")
    for unit, sign in answer["units"]:
        assert (codes[unit, offset[2] + 3 : offset[2] + 6] * sign >= 30).all()
    assert len(scale) == 10


def test_moments_of_series_have_pictures_with_the_moment_in_the_middle(tmp_path: Path) -> None:
    values = torch.randn(8, 12, 2, generator=torch.Generator().manual_seed(0))
    session = open_desk(seeded(Series), labelled(values, 2), tmp_path, kind="series")
    answer = asked(session, "sequence_similar", instance=0, start=4, stop=7, threshold=0.1, **source("rnn"))
    assert len(answer.arrays["picture"]) == len(answer.value["moments"]) > 0
    for picture, first, moment in zip(
        answer.arrays["picture"], answer.arrays["first"], answer.value["moments"], strict=True
    ):
        assert picture.shape == (2, 8)
        at = moment["start"] - first
        np.testing.assert_allclose(picture[:, at], values[moment["instance"], moment["start"]], rtol=1e-6)
        assert moment["tokens"] == []


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"start": 5, "stop": 3}, "no steps 6 to 4"),
        ({"start": 0, "stop": 9}, "no steps 1 to 10"),
        ({"start": -1}, "no steps 0"),
        ({"instance": 99}, "no instance 99"),
        ({"threshold": 0.0}, "cannot count as on"),
        ({"threshold": float("nan")}, "cannot count as on"),
        ({"threshold": 1.27, "start": 0, "stop": 8}, "No unit is on through steps 1 to 9 of instance 2"),
        ({"units": [10]}, "no unit 10"),
        ({"most": 0}, "0 moments"),
    ],
)
def test_what_is_not_there_is_said_in_words(tmp_path: Path, given_: dict[str, Any], words: str) -> None:
    session = text_session(tmp_path)
    told = {"instance": 2, "start": 1, "stop": 2} | source("rnn") | given_
    with pytest.raises(CutawayError, match=words):
        similar.sequence_similar(session, None, **told)


def test_padding_in_front_is_not_counted_as_steps(tmp_path: Path) -> None:
    rows = []
    for ids in texts((7, 4, 6, 5)):
        rows.append(torch.cat([torch.zeros(7 - len(ids), dtype=torch.long), ids]))
    model = seeded(lambda: Text("GRU", packed=False))
    session = open_desk(model, labelled(rows), tmp_path, decode=TOKENS)
    told = asked(session, "sequence_index", **source("rnn"))
    if told.value["steps"] == 22:  # where padding is known, places are those of the text as it is shown
        assert told.arrays["step"][told.arrays["offset"][1]] == 3
    answer = asked(session, "sequence_similar", instance=1, start=4, stop=5, threshold=0.2, **source("rnn")).value
    for moment in answer["moments"]:
        assert moment["start"] >= 0
        assert moment["tokens"]
