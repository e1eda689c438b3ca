"""The files of an extraction: a manifest, then one shard of statistics for every few instances. No torch.

    manifest.json             what was asked for: instances, layers, sizes; written before anything else
    shard-00007.safetensors   statistics of the instances 7 * shard ... of the manifest's ``indices``
    display-00007.safetensors the same instances as they are shown, one array each, named by the index in the data set
    full-00007-02.safetensors activations of a shard's third batch, if they were asked for
    tries                     which shards were begun and not finished; gone in the end
    failed-00007.json         why a shard was given up

A file appears in one step, under its name only when it is whole. The same arrays give the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.layerinfo import LayerInfo
from analysis.store.layout import read_json

VERSION = 2  # raised when the files, or what they say, change; part of every key of an extraction and its answers
MANIFEST, TRIES = "manifest.json", "tries"
_NAME = re.compile(r"(shard|display|failed)-(\d{5,9})\.(?:safetensors|json)", re.ASCII)
_OURS = re.compile(r"manifest\.json|tries|(?:shard|display|full|failed)-[\d-]+\.(?:safetensors|json)", re.ASCII)
_PIECES = 512  # a call; systems take 1,024
_LEFT = re.compile(r"\..+\.\d+\.tmp", re.ASCII)  # by a writer that was killed
_DTYPES = {"<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64", "<i4": "I32", "<i2": "I16"}
_DTYPES |= {"|i1": "I8", "|u1": "U8", "|b1": "BOOL"}


def shard_file(number: int) -> str:
    """Name of the file with a shard's statistics."""
    return f"shard-{number:05d}.safetensors"


def display_file(number: int) -> str:
    """Name of the file with a shard's instances."""
    return f"display-{number:05d}.safetensors"


def full_file(number: int, batch: int) -> str:
    """Name of the file with the activations of a shard's batch, from 0."""
    return f"full-{number:05d}-{batch:02d}.safetensors"


def failed_file(number: int) -> str:
    """Name of the file that says why a shard was given up."""
    return f"failed-{number:05d}.json"


def parts(indices: Sequence[int], shard: int) -> list[Sequence[int]]:
    """The indices of every shard: which instances are in it depends on their position only."""
    return [indices[start : start + shard] for start in range(0, len(indices), shard)]


def make_manifest(
    *,
    indices: Iterable[int],
    layers: Iterable[LayerInfo],
    class_names: Sequence[str],
    kind: str,
    shard: int = 64,
    batch_size: int = 32,
    left_out: Iterable[LayerInfo] = (),
    **more: Any,
) -> dict[str, Any]:
    """What an extraction is of.

    Args:
        indices: instances, by their place in the data set, in the order of the rows.
        layers: those extracted. left_out: those that cannot be, each with its ``reason``.
        class_names, kind: of the subject. shard: instances a shard. batch_size: instances a batch, at most.
        more: anything else that is JSON.

    Returns:
        a plain dictionary; 'id' is a digest of all the others.
    """
    value = {
        "version": VERSION,
        "indices": [int(index) for index in indices],
        "layers": [info.to_json() for info in layers],
        "left_out": [info.to_json() for info in left_out],
        "class_names": [str(name) for name in class_names],
        "kind": kind,
        "shard": int(shard),
        "batch_size": int(batch_size),
        **more,
    }
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return {**value, "id": hashlib.sha256(text.encode()).hexdigest()[:16]}


def write_manifest(directory: Path, value: Mapping[str, Any]) -> None:
    """Write the manifest into a directory, which is made if need be. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / MANIFEST, [json.dumps(value, allow_nan=False).encode()])


def read_manifest(directory: Path) -> dict[str, Any] | None:
    """The manifest of a directory; None if there is none that can be read, or another version's."""
    try:
        value = read_json(directory / MANIFEST)
    except (OSError, ValueError):
        return None
    return value if value.get("version") == VERSION else None


def write_shard(
    directory: Path,
    number: int,
    arrays: Mapping[str, NDArray[Any]],
    *,
    skipped: Sequence[tuple[int, str]] = (),
    unreached: Mapping[str, int] | None = None,
) -> None:
    """Write the statistics of a shard, of m instances that could be read.

    Args:
        arrays: 'index', 'label' (m,) int64; 'logits' (m, C), 'loss' (m,) float32; for each layer 'max/KEY' (m, F)
            float32; if it has positions 'mean/KEY' (m, F) float32 and 'where/KEY' (m, F) int32 (without, the mean is
            the maximum); if they are padded 'length/KEY' (m,) int32.
        skipped: instances that could not be read, with the reason.
        unreached: number of rows without a value, by layer; those rows are NaN.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    facts = {"skipped": [[int(index), str(reason)] for index, reason in skipped], "unreached": dict(unreached or {})}
    write_tensors(directory / shard_file(number), arrays, facts)


def write_display(directory: Path, number: int, instances: Mapping[int, NDArray[Any]]) -> None:
    """Write the instances of a shard as they are shown, by index. Tokens go in through ``packed_tokens``."""
    write_tensors(directory / display_file(number), {str(index): array for index, array in instances.items()})


def packed_tokens(tokens: Sequence[str]) -> NDArray[np.uint8]:
    """Tokens as an array: the bytes of their JSON."""
    return np.frombuffer(json.dumps([str(token) for token in tokens]).encode(), np.uint8)


def unpacked_tokens(array: NDArray[np.uint8]) -> list[str]:
    """The tokens that ``packed_tokens`` was given."""
    return [str(token) for token in json.loads(array.tobytes())]


def write_failure(directory: Path, number: int, value: Mapping[str, Any]) -> None:
    """Note that a shard is given up, and why."""
    _write(directory / failed_file(number), [json.dumps(value, allow_nan=False).encode()])


def present(directory: Path) -> dict[str, list[int]]:
    """Numbers of the shards that have a file of each sort: 'shard', 'display', 'failed', in order."""
    found: dict[str, list[int]] = {"shard": [], "display": [], "failed": []}
    with contextlib.suppress(FileNotFoundError):
        for path in directory.iterdir():
            match = _NAME.fullmatch(path.name)
            if match:
                found[match[1]].append(int(match[2]))
    return {sort: sorted(numbers) for sort, numbers in found.items()}


def begin(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Make a directory ready for an extraction: its finished shards stay if it was of the same, else it is emptied of
    all files of ours. Raises OSError."""
    held = read_manifest(directory)
    same = held is not None and held.get("id") == manifest["id"]
    with contextlib.suppress(FileNotFoundError):
        # The manifest goes first: without it, nothing else counts.
        for path in sorted(directory.iterdir(), key=lambda path: path.name != MANIFEST):
            if _LEFT.fullmatch(path.name) or (not same and _OURS.fullmatch(path.name)):
                path.unlink(missing_ok=True)
    if not same:
        write_manifest(directory, manifest)


def forget_failures(directory: Path) -> None:
    """Shards that were given up will be tried again."""
    for number in present(directory)["failed"]:
        (directory / failed_file(number)).unlink(missing_ok=True)


def write_tensors(path: Path, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any] | None = None) -> None:
    """Write a safetensors file in one step. Unlike the package's own writer it copies nothing, and the same arrays and
    facts always give the same bytes: the package keeps metadata in the order of a randomised hash.

    Args:
        facts: JSON, kept under the metadata key 'cutaway'.

    Source:
        https://github.com/huggingface/safetensors#format
    """
    # In the order of the package: wide types first, which keeps every array aligned; then by name.
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, Any] = {} if facts is None else {"__metadata__": {"cutaway": json.dumps(facts, sort_keys=True)}}
    offset = 0
    for name in order:
        array = arrays[name]
        header[name] = {"dtype": _DTYPES[array.dtype.str], "shape": list(array.shape)}
        header[name]["data_offsets"] = [offset, offset + array.nbytes]
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    _write(path, [len(text).to_bytes(8, "little"), text, *(np.ascontiguousarray(arrays[name]).data for name in order)])


def _flat(piece: Any) -> memoryview:
    view = memoryview(piece)
    return view.cast("B") if view.nbytes else memoryview(b"")


def _write_all(file: int, views: list[memoryview]) -> None:
    """Write many pieces in few calls of the system."""
    while views:
        written = os.writev(file, views[:_PIECES])
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]


class Stream:
    """A safetensors file whose arrays are not known beforehand: they go to the disk one by one, the header at last.

    A context manager; the file appears if nothing was raised. names: those that may come, none twice.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path, self._temporary = path, _temporary(path)
        # Room for the longest entry of each: its dtype, up to eight sizes, two offsets.
        self._room = 8 * (2 + sum(len(json.dumps(name)) + 320 for name in names) // 8)
        self._header: dict[str, Any] = {}
        self._offset = 0

    def __enter__(self) -> Stream:
        self._file = self._temporary.open("wb")
        self._file.write(self._room.to_bytes(8, "little") + b" " * self._room)
        return self

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Write an array. Raises OSError."""
        end = self._offset + array.nbytes
        header = {"dtype": _DTYPES[array.dtype.str], "shape": list(array.shape), "data_offsets": [self._offset, end]}
        self._header[name] = header
        self._offset = end
        if array.size:
            self._file.write(np.ascontiguousarray(array).data)

    def __exit__(self, kind: Any, *error: Any) -> None:
        try:
            if kind is None:
                text = json.dumps(self._header, separators=(",", ":")).encode()
                self._file.seek(8)
                self._file.write(text.ljust(self._room))
            self._file.close()
            if kind is None:
                self._temporary.replace(self._path)
        finally:
            self._file.close()
            self._temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _write(path: Path, pieces: Iterable[Any]) -> None:
    temporary = _temporary(path)
    try:
        with temporary.open("wb", buffering=0) as file:
            _write_all(file.fileno(), [view for view in map(_flat, pieces) if len(view)])
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
