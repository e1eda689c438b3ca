"""Layers on disk: the description as JSON, a record as safetensors behind its step, wall time and a flag.

Payload of a record: i64 step, f64 wall, u64 flags (bit 0: patch arrays are present), then safetensors bytes. The first
24 bytes answer which steps exist and whose patches apply without decoding an array.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from analysis.errors import ParameterError
from analysis.records import LayerMeta, LayerRecord
from analysis.store import layout

_HEAD = struct.Struct("<qdQ")
_PATCHES = 1
_COUNTS = ("patches", "silent", "nonfinite", "calls")
_ARRAYS = tuple(f.name for f in fields(LayerRecord) if f.name not in ("step", "wall", *_COUNTS))
_PATCH_ARRAYS = ("patch_instances", "patch_positions")
_BRIEF = ("histogram", "maximum", "frequency", "stale_steps")
_MATRICES = ("neighbours", "similarity", "top_labels", "top_tallies")  # shape (F, k); the others of a record (F,)
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1"}
# Figures are as large as these say: a crafted description must not ask for more than a page can hold.
_RANGES = {"filters": (0, 2**31), "order": (-(2**31), 2**53), "bins": (1, 100_000), "parameters": (0, 2**53)}
_EMPTY = np.zeros((0, 0), np.float32)
_DTYPES |= {"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}


@dataclass(frozen=True)
class Entry:
    """Where one layer record lies in its file."""

    step: int
    wall: float
    patches: bool
    offset: int  # of the payload
    length: int  # bytes


def encode_arrays(arrays: dict[str, Any]) -> bytes:
    """Named arrays as safetensors. Raises ParameterError for arrays that are not numeric."""
    plain = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise ParameterError(f"The array {name!r} has the type {array.dtype}.", "Give numbers of at most 64 bits.")
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        # safetensors writes the memory of a strided array as it lies
        plain[name] = array if array.flags.c_contiguous else array.copy(order="C")
    return save(plain)


def decode_arrays(data: bytes | memoryview) -> dict[str, np.ndarray]:
    """Arrays of safetensors bytes. Raises ValueError when they are damaged or claim more than is there."""
    if len(data) < 8 or int.from_bytes(data[:8], "little") > len(data) - 8:
        raise ValueError("the header is longer than the record")
    try:
        return load(bytes(data))
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error


def encode_record(record: LayerRecord) -> bytes:
    """The payload of a layer record."""
    arrays = {name: getattr(record, name) for name in _ARRAYS}
    flags = _PATCHES if np.size(record.patch_instances) else 0
    if not flags:
        for name in _PATCH_ARRAYS:
            del arrays[name]
    arrays["counts"] = np.array([getattr(record, name) for name in _COUNTS], np.int64)
    return _HEAD.pack(int(record.step), float(record.wall), flags) + encode_arrays(arrays)


def pick_arrays(data: bytes | memoryview, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Copies of some arrays of safetensors bytes, several times faster than all of them.

    Raises ValueError when one is missing, damaged or of a type that no record has.
    """
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise ValueError("the header is longer than the record")
    header = layout.parse_json(bytes(data[8 : 8 + size]))
    body = memoryview(data)[8 + size :]
    found = {}
    for name in names:
        try:
            entry = header[name]
            kind, shape, (start, stop) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
            found[name] = np.frombuffer(body[start:stop], kind).reshape(shape).copy()
        except (KeyError, TypeError) as error:
            raise ValueError(f"the array {name} is missing or damaged") from error
    return found


def parse_entry(payload: bytes, offset: int) -> Entry:
    """The head of a record's payload, which begins behind the frame's header. Raises ValueError if it has none."""
    if len(payload) < _HEAD.size:
        raise ValueError("the record is too short")
    step, wall, flags = _HEAD.unpack_from(payload)
    return Entry(step, wall, bool(flags & _PATCHES), offset + 12, len(payload))


def decode_record(payload: bytes) -> LayerRecord:
    """The record of a payload; its patch arrays are empty where they equal the record before.

    Raises ValueError when arrays are missing or malformed.
    """
    step, wall, _ = _HEAD.unpack_from(payload)
    arrays = decode_arrays(memoryview(payload)[_HEAD.size :])
    counts = arrays.pop("counts", None)
    if counts is None or counts.shape != (len(_COUNTS),):
        raise ValueError("counts are missing")
    missing = set(_ARRAYS) - set(_PATCH_ARRAYS) - set(arrays)
    if missing:
        raise ValueError(f"{', '.join(sorted(missing))} missing")
    known = {name: value for name, value in arrays.items() if name in _ARRAYS}
    _check_shapes(known)
    numbers = dict(zip(_COUNTS, map(int, counts), strict=True))
    return LayerRecord(step=step, wall=wall, **known, **numbers)  # type: ignore[arg-type]


def decode_brief(payload: bytes) -> LayerRecord:
    """What a layer's history is made of: counts, histogram, maximum, frequency and staleness; other arrays are empty.

    Raises ValueError when arrays are missing or malformed.
    """
    step, wall, _ = _HEAD.unpack_from(payload)
    arrays = pick_arrays(memoryview(payload)[_HEAD.size :], (*_BRIEF, "counts"))
    counts = arrays.pop("counts")
    if counts.shape != (len(_COUNTS),):
        raise ValueError("counts are missing")
    _check_shapes(arrays)
    numbers = dict(zip(_COUNTS, map(int, counts), strict=True))
    empty = {name: _EMPTY for name in _ARRAYS if name not in (*_BRIEF, *_PATCH_ARRAYS)}
    return LayerRecord(step=step, wall=wall, **arrays, **empty, **numbers)  # type: ignore[arg-type]


def brief(record: LayerRecord) -> LayerRecord:
    """``record`` as ``decode_brief`` would give it."""
    empty: dict[str, Any] = {name: _EMPTY for name in _ARRAYS if name not in _BRIEF}
    return replace(record, **empty)


def _check_shapes(arrays: dict[str, np.ndarray]) -> None:
    """A record may have been made by somebody else: what indexes it must be able to rely on its shapes."""
    filters = len(arrays["maximum"]) if arrays["maximum"].ndim == 1 else -1
    for name, array in arrays.items():
        if name in _PATCH_ARRAYS:
            good = array.ndim in (1, 2)
        elif name == "histogram":
            good = array.ndim == 1
        else:
            good = array.shape[:1] == (filters,) and array.ndim == (2 if name in _MATRICES else 1)
        if not good:
            raise ValueError(f"the array {name} has the shape {array.shape}")


def with_patches(record: LayerRecord, source: LayerRecord) -> LayerRecord:
    """``record`` with the patch arrays of ``source``."""
    return replace(record, patch_instances=source.patch_instances, patch_positions=source.patch_positions)


def encode_meta(number: int, meta: LayerMeta) -> bytes:
    """JSON of a layer's description and the number of its file."""
    return json.dumps(layout.plain({"id": number, **asdict(meta)})).encode()


def parse_meta(payload: bytes, _offset: int) -> tuple[int, LayerMeta]:
    """Number and description of a layer. Raises ValueError, KeyError or TypeError when it is damaged.

    Members this version does not know are skipped; their types decide whether the rest is taken.
    """
    value = layout.parse_json(payload)
    known = {f.name: value[f.name] for f in fields(LayerMeta) if f.name in value}
    known["spatial"] = tuple(int(size) for size in known.get("spatial", ()))
    for name, (least, most) in _RANGES.items():
        if name in known and (not isinstance(known[name], int) or not least <= known[name] <= most):
            raise ValueError(f"{name} is not a count")
    for name in ("name", "kind", "type", "rectifier", "read_after"):
        if not isinstance(known.get(name, ""), str):
            raise ValueError(f"{name} is not text")
    for name in ("beta", "theta"):
        known[name] = layout.number(known.get(name), 0.5 if name == "beta" else 0.8)
    return parse_id(value), LayerMeta(**known)


def parse_id(value: dict[str, Any]) -> int:
    """The number of a tag's or layer's file. Raises ValueError when it is none."""
    number = value["id"]
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 10**9:
        raise ValueError("the id is not a number")
    return number
