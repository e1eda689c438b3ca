"""Confident learning: planted label errors are found, clean labels give few; against a slow version of the paper."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.jobs.context import Cancelled
from analysis.subsets import label_errors
from analysis.subsets.label_errors import calibrated, confident
from tests.layers.desk import Context


def planted(n: int, classes: int, noise: float, seed: int, strength: float = 5.0) -> tuple[Any, Any, Any]:
    """Logits of a good model, labels of which a share was changed, and which."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    logits = rng.normal(0, 1, (n, classes)).astype(np.float32)
    logits[np.arange(n), truth] += strength
    bad = rng.random(n) < noise
    labels = np.where(bad, (truth + rng.integers(1, classes, n)) % classes, truth)
    return logits, labels, bad


def slow(shares: np.ndarray, labels: np.ndarray) -> tuple[list[float], dict[tuple[int, int], int], set[int]]:
    """Equations 1 and 2 of the paper, by loops; and the suspects."""
    classes = shares.shape[1]
    thresholds = []
    for j in range(classes):
        own = [shares[row, j] for row in range(len(labels)) if labels[row] == j]
        thresholds.append(sum(own) / len(own) if own else float("nan"))
    counts: dict[tuple[int, int], int] = {}
    suspects = set()
    for row, label in enumerate(labels):
        reached = [j for j in range(classes) if shares[row, j] >= thresholds[j] - 1e-9]
        if label < 0 or not reached:
            continue
        best = max(reached, key=lambda j: (shares[row, j], -j))
        counts[label, best] = counts.get((label, best), 0) + 1
        if best != label and shares[row, best] > shares[row, label]:
            suspects.add(row)
    return thresholds, counts, suspects


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 40), st.integers(2, 5), st.integers(0, 999))
def test_it_is_what_the_paper_says(n: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, classes, n)
    logits = rng.normal(0, 2, (n, classes))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    thresholds, counts, suspects = slow(shares, labels)
    found = confident(logits, labels)
    assert found.threshold == pytest.approx(thresholds, nan_ok=True)
    assert found.counts is not None
    assert {(i, j): int(found.counts[i, j]) for i, j in np.argwhere(found.counts)} == counts
    assert set(found.rows.tolist()) == suspects
    margins = found.other - found.given
    assert (np.diff(margins) <= 1e-12).all(), "the likeliest error first"


def test_planted_errors_are_found_and_their_classes_suggested() -> None:
    logits, labels, bad = planted(3000, 5, 0.05, 0)
    truth = logits.argmax(1)
    found = confident(logits, labels)
    assert bad[found.rows].mean() > 0.9
    assert np.isin(np.flatnonzero(bad), found.rows).mean() > 0.7
    assert (found.suggested == truth[found.rows]).all()
    assert found.errors == pytest.approx(bad.sum(), rel=0.25)
    assert bad[found.rows[:50]].all()


def test_clean_labels_give_few() -> None:
    for seed in range(5):
        logits, labels, _ = planted(2000, 6, 0.0, seed)
        assert len(confident(logits, labels).rows) <= 0.01 * 2000


def test_errors_between_two_classes_only_are_told_by_the_joint() -> None:
    logits, labels, _ = planted(4000, 4, 0.0, 1)
    rng = np.random.default_rng(2)
    labels = np.where((labels == 2) & (rng.random(4000) < 0.2), 3, labels)
    found = confident(logits, labels)
    assert found.counts is not None
    joint = calibrated(found.counts, np.bincount(labels, minlength=4))
    assert joint.sum() == pytest.approx(1)
    assert joint.sum(1) == pytest.approx(np.bincount(labels) / 4000)
    apart = joint - np.diag(np.diag(joint))
    assert np.unravel_index(apart.argmax(), apart.shape) == (3, 2)
    assert 0.025 < apart[3, 2] < 0.06, "0.05 were planted; thresholds of the noisy class are lower"


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels, _ = planted(500, 3, 0.1, 4)
    whole = confident(logits, labels)
    monkeypatch.setattr(label_errors, "_BLOCK", 90)
    parts = confident(logits, labels)
    assert (whole.rows == parts.rows).all()
    assert whole.errors == pytest.approx(parts.errors)


class Desk:
    """A session with an extraction only."""

    def __init__(self, logits: Any, labels: Any) -> None:
        self.found = SimpleNamespace(indices=10 * np.arange(len(labels)), labels=labels, logits=logits)

    def extraction(self) -> Any:
        return self.found


def test_the_answer_is_plain_and_says_its_rule_and_its_caveat() -> None:
    logits, labels, bad = planted(600, 3, 0.05, 0)
    value, arrays = label_errors.label_errors(Desk(logits, labels), Context())
    assert arrays == {}
    assert value["n"] == 600
    assert value["found"] == len(value["suspects"]) > 0
    first = value["suspects"][0]
    row = first["index"] // 10
    assert bad[row]
    assert first["given"] == labels[row]
    assert first["margin"] > 0
    assert np.sum(value["joint"]) == pytest.approx(1, abs=1e-5)
    assert "mean one among instances labelled" in value["rule"]
    assert "trained on these labels" in value["caveat"]
    assert value["reason"] == ""


def test_a_single_logit_is_two_classes() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    logits = (8.0 * labels - 4 + 0.3 * rng.normal(size=400))[:, None]
    labels[:10] = 1 - labels[:10]
    value, _ = label_errors.label_errors(Desk(logits, labels), Context())
    assert value["classes"] == 2
    assert {one["index"] // 10 for one in value["suspects"]} <= set(range(10))
    assert value["found"] >= 5


@pytest.mark.parametrize(
    ("labels", "words"), [(np.full(20, -1), "None of the instances"), (np.zeros(20, int), "the same label")]
)
def test_without_labels_or_with_one_it_says_so(labels: Any, words: str) -> None:
    value, _ = label_errors.label_errors(Desk(np.random.default_rng(0).normal(size=(20, 3)), labels), Context())
    assert words in value["reason"]
    assert value["threshold"][2] is None


def test_no_rows_ten_thousand_classes_and_logits_that_are_no_numbers() -> None:
    value, _ = label_errors.label_errors(Desk(np.zeros((0, 3)), np.zeros(0, int)), Context())
    assert value["suspects"] == []
    logits, labels, _ = planted(300, 10_000, 0.0, 0)
    value, _ = label_errors.label_errors(Desk(logits, labels), Context())
    assert value["joint"] == []
    assert len(value["threshold"]) == 10_000
    logits, labels, _ = planted(100, 3, 0.0, 0)
    logits[:10] = np.nan
    assert confident(logits, labels).n == 90


def test_it_can_be_cancelled() -> None:
    context = Context()
    context.cancelled = True
    with pytest.raises(Cancelled):
        label_errors.label_errors(Desk(*planted(10, 3, 0, 0)[:2]), context)
