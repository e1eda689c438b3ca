"""Answers ``feature_maps``: all filters of a layer on one instance (ActiVis, Kahng et al., VIS 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.errors import NotFound
from analysis.layerinfo import LayerInfo
from analysis.layers.passes import Reading, predicted, readable
from analysis.models.taps import Tap, rectify

BEST = 5  # classes whose scores are told


def feature_maps(
    session: Any, context: Any, *, layer: str, instance: int
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The rectified activations of a layer for one instance of the data set.

    Returns:
        {'prediction', 'label' (-1: none), 'scores': [[class, share]] of the best, 'places': shape of the maps,
        'rectifier', 'low', 'high': of all finite values, 'nonfinite': how many are not, 'tokens': of a text} and
        {'maps': float32 (F, *places) without padding, 'display': as ``Session.display``, none for a text}.

    Raises:
        NotFound: no such layer or instance, the instance cannot be read, or does not reach the layer.
    """
    info = readable(session, layer)
    context.progress(0, 1, "instances", "Running the model")
    batch = session.batch([int(instance)])
    if not len(batch.indices):
        reason = batch.skipped[0][1] if batch.skipped else "it is not there"
        raise NotFound(f"Instance {instance} cannot be read: {reason}.", "Choose another instance.")
    with Reading(session, [info], _maps) as reading:
        logits, found = reading.run(batch, np.zeros(1, np.int64))
    if info.key not in found:
        raise NotFound(f"Instance {instance} does not reach {layer}.", "Choose another layer or instance.")
    maps: NDArray[np.float32] = found[info.key]
    finite = maps[np.isfinite(maps)]
    arrays: dict[str, NDArray[Any]] = {"maps": maps}
    value = {
        "prediction": int(predicted(logits)[0]),
        "label": int(batch.labels[0]),
        "scores": best_scores(logits[0]),
        "places": list(maps.shape[1:]),
        "rectifier": info.rectifier,
        "low": float(finite.min()) if finite.size else 0.0,
        "high": float(finite.max()) if finite.size else 0.0,
        "nonfinite": int(maps.size - finite.size),
    }
    if session.kind == "text":
        value["tokens"] = session.tokens(int(instance))
    else:
        arrays["display"] = session.display(int(instance))
    context.progress(1, 1, "instances", "Running the model")
    return value, arrays


def _maps(info: LayerInfo, tap: Tap, _rows: NDArray[np.int64]) -> NDArray[np.float32]:
    values = rectify(tap.values[:1].float(), info.rectifier)[0]
    if tap.lengths is not None and values.dim() == 2:
        values = values[:, : int(tap.lengths[0])]
    return np.array(values.detach().to("cpu", torch.float32).numpy(), order="C")


def best_scores(logits: torch.Tensor, count: int = BEST) -> list[list[float]]:
    """The likeliest classes and their shares, of logits (C,); of a single logit both classes, 1 first if likelier."""
    values = logits.detach().to("cpu", torch.float64).nan_to_num(nan=-1e30, posinf=1e30, neginf=-1e30)
    shares = torch.stack([torch.zeros(()), values[0]]).softmax(0) if len(values) == 1 else values.softmax(0)
    top = shares.topk(min(count, len(shares)))
    return [[int(i), float(p)] for p, i in zip(top.values.tolist(), top.indices.tolist(), strict=True)]
