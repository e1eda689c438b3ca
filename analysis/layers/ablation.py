"""Answers ``ablation``: what the model loses without some filters of a layer. The test behind each suspicion (D8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.errors import ParameterError
from analysis.extraction.passes import cross_entropy
from analysis.extraction.reader import Extraction
from analysis.layerinfo import LayerInfo
from analysis.layers.bootstrap import RESAMPLES, paired
from analysis.layers.passes import Reading, batches, predicted, readable
from analysis.models.interventions import Intervention, intervene
from analysis.models.taps import Tap, rectify

MODES = ("zero", "mean", "merge")
FLIPPED = 50  # instances listed
SEED = 0  # of the resampling, beside the sample's


def ablation(
    session: Any, context: Any, *, layer: str, filters: list[int], mode: str = "zero", into: int | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Run the sample through the model with filters changed, and compare with the answers of its extraction.

    Args:
        layer: its key. filters: which. mode: 'zero', 'mean' (each held at its mean over the sample: of its rectified
            activation where a rectifier follows, else of the activation itself) or 'merge' (they take the activation of
            the filter ``into``).

    Returns:
        {'layer', 'filters', 'mode', 'into', 'n': labelled instances, 'instances': all, 'accuracy_before',
        'accuracy_after': shares, 'change', 'low', 'high': percentage points with a 95 % paired bootstrap interval,
        'loss_before', 'loss_after': mean cross-entropy in nats, 'classes': [{'class', 'name', 'n', 'before', 'after',
        'change', 'low', 'high'}], 'flipped': the first 50 [index, prediction before, after], 'flips': how many there
        are, 'random_state', 'resamples'}; numbers are None where there are no labels. No arrays.

    Raises:
        NotFound: no such layer. ParameterError: no such filters or mode; and as ``Intervention.check``.
    """
    info, extraction = readable(session, layer), session.extraction()
    if mode not in MODES:
        raise ParameterError(f"Filters cannot be tested by {str(mode)[:40]!r}.", f"Choose one of: {', '.join(MODES)}.")
    chosen = tuple(sorted({int(i) for i in filters}))
    asked = Intervention(info, chosen, mode, into if mode == "merge" else None)
    if mode == "mean":
        Intervention(info, chosen, "zero").check()
        values = means(session, context, info, extraction)
        asked = Intervention(info, chosen, mode, None, torch.from_numpy(values))
    asked.check()
    value = compare(session, context, extraction, asked)
    return {"layer": layer, "filters": list(chosen), "mode": mode, "into": asked.into, **value}, {}


def compare(session: Any, context: Any, extraction: Extraction, change: Intervention) -> dict[str, Any]:
    """Answers of the model with a change against those of the extraction, as ``ablation`` returns them."""
    rows, logits = changed_logits(session, context, extraction, change)
    return verdict(extraction, rows, logits, int(session.sample["random_state"]))


def changed_logits(
    session: Any, context: Any, extraction: Extraction, change: Intervention
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows of the extraction and the logits (n, C) of the changed model for them."""
    rows: list[NDArray[np.int64]] = []
    found: list[NDArray[np.float32]] = []
    with intervene(session.model, [change]) as running:
        for batch, own in batches(session, extraction, context, "Running the changed model"):
            running.begin()
            logits = session.forward(batch)
            rows.append(own)
            found.append(logits.detach().to("cpu", torch.float32).numpy().copy())
    if not rows:
        raise ParameterError("The sample has no instances.", "Choose a larger sample.")
    return np.concatenate(rows), np.concatenate(found)


def verdict(
    extraction: Extraction, rows: NDArray[np.int64], logits: NDArray[np.float32], random_state: int
) -> dict[str, Any]:
    """Before and after, over all and by class. logits: of the changed model for rows of the extraction, (n, C)."""
    rng = np.random.default_rng([SEED, random_state])
    labels = np.asarray(extraction.labels)[rows]
    before, after = np.asarray(extraction.predictions)[rows], predicted(torch.from_numpy(logits))
    known = labels >= 0
    total = paired(before[known] == labels[known], after[known] == labels[known], rng)
    classes = []
    for label in np.unique(labels[known]).tolist():
        part = labels == label
        one = paired(before[part] == label, after[part] == label, rng)
        name = extraction.class_names[label] if label < len(extraction.class_names) else str(label)
        classes.append({"class": label, "name": name, **vars(one)})
    flips = np.flatnonzero(before != after)
    indices = np.asarray(extraction.indices)[rows]
    return {
        "n": total.n,
        "instances": len(rows),
        "accuracy_before": total.before,
        "accuracy_after": total.after,
        "change": total.change,
        "low": total.low,
        "high": total.high,
        "loss_before": _mean(np.asarray(extraction.loss)[rows]),
        "loss_after": _mean(cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).numpy()),
        "classes": classes,
        "flipped": [[int(indices[i]), int(before[i]), int(after[i])] for i in flips[:FLIPPED].tolist()],
        "flips": len(flips),
        "random_state": random_state,
        "resamples": RESAMPLES,
    }


def _mean(values: NDArray[np.float32]) -> float | None:
    """Mean of what is defined; None if nothing is, or it is infinite."""
    kept = values[~np.isnan(values)].astype(np.float64)
    return float(kept.mean()) if len(kept) and np.isfinite(kept).all() else None


def means(session: Any, context: Any, info: LayerInfo, extraction: Extraction) -> NDArray[np.float32]:
    """What each filter is held at, shape (F,): its mean over instances, each by the mean over its positions."""
    extracted = any(one.key == info.key for one in extraction.layers)
    if extracted and info.rectifier == "relu" and _rectified_next(session, info, extraction):
        values = np.asarray(extraction.mean(info.key))
        good = np.isfinite(values)
        return (np.where(good, values, 0).sum(axis=0, dtype=np.float64) / np.maximum(good.sum(axis=0), 1)).astype(
            np.float32
        )
    total, number = np.zeros(info.filters), np.zeros(info.filters)

    def add(_info: LayerInfo, tap: Tap, _rows: NDArray[np.int64]) -> None:
        part = instance_means(tap.values, tap.lengths).to("cpu", torch.float64).numpy()
        good = np.isfinite(part)
        total[:] += np.where(good, part, 0).sum(axis=0)
        number[:] += good.sum(axis=0)

    with Reading(session, [info], add) as reading:
        for batch, rows in batches(session, extraction, context, "Measuring means"):
            reading.run(batch, rows)
    return (total / np.maximum(number, 1)).astype(np.float32)


def instance_means(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean over (valid) positions of (n, F, *places), float32 (n, F). lengths: valid steps of each, (n,), or None."""
    values = values.float()
    if values.dim() == 2:
        return values
    if lengths is None or values.dim() != 3:
        return values.flatten(2).mean(2)
    valid = torch.arange(values.shape[2], device=values.device) < lengths.to(values.device)[:, None]
    return torch.where(valid[:, None], values, 0.0).sum(2) / valid.sum(1).clamp_min(1)[:, None]


def _rectified_next(session: Any, info: LayerInfo, extraction: Extraction) -> bool:
    """Whether a rectifier follows the layer: the model answers the same if negative values are 0 already."""
    module = dict(session.model.named_modules(remove_duplicate=False))[info.read_after or info.name]
    batch = session.batch(_first(extraction))
    if not len(batch.indices):
        return False
    plain = session.forward(batch)

    def cut(_module: Any, _inputs: Any, output: Any) -> Any:
        return rectify(output, "relu") if isinstance(output, Tensor) else None

    handle = module.register_forward_hook(cut)
    try:
        return bool(torch.equal(session.forward(batch), plain))
    finally:
        handle.remove()


def _first(extraction: Extraction, count: int = 8) -> Iterable[int]:
    return [int(index) for index in np.asarray(extraction.indices)[:count]]
