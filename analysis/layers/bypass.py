"""Answers ``bypass``: could the model do without a layer? (D8: drop the later one of two that separate alike.)"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from analysis.extraction.reader import Extraction
from analysis.extraction.sample import choose
from analysis.layerinfo import LayerInfo
from analysis.layers.ablation import compare, instance_means, verdict
from analysis.layers.bootstrap import paired, share
from analysis.layers.passes import Reading, batches, readable
from analysis.layers.pooled import standardised
from analysis.layers.principal import principal
from analysis.layers.sketch import Sketch
from analysis.models.interventions import Intervention, InterventionError
from analysis.models.taps import Tap

FOLDS = 5
MOST = 4000  # instances that readouts are fitted to
WIDEST = 1024  # dimensions, above which principal components stand for them
COMPONENTS = 512
C = 0.1  # of the logistic regression: on LeNets, from 1 to 0.01 all gave the same within a point
RIDGE = 0.01  # times the number of instances


def bypass(session: Any, context: Any, *, layer: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Three tests of a layer's worth on the sample, from the crudest to the fairest.

    'identity': its input takes the place of its output, nothing is fitted; only where the shapes agree. 'readout': a
    multinomial logistic regression from what the layer gets to the labels takes the place of it and of all that
    follows. 'shortcut': a ridge regression from what the layer gets to the model's own logits does. Both are judged on
    instances they were not fitted to (stratified, 5 folds), on the mean over positions of each input, standardised.
    With few instances they are fitted worse than the model was, so that what they lose is at most partly the layer's.

    Returns:
        {'layer', 'identity': as the answer of ``ablation``, or None, 'reason': why; 'readout': {'accuracy', 'low',
        'high': share with its 95 % interval, 'change', 'change_low', 'change_high': percentage points against the
        model, paired, 'model_accuracy', 'n', 'folds'}, or None, 'readout_reason'; 'with_layer': the same of a readout
        from the layer's output, or None; 'shortcut': as the answer of ``ablation``, or None, 'dimensions': of the
        input}; no arrays.

    Raises:
        NotFound: no such layer.
    """
    info, extraction = readable(session, layer), session.extraction()
    value: dict[str, Any] = {"layer": layer, "identity": None, "reason": ""}
    try:
        value["identity"] = compare(session, context, extraction, Intervention(info, (), "identity"))
    except InterventionError as error:
        value["reason"] = error.message
    rows, given, after = _given(session, context, info, extraction)
    value |= {"readout": None, "with_layer": None, "shortcut": None, "readout_reason": "", "dimensions": given.shape[1]}
    seed = int(session.sample["random_state"])
    kept = _usable(np.asarray(extraction.labels)[rows], seed)
    if not given.shape[1] or not len(kept):
        value["readout_reason"] = (
            "Not enough instances have a label: at least two classes with five each are needed."
            if given.shape[1]
            else "What this layer gets cannot be read as numbers."
        )
        return value, {}
    rows, given, after = rows[kept], given[kept], after[kept]
    labels = np.asarray(extraction.labels)[rows]
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(given, labels))
    model = np.asarray(extraction.predictions)[rows] == labels
    context.progress(0, 3, "steps", "Fitting readouts")
    value["readout"] = _readout(given, labels, folds, model, seed)
    context.progress(1, 3, "steps", "Fitting readouts")
    value["with_layer"] = _readout(after, labels, folds, model, seed)
    context.progress(2, 3, "steps", "Fitting readouts")
    value["shortcut"] = verdict(extraction, rows, _shortcut(given, np.asarray(extraction.logits)[rows], folds), seed)
    context.progress(3, 3, "steps", "Fitting readouts")
    return value, {}


def _given(
    session: Any, context: Any, info: LayerInfo, extraction: Extraction
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Rows, and for each what the layer gets and yields, means over positions, (n, d) and (n, F); d = 0 if it cannot
    be read."""
    rows: list[NDArray[np.int64]] = []
    given: list[NDArray[np.float32]] = []
    after: list[NDArray[np.float32]] = []
    seed = int(session.sample["random_state"])
    before, behind = Sketch(extraction.done, seed), Sketch(extraction.done, seed)

    def keep(_info: LayerInfo, tap: Tap, own: NDArray[np.int64]) -> None:
        if len(tap.values) != len(own):
            return
        rows.append(own)
        after.append(behind(instance_means(tap.values, tap.lengths).to("cpu", torch.float32).numpy().copy()))
        if tap.input is None:
            given.append(np.zeros((len(own), 0), np.float32))
        else:
            given.append(before(instance_means(tap.input, tap.lengths).to("cpu", torch.float32).numpy().copy()))

    with Reading(session, [info], keep, inputs=True) as reading:
        for batch, own in batches(session, extraction, context, "Reading the layer's input"):
            reading.run(batch, own)
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)
    return np.concatenate(rows), _narrow(given), _narrow(after)


def _narrow(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Parts put together, finite and standardised; of very many dimensions their principal components."""
    values = np.concatenate(parts)
    parts.clear()
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    scaled = standardised(values)
    if scaled.shape[1] <= WIDEST:
        return scaled
    scores = principal(scaled, COMPONENTS)[0]
    return scores / max(float(scores.std()), 1e-12)  # each in proportion: the last ones are little but noise


def _usable(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Places of instances with a label that at least five have, at most 4,000 of them; none if that is one class."""
    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    usable = classes[counts >= FOLDS]
    if len(usable) < 2:
        return np.zeros(0, np.int64)
    places = np.flatnonzero(np.isin(labels, usable))
    chosen = places[choose(labels[places], MOST, seed)]
    left, counts = np.unique(labels[chosen], return_counts=True)
    return chosen[np.isin(labels[chosen], left[counts >= FOLDS])]


def _readout(
    values: NDArray[np.float32], labels: NDArray[np.int64], folds: list[Any], model: NDArray[np.bool_], seed: int
) -> dict[str, Any]:
    right = np.zeros(len(labels), bool)
    for fitted, held in folds:
        readout = LogisticRegression(C=C, max_iter=200, tol=1e-3).fit(values[fitted], labels[fitted])
        right[held] = readout.predict(values[held]) == labels[held]
    rng = np.random.default_rng(seed)
    accuracy, low, high = share(right, rng)
    change = paired(model, right, rng)
    return {
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "change": change.change,
        "change_low": change.low,
        "change_high": change.high,
        "model_accuracy": float(model.mean()),
        "n": len(labels),
        "folds": FOLDS,
    }


def _shortcut(values: NDArray[np.float32], logits: NDArray[np.float32], folds: list[Any]) -> NDArray[np.float32]:
    """Logits of held-out instances by ridge regression on those of the others, float32 (n, C)."""
    found = np.zeros_like(logits)
    target = np.nan_to_num(logits.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    data = np.c_[values.astype(np.float64), np.ones(len(values))]
    for fitted, held in folds:
        part = data[fitted]
        penalty = np.full(data.shape[1], RIDGE * len(part))
        penalty[-1] = 1e-9  # the constant is free
        weights = np.linalg.solve(part.T @ part + np.diag(penalty), part.T @ target[fitted])
        found[held] = data[held] @ weights
    return found
