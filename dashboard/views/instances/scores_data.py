"""Confidences of a subset, right and wrong, and whether they are shares of right answers. Neither torch nor dash."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.subsets import calibration
from analysis.subsets.table import probabilities
from dashboard.views.instances.data import Picked
from dashboard.views.instances.subset_data import as_expression, bracketed

BINS = 15
FEW = 150  # instances; fewer are put into fewer bins
MOST_BRIER = 4_000_000  # probabilities read for the Brier score


@dataclass(frozen=True)
class Scores:
    """n: instances with a label and a finite confidence; left: others. edges (k + 1,), right, wrong (k,): histogram of
    confidence. reliability: bins; error: the expected calibration error. brier: NaN where it is not computed. mean,
    accuracy: of all n."""

    n: int
    left: int
    edges: NDArray[np.float64]
    right: NDArray[np.int64]
    wrong: NDArray[np.int64]
    reliability: calibration.Reliability
    error: calibration.Error
    brier: float
    mean: float
    accuracy: float


def scores(found: Picked, how: str) -> Scores | None:
    """how: bins of equal 'width' or 'mass'. None without labelled instances."""
    reader = found.shown.extraction
    labels = np.asarray(reader.labels)[found.rows]
    confidence = np.asarray(reader.confidence)[found.rows].astype(np.float64)
    kept = (labels >= 0) & np.isfinite(confidence)
    if not kept.any():
        return None
    rows, values = found.rows[kept], confidence[kept]
    correct = np.asarray(reader.predictions)[rows] == labels[kept]
    bins = BINS if len(rows) >= FEW else max(3, len(rows) // 10)
    # A model of C classes is never less sure than 1 / C.
    edges, right, wrong = calibration.histograms(values, correct, bins=25)
    return Scores(
        len(rows),
        int((~kept).sum()),
        edges,
        right,
        wrong,
        calibration.reliability(values, correct, bins=bins, how=how),
        calibration.error(values, correct, bins=bins, how=how),
        _brier(found, rows, labels[kept]),
        float(values.mean()),
        float(correct.mean()),
    )


def _brier(found: Picked, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    logits = found.shown.extraction.logits
    if len(rows) * logits.shape[1] > MOST_BRIER:
        return float("nan")
    return calibration.brier(probabilities(logits[rows]), labels)


def subset_of(text: str, low: float, high: float, first: bool, partly: bool) -> str:
    """The instances of a bin of the subset ``text``, open to the left. partly: some of them have no label."""
    base = bracketed(as_expression(text))
    parts = [base] if base else []
    parts.append(f"confidence {'>=' if first else '>'} {low!r} and confidence <= {high!r}")
    parts += ["not missing(label)"] if partly else []
    return " and ".join(parts)
