"""Confusion matrix, instances by class, scores: their numbers are those of the instances they open."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import dash
import numpy as np
import pytest

from analysis.subsets import calibration
from dashboard import members
from dashboard.views.instances import (
    confusion_data,
    confusion_panel,
    confusion_parts,
    data,
    members_data,
    members_panel,
    scores_data,
    scores_panel,
)

from .instances_stage import Sampled
from .test_shell import components
from .test_training import text_of

SEARCH = "?view=instances"


def buttons(node: Any) -> list[tuple[str, dict[str, Any]]]:
    """Text and destination of what can be clicked."""
    found = []
    for part in node if isinstance(node, list) else [node]:
        for item in components(part):
            nav = item.to_plotly_json()["props"].get("data-nav") if hasattr(item, "to_plotly_json") else None
            if nav:
                found.append((text_of(item), json.loads(nav)))
    return found


@pytest.mark.parametrize("subset", ["", "wrong", "light < 0.3 or label == 'owl'"])
def test_every_cell_opens_exactly_its_instances(put: Callable[..., Sampled], subset: str) -> None:
    made = put(Sampled)
    found = data.picked(SEARCH, subset)
    counts = confusion_data.counts(found)
    labels, guesses = made.truth["labels"][found.rows], made.truth["predictions"][found.rows]
    assert counts.sum() == len(found.rows)
    for label in range(4):
        for guess in range(4):
            cell = found.rows[(labels == label) & (guesses == guess)]
            assert counts[label, guess] == len(cell)
            text = confusion_data.subset_of(subset, label, guess)
            assert members.rows(found.shown, text).tolist() == cell.tolist()
            assert confusion_data.cell_of(text) == confusion_data.Cell(subset, label, guess)
    shown = confusion_parts.matrix(found, counts, confusion_data.Cell(subset), "counts")
    opened = {text: place["subset"] for text, place in buttons(shown[0].children.children[1])}
    assert opened
    pressed = [nav for text, nav in buttons(shown) if text.isdigit()]
    assert [len(members.rows(found.shown, nav["subset"])) for nav in pressed] == counts[counts > 0].tolist()


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ("", None, None)),
        ("class:2", ("", 2, None)),
        ("predicted:1", ("", None, 1)),
        ("wrong and label == 3", ("wrong", 3, None)),
        ("(a or b) and label == 3 and prediction == 5", ("a or b", 3, 5)),
        ("(a) or (b) and label == 3", None),
        ("(x == ')') and label == 3", ("x == ')'", 3, None)),
        ("a == 1 and label == 3", None),
        ("label == 3 or prediction == 5", None),
        ("subset('x y') and prediction == 0", ("subset('x y')", None, 0)),
    ],
)
def test_a_subset_is_a_cell_only_if_it_means_one(text: str, cell: tuple[Any, ...] | None) -> None:
    found = confusion_data.cell_of(text)
    assert found == (confusion_data.Cell(text) if cell is None else confusion_data.Cell(*cell))


def test_the_matrix_stays_while_a_cell_is_chosen(put: Callable[..., Sampled]) -> None:
    put(Sampled)
    before = confusion_panel.draw_confusion(*[None] * 6, "counts", None, None, SEARCH)
    after = confusion_panel.draw_confusion(
        *[None] * 6, "counts", None, before[0], SEARCH + "&subset=label == 0 and prediction == 1"
    )
    assert "chosen: label cat, predicted <b>dog</b>" in after[1]
    numbers = [text for text, _ in buttons(after[2]) if text.isdigit()]
    assert numbers == [text for text, _ in buttons(before[2]) if text.isdigit()]
    assert {"subset": None} in [nav for _, nav in buttons(after[2])]
    shares = confusion_panel.draw_confusion(*[None] * 6, "shares", None, None, SEARCH)
    assert any(text.endswith("%") for text, _ in buttons(shares[2]))


def test_of_many_classes_the_most_confused_pairs_are_listed(put: Callable[..., Sampled]) -> None:
    made = put(Sampled, names=[f"class number {number}" for number in range(400)])
    found = data.picked(SEARCH)
    listed = confusion_data.pairs(found)
    assert [count for *_, count, _ in listed] == sorted((count for *_, count, _ in listed), reverse=True)
    for label, guess, count, total in listed:
        assert count == ((made.truth["labels"] == label) & (made.extraction.predictions == guess)).sum()
        assert total == (made.truth["labels"] == label).sum()
    drawn = confusion_panel.draw_confusion(*[None] * 6, "counts", None, None, SEARCH)
    assert "400 classes" in drawn[1]


def test_without_labels_panels_say_so(put: Callable[..., Sampled], monkeypatch: pytest.MonkeyPatch) -> None:
    made = put(Sampled)
    monkeypatch.setitem(made.extraction.__dict__, "labels", np.full(240, -1))
    drawn = confusion_panel.draw_confusion(*[None] * 6, "counts", None, None, SEARCH)
    assert "None of these instances has a label" in text_of(drawn[2])
    drawn = scores_panel.draw_scores(*[None] * 6, "width", None, None, SEARCH)
    assert "has a label: there is nothing" in text_of(drawn[2])
    listed, classes = members_data.groups(data.picked(SEARCH))
    assert (len(listed), classes, listed[0].label) == (1, 1, -1)


def test_rows_of_instances_are_sorted_by_score(put: Callable[..., Sampled]) -> None:
    made = put(Sampled)
    drawn = members_panel.draw_members(*[None] * 7, None, SEARCH)
    spec = json.loads(drawn[4])
    assert [group["label"] for group in spec["groups"]] == [0, 1, 2, 3]
    assert f"{int(made.wrong.sum())} misclassified" in drawn[1]
    seen = []
    for group in spec["groups"]:
        for side in ("right", "wrong"):
            scores = [score for _, _, score in group[side]]
            assert scores == sorted(scores, reverse=True)
            seen += [index for index, _, _ in group[side]]
        assert all(guess == group["label"] for _, guess, _ in group["right"])
        assert all(guess != group["label"] for _, guess, _ in group["wrong"])
    assert sorted(seen) == made.truth["indices"].tolist()
    assert spec["classes"]["1"][0] == "<b>dog</b>"  # text; the browser never reads it as markup
    assert not spec["pictures"]
    few = json.loads(members_panel.draw_members(*[None] * 7, None, SEARCH + "&subset=wrong")[4])
    assert len(few["pictures"]) == made.wrong.sum()


def test_of_many_instances_some_are_drawn_and_all_counted() -> None:
    rows = np.arange(10_000)
    made = members_data._bounded([members_data.Group(0, rows, rows[:100], 10_000, 100)])
    assert len(made[0].wrong) == 100
    assert len(made[0].right) + 100 <= members_data.MOST_SQUARES
    assert made[0].rights == 10_000


@pytest.mark.parametrize("how", ["width", "mass"])
def test_bins_open_their_instances(put: Callable[..., Sampled], how: str) -> None:
    put(Sampled)
    found = data.picked(SEARCH, "light < 0.4 or wrong")
    made = scores_data.scores(found, how)
    assert made is not None
    table = scores_panel.table(found, made)
    counts = made.reliability.counts[made.reliability.counts > 0].tolist()
    assert [len(members.rows(found.shown, nav["subset"])) for _, nav in buttons(table)] == counts
    assert sum(counts) == made.n == len(found.rows)
    assert made.right.sum() + made.wrong.sum() == made.n


def test_scores_are_told_in_words_with_an_interval(put: Callable[..., Sampled]) -> None:
    made = put(Sampled)
    drawn = scores_panel.draw_scores(*[None] * 6, "width", None, None, SEARCH)
    error = calibration.error(made.extraction.confidence, ~made.wrong)
    text = text_of(drawn[6])
    assert f"Expected calibration error {100 * error.value:.1f} % ({100 * error.low:.1f} %" in text
    assert "more sure than right" in text
    assert len(drawn[4]["data"]) == 2
    assert scores_panel.draw_scores(*[None] * 6, "width", None, drawn[0], SEARCH)[0] is dash.no_update
    none = scores_panel.draw_scores(*[None] * 6, "width", None, None, SEARCH + "&subset=loss < 0")
    assert "no instances" in text_of(none[2])


def test_the_matrix_is_downloaded_as_it_is(put: Callable[..., Sampled], bare_app: dash.Dash) -> None:
    made = put(Sampled)
    text = bare_app.server.test_client().get("/export/instances/confusion.csv?subset=wrong").get_data(as_text=True)
    rows = [line.split(",") for line in text.splitlines()[1:]]
    assert sum(int(row[2]) for row in rows) == made.wrong.sum()
    assert all(row[0] != row[1] for row in rows)
