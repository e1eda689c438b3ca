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
    numbers = dict(zip(_COUNTS, map(int, counts), strict=True))
    return LayerRecord(step=step, wall=wall, **known, **numbers)  # type: ignore[arg-type]


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
    for name in ("filters", "order", "bins", "parameters"):
        if name in known and (not isinstance(known[name], int) or not -(2**31) < known[name] < 2**53):
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
