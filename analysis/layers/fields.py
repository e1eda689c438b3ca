"""Answers ``receptive_fields``: which part of the input each position of each layer sees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound
from analysis.models.receptive import receptive_fields as of_model

EXAMPLES = 8  # instances looked at for one that can be read


def receptive_fields(session: Any, context: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The receptive fields of all layers, from the model's structure.

    Returns:
        {'axes': axes of the input tensor that positions lie along, 'shape': of that tensor for one instance, 'whole':
        layers of which every position sees the whole input, or where it cannot be told} and, by '<layer>/<axis>' with
        axes counted from 0, int32 (S, 2): first pixel or step of each position and one past its last.

    Raises:
        NotFound: none of the first instances can be read.
    """
    batch = session.batch(range(min(session.n, EXAMPLES)))
    if not len(batch.indices):
        raise NotFound("None of the first instances can be read.", "Look at the reasons on the subject page.")
    example = session.input_tensor(batch)
    axes = [int(axis) for axis in session.axes]
    infos = [info for info in session.layers if not info.reason]

    def report(done: int, total: int) -> None:
        context.progress(done, total, "columns", "Following them through the model")

    found = of_model(
        session.model, lambda tensor: session.forward_from(tensor, batch), example, infos, axes, progress=report
    )
    sizes = [int(example.shape[axis]) for axis in axes]
    whole = [info.key for info in infos if _sees_all(found[info.key], info.spatial, sizes)]
    arrays = {
        f"{key}/{axis}": part.astype(np.int32) for key, fields in found.items() for axis, part in enumerate(fields)
    }
    return {"axes": axes, "shape": [int(size) for size in example.shape[1:]], "whole": whole}, arrays


def _sees_all(fields: list[NDArray[Any]], spatial: tuple[int, ...], sizes: list[int]) -> bool:
    if len(spatial) != len(sizes):
        return True
    return all(
        len(part) and (part[:, 0] <= 0).all() and (part[:, 1] >= size).all()
        for part, size in zip(fields, sizes, strict=True)
    )
