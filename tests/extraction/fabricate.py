"""Extractions made up without a model, with planted filters whose nature is known. No torch.

planted = fabricate(tmp_path / "extraction", n=200)
extraction = Extraction(tmp_path / "extraction")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.extraction import shards
from analysis.layerinfo import LayerInfo

CLASSES = 10
PLANTED: dict[str, Any] = {"dead": 0, "always_on": 1, "duplicate": (2, 3), "class_specific": 4, "of_class": 3}


def layer(key: str, kind: str, filters: int, spatial: tuple[int, ...] = (), order: int = 0, **more: Any) -> LayerInfo:
    """A layer that was reached."""
    types = {"conv": "Conv2d", "linear": "Linear", "recurrent": "LSTM"}
    name, _, call = key.partition("#")
    given = {"rectifier": "relu", "read_after": name, "parameters": 100 * filters, "order": order} | more
    return LayerInfo(key, name, int(call or 1) - 1, kind, types.get(kind, "Module"), filters, spatial, **given)


def lenet(classes: int = CLASSES, side: int = 28) -> list[LayerInfo]:
    """The layers of the digits demo, for images of side x side: conv1, conv2, fc1, fc2 (the output)."""
    first, second = side - 4, (side - 4) // 2 - 4
    return [
        layer("conv1", "conv", 20, (first, first), 0),
        layer("conv2", "conv", 50, (second, second), 1),
        layer("fc1", "linear", 100, (), 2),
        layer("fc2", "linear", classes, (), 3, rectifier="softmax", output=True),
    ]


def fabricate(
    directory: Path,
    layers: Sequence[LayerInfo] | None = None,
    n: int = 200,
    *,
    kind: str = "image",
    shape: tuple[int, ...] | None = None,
    classes: int = CLASSES,
    class_names: Sequence[str] | None = None,
    random_state: int = 0,
    planted: bool = True,
    shard: int = 64,
    only: Sequence[int] | None = None,
    failed: Sequence[int] = (),
    skipped: Sequence[int] = (),
    accuracy: float = 0.9,
    population: int | None = None,
) -> dict[str, Any]:
    """Write an extraction and return what is true of it.

    Args:
        layers: by default ``lenet()``. n: instances; they are a sorted draw from ``population`` (3 n) ones.
        kind: image, series, table or text. shape: of an instance as shown: (28, 28, 1) for an image, or (H, W, 3); (3,
            50) for a series; (8,) for a table.
        planted: in every layer of more than 8 filters but the output, filter 0 is dead, 1 always on, 2 and 3 are
            duplicates, 4 responds to class 3 only (see PLANTED). The others each prefer a class: filter f class
            f % classes.
        only: shards that are finished, by default all. failed: shards that were given up. skipped: positions of
            instances that could not be read. accuracy: share of right predictions.

    Returns:
        'labels', 'indices', 'predictions' (n,), 'planted' (PLANTED, or {}), 'preferred' (layer key -> class of each
        filter (F,)).
    """
    rng = np.random.default_rng(random_state)
    infos = list(lenet(classes, (shape or (28,))[0]) if layers is None else layers)
    names = list(class_names) if class_names is not None else [str(number) for number in range(classes)]
    population = 3 * n if population is None else population
    indices = np.sort(rng.choice(population, n, replace=False))
    labels = rng.integers(0, classes, n)
    wrong = rng.random(n) >= accuracy
    predictions = np.where(wrong, (labels + rng.integers(1, classes, n)) % classes, labels) if classes > 1 else labels
    logits = rng.normal(0, 1, (n, classes)).astype(np.float32)
    logits[np.arange(n), predictions] += 6
    bright = rng.random((n, 2))  # where in the instance its pattern is, as shares of height and width
    arrays: dict[str, np.ndarray] = {"index": indices, "label": labels, "logits": logits, "loss": _loss(logits, labels)}
    for info in infos:
        arrays |= _layer_arrays(info, labels, logits, bright, rng, planted)
    facts = {"full": False, "checkpoint": None}
    shards.write_manifest(
        directory,
        shards.make_manifest(indices=indices, layers=infos, class_names=names, kind=kind, shard=shard, **facts),
    )
    for number, part in enumerate(shards.parts(range(n), shard)):
        if number in failed:
            failure = {"attempts": 3, "batch": 0, "message": "RuntimeError: planted", "tail": "Traceback: planted"}
            shards.write_failure(directory, number, failure)
        elif only is None or number in only:
            rows = [row for row in part if row not in skipped]
            shown = {int(indices[row]): _shown(kind, shape, int(labels[row]), bright[row], rng) for row in rows}
            shards.write_display(directory, number, shown)
            lost = [(int(indices[row]), "OSError: the file is damaged") for row in part if row in skipped]
            shards.write_shard(directory, number, {k: a[rows] for k, a in arrays.items()}, skipped=lost)
    preferred = {info.key: np.arange(info.filters) % classes for info in infos}
    truth = {"labels": labels, "indices": indices, "predictions": predictions, "preferred": preferred}
    return {**truth, "planted": dict(PLANTED) if planted else {}}


def _loss(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    top = logits.max(1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(1))
    return (total - logits[np.arange(len(labels)), labels]).astype(np.float32)


def _layer_arrays(
    info: LayerInfo, labels: np.ndarray, logits: np.ndarray, bright: np.ndarray, rng: np.random.Generator, planted: bool
) -> dict[str, np.ndarray]:
    n, filters = len(labels), info.filters
    if info.output:
        shares = np.exp(logits - logits.max(1, keepdims=True))
        values = (shares / shares.sum(1, keepdims=True)).astype(np.float32)
        return {f"max/{info.key}": values}
    classes = logits.shape[1]
    values = rng.gamma(2, 0.3, (n, filters)) * (0.3 + 0.05 * np.arange(filters) / filters)
    values += 1.5 * (labels[:, None] == np.arange(filters) % classes) * rng.random((n, filters))
    values[rng.random((n, filters)) < 0.1] = 0
    # Positions: filters look at the pattern, a little beside it each.
    offsets = rng.normal(0, 0.06, (n, filters, 2))
    if planted and filters > 8:
        values[:, PLANTED["dead"]] = 0
        values[:, PLANTED["always_on"]] = 2 + 0.001 * rng.random(n)
        first, second = PLANTED["duplicate"]
        values[:, second], offsets[:, second] = values[:, first], offsets[:, first]
        values[:, PLANTED["class_specific"]] = (labels == PLANTED["of_class"]) * (1 + rng.random(n))
    maximum = values.astype(np.float32)
    if not info.spatial:
        return {f"max/{info.key}": maximum}
    mean = (maximum * (0.2 + 0.1 * rng.random((n, filters)))).astype(np.float32)
    if planted and filters > 8:
        mean[:, PLANTED["always_on"]] = 0.99 * maximum[:, PLANTED["always_on"]]
        mean[:, second] = mean[:, first]
    sizes = np.array(info.spatial[-2:])
    share = (bright[:, None, :] + offsets)[..., : len(sizes)]
    at = np.clip((share * sizes).astype(int), 0, sizes - 1)
    flat = at[..., 0] if len(sizes) == 1 else at[..., 0] * sizes[1] + at[..., 1]
    return {f"max/{info.key}": maximum, f"mean/{info.key}": mean, f"where/{info.key}": flat.astype(np.int32)}


def _shown(
    kind: str, shape: tuple[int, ...] | None, label: int, bright: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """An instance: a wave whose direction and frequency follow from the class, strong around ``bright``."""
    if kind == "text":
        words = ["the", "film", "was", f"word{label}", "and", "long"]
        return shards.packed_tokens([words[at] for at in rng.integers(0, len(words), 12)])
    if kind == "table":
        return rng.normal(label, 1, shape or (8,)).astype(np.float32)
    if kind == "series":
        channels, steps = shape or (3, 50)
        t = np.linspace(0, 1, steps)
        wave = np.sin(2 * np.pi * (1 + label) * t) * np.exp(-(((t - bright[0]) / 0.2) ** 2))
        return (wave + 0.1 * rng.normal(size=(channels, steps))).astype(np.float32)
    height, width, channels = shape or (28, 28, 1)
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    angle = np.pi * label / CLASSES
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * (2 + label % 4) * (np.cos(angle) * x + np.sin(angle) * y))
    near = np.exp(-((y - bright[0]) ** 2 + (x - bright[1]) ** 2) / 0.05)
    tint = 0.4 + 0.6 * np.random.default_rng(label).random(channels) if channels > 1 else np.ones(1)
    return (255 * (wave * near)[..., None] * tint).clip(0, 255).astype(np.uint8)
