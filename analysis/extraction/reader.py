"""Reads an extraction, also one that is still being written: its finished shards. No torch.

Arrays of a layer are read when they are asked for; the last few stay in memory, whoever reads them in this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from analysis.errors import NotFound
from analysis.extraction import shards
from analysis.extraction.survey import Places, forget, survey
from analysis.kept import Kept
from analysis.layerinfo import LayerInfo

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
NOT_REACHED = "not called for these inputs"
_KEPT = Kept(64 << 20)


class Extraction:
    """The finished part of an extraction, as it was when this was made. Making one is cheap: make one per request.

    Rows, in all arrays, are the instances of finished shards, in the order of ``indices``.

    Attributes:
        manifest: what was asked for. planned: number of instances asked for. done: number of rows. settled: number of
        instances that nothing more is to come of: rows, skipped ones, those of shards given up. complete: whether that
        is all of them. skipped: [index, reason] of instances that could not be read. failed: a dictionary for each
        shard that was given up: 'shard', 'batch' (from 0), 'attempts', 'message', 'tail' (of the traceback), 'indices'.
        unreached: number of rows in which a layer was not reached, by its key. class_names, kind: of the subject.

    Raises:
        NotFound: no extraction here, or one of another version.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        found = survey(self.directory)
        if found is None:
            raise NotFound("There is no extraction here.", "Ask for it again: it is computed from the model.")
        self._found = found
        self.manifest: dict[str, Any] = found.manifest
        self.class_names: list[str] = found.manifest["class_names"]
        self.kind: str = found.manifest["kind"]
        self.planned = len(found.manifest["indices"])
        self.skipped, self.unreached, self.failed = found.skipped, found.unreached, found.failed
        self.done = sum(found.rows)
        self.settled, self.complete = found.settled, found.complete

    @cached_property
    def layers(self) -> list[LayerInfo]:
        """The layers whose statistics can be read, in the order of the network."""
        return [info for info in self._infos if not self._never(info.key)]

    @cached_property
    def left_out(self) -> list[LayerInfo]:
        """The layers that were asked for and have none, each with its ``reason``."""
        given = [LayerInfo.from_json(value) for value in self.manifest["left_out"]]
        absent = [info.to_json() for info in self._infos if self._never(info.key)]
        return given + [LayerInfo.from_json({**value, "reason": NOT_REACHED}) for value in absent]

    @cached_property
    def _infos(self) -> list[LayerInfo]:
        return [LayerInfo.from_json(value) for value in self.manifest["layers"]]

    def _never(self, key: str) -> bool:
        return self.done > 0 and self.unreached.get(key, 0) >= self.done

    def layer(self, key: str) -> LayerInfo:
        """One of ``layers``. Raises NotFound."""
        for info in self.layers:
            if info.key == key:
                return info
        for info in self.left_out:
            if info.key == key:
                raise NotFound(f"The layer {key!r} was left out: {info.reason}.", "Choose another layer.")
        raise NotFound(f"The layer {key!r} is not in this extraction.", "Choose one of its layers.")

    @cached_property
    def indices(self) -> Integers:
        """Place in the data set of each row, shape (done,)."""
        return self._joined("index", np.int64, ())

    @cached_property
    def labels(self) -> Integers:
        """Label of each row, -1 where it has none, shape (done,)."""
        return self._joined("label", np.int64, ())

    @property
    def logits(self) -> Floats:
        """The model's output before any softmax, shape (done, C)."""
        return self._joined("logits", np.float32, (len(self.class_names),))

    @cached_property
    def loss(self) -> Floats:
        """Cross-entropy of each row, NaN without a label, shape (done,)."""
        return self._joined("loss", np.float32, ())

    @cached_property
    def predictions(self) -> Integers:
        """Predicted class of each row, shape (done,): the largest logit; of a single logit, whether it is above 0."""

        def choose() -> Integers:
            logits = self.logits
            chosen = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(1)
            return chosen.astype(np.int64)

        return _KEPT.get(self._key("predictions of all"), choose)

    @cached_property
    def confidence(self) -> Floats:
        """Probability that the model gives to its prediction, shape (done,), NaN where it is undefined."""
        return _KEPT.get(self._key("confidence of all"), lambda: top_share(self.logits))

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the prediction is the label, shape (done,); False without a label."""
        return self.predictions == self.labels

    def maximum(self, key: str) -> Floats:
        """Largest rectified activation of each filter of a layer in each row, shape (done, F). Raises NotFound."""
        return self._joined(f"max/{key}", np.float32, (self.layer(key).filters,))

    def mean(self, key: str) -> Floats:
        """Mean of the rectified activations over (valid) positions, shape (done, F). Raises NotFound."""
        info = self.layer(key)
        return self._joined(f"mean/{key}", np.float32, (info.filters,)) if info.spatial else self.maximum(key)

    def where(self, key: str) -> NDArray[np.int32]:
        """Flat position of each maximum in the layer's ``spatial`` shape, shape (done, F); 0 where there are no
        positions, and without meaning where the maximum is 0. Raises NotFound."""
        info = self.layer(key)
        if not info.spatial:
            return np.zeros((self.done, info.filters), np.int32)
        return self._joined(f"where/{key}", np.int32, (info.filters,))

    def lengths(self, key: str) -> NDArray[np.int32] | None:
        """Valid positions of a layer in each row, shape (done,); None where nothing is padded. Raises NotFound."""
        self.layer(key)
        for number in self._found.numbers[:1]:
            with safe_open(self.directory / shards.shard_file(number), framework="numpy") as opened:
                if f"length/{key}" not in opened.keys():  # noqa: SIM118 (not a dict)
                    return None
        return self._joined(f"length/{key}", np.int32, ()) if self._found.numbers else None

    def _joined(self, name: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of all finished shards; without any, of shape (0, *shape)."""

        def read() -> NDArray[Any]:
            if not self._found.numbers:
                return np.zeros((0, *shape), dtype)
            joined = None
            start = 0
            for number, rows in zip(self._found.numbers, self._found.rows, strict=True):
                if not rows and self.done:
                    continue
                with safe_open(self.directory / shards.shard_file(number), framework="numpy") as opened:
                    part = opened.get_tensor(name)
                if joined is None:
                    joined = np.empty((self.done, *part.shape[1:]), part.dtype)
                joined[start : start + rows] = part
                start += rows
            assert joined is not None
            return joined

        try:
            return _KEPT.get(self._key(name), read)
        except (OSError, SafetensorError):
            forget(self.directory)
            raise

    def _key(self, name: str) -> tuple[Any, ...]:
        return str(self.directory), self.manifest.get("id"), self._found.numbers, name

    @cached_property
    def _places(self) -> Places:
        return Places(self.indices)

    def row_of(self, index: int) -> int | None:
        """The row of an instance of the data set; None if it is not there (yet)."""
        row = int(self._places.of(int(index))[0])
        return None if row < 0 else row

    def rows_of(self, indices: Any) -> Integers:
        """Rows of several instances, shape (k,); those that are not there are left out."""
        rows = self._places.of([int(index) for index in indices])
        return rows[rows >= 0]

    def full(self, key: str, index: int) -> Floats:
        """Activations of one layer for one instance as they are, shape (F, *places). Raises NotFound."""
        self.layer(key)
        number, position = self._place(index)
        if position is not None:
            files = sorted(self.directory.glob(f"full-{number:05d}-*.safetensors"))
            for path in files:
                with safe_open(path, framework="numpy") as opened:
                    held = opened.get_tensor("index")
                    if index in held and f"full/{key}" in opened.keys():  # noqa: SIM118 (not a dict)
                        part = opened.get_slice(f"full/{key}")
                        row = int(np.flatnonzero(held == index)[0])
                        found: Floats = part[row : row + 1][0]
                        return found
        raise NotFound(f"Instance {index} has no full activations here.", "Extract with full=True.")

    def display(self, index: int) -> NDArray[Any]:
        """One instance as it is shown. Image: uint8 (H, W, 1 or 3); series: float32 (channels, T); table: float32
        (columns,). Raises NotFound."""
        number, position = self._place(index)
        path = self.directory / shards.display_file(number)
        if position is not None and path.exists():
            with safe_open(path, framework="numpy") as opened:
                if str(int(index)) in opened.keys():  # noqa: SIM118 (not a dict)
                    found: NDArray[Any] = opened.get_tensor(str(int(index)))
                    return found
        raise NotFound(f"Instance {index} is not in this extraction.", "Choose one of the sample, or include it.")

    def tokens(self, index: int) -> list[str]:
        """Tokens of one instance of a text. Raises NotFound."""
        if self.kind != "text":
            raise NotFound(f"Instance {index} has no tokens: the data are not text.", "")
        return shards.unpacked_tokens(self.display(index))

    def displays(self) -> Iterator[NDArray[Any] | None]:
        """All rows as they are shown, see ``display``, in order; None where that is not kept. Opens each file once:
        one by one, instances of large batches take a hundred times as long."""
        start = 0
        for number, rows in zip(self._found.numbers, self._found.rows, strict=True):
            wanted = self.indices[start : start + rows].tolist()
            start += rows
            path = self.directory / shards.display_file(number)
            if not path.exists():
                yield from [None] * rows
                continue
            with safe_open(path, framework="numpy") as opened:
                held = set(opened.keys())
                for index in wanted:
                    yield opened.get_tensor(str(index)) if str(index) in held else None

    def _place(self, index: int) -> tuple[int, int | None]:
        """Shard and position in ``manifest['indices']`` of an instance; position None if it was not asked for."""
        position = int(self._found.planned.of(int(index))[0])
        return (0, None) if position < 0 else (position // self.manifest["shard"], position)


def top_share(logits: Floats) -> Floats:
    """Probability of the most probable class, shape (n,), by softmax, or sigmoid for a single logit.

    NaN where a logit is NaN or +Inf; -Inf is a class ruled out.
    """
    values = logits.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        if values.shape[1] == 1:
            shares: NDArray[Any] = 1 / (1 + np.exp(-np.abs(values[:, 0])))
        else:
            shares = 1 / np.exp(values - values.max(1, keepdims=True)).sum(1)
    return shares.astype(np.float32)
