"""A digest of a data set, so that answers about other data are never taken for answers about these."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.data import seeds
from analysis.data.errors import Unreadable
from analysis.data.source import Source
from analysis.data.tensors import is_picture
from analysis.data.unpack import is_mapping

ALL_READ = 2_000  # instances that are all read, wherever they come from
ALL_HELD = 100_000  # those that lie in memory anyway
ALL_BYTES = 256 * 2**20
SPACED = 256  # instances that are read of larger data sets

Progress = Callable[..., None]


@dataclass(frozen=True)
class Fingerprint:
    """digest: 64 hexadecimal digits. whole: every instance went into it. how: in words."""

    digest: str
    whole: bool
    how: str


def fingerprint(
    source: Source, *, stable: bool = True, labels: Any = None, progress: Progress | None = None
) -> Fingerprint:
    """Digest of a data set: of all instances of a small one, of evenly spaced ones otherwise; of all labels if known.

    Args:
        stable: whether an instance is the same at every reading; otherwise contents are left out, shapes are not.
        labels: class numbers of all instances, (n,), where they cost nothing.
    """
    digest = hashlib.sha256(f"{source.n}".encode())
    if labels is not None:
        digest.update(np.ascontiguousarray(labels).tobytes())
    chosen = _chosen(source, stable)
    with seeds.random_states_kept():
        for done, index in enumerate(chosen):
            digest.update(index.to_bytes(8, "little"))
            try:
                _feed(digest, source.read(index), stable)
            except Unreadable as error:
                digest.update(f"unreadable {str(error).split(':')[0]}".encode())
            if progress is not None and done % 64 == 0:
                progress(done, len(chosen), "instances", "Reading the data's fingerprint")
    whole = len(chosen) == source.n
    what = f"all {source.n:,} instances" if whole else f"{len(chosen):,} evenly spaced instances of {source.n:,}"
    how = f"computed from {what}" + ("" if labels is None or whole else " and all labels")
    return Fingerprint(digest.hexdigest(), whole and stable, how if stable else f"{how}, without their random contents")


def _chosen(source: Source, stable: bool) -> list[int]:
    n = source.n
    limit = ALL_READ
    if source.in_memory and stable and n > limit:
        with seeds.random_states_kept():
            try:
                limit = min(ALL_HELD, ALL_BYTES // max(_size(source.read(0)), 1))
            except Unreadable:
                limit = ALL_READ
    if n <= limit:
        return list(range(n))
    chosen: list[int] = np.unique(np.linspace(0, n - 1, SPACED).astype(int)).tolist()
    return chosen


def _size(item: Any) -> int:
    if isinstance(item, Tensor):
        return item.numel() * item.element_size()
    if isinstance(item, np.ndarray):
        return item.nbytes
    if is_mapping(item):
        return sum(_size(item[key]) for key in item.keys())  # noqa: SIM118 (not always a dict)
    return sum(map(_size, item)) if isinstance(item, (tuple, list)) else 8


def _feed(digest: Any, item: Any, contents: bool) -> None:
    """Add an item, whatever it is made of."""
    if isinstance(item, Tensor):
        item = item.detach().cpu()
        digest.update(f"tensor {item.dtype} {tuple(item.shape)}".encode())
        if contents and not item.is_sparse:
            flat = item.contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    elif isinstance(item, np.ndarray) and item.dtype.kind in "biufcSU":
        digest.update(f"array {item.dtype} {item.shape}".encode())
        digest.update(item.tobytes() if contents else b"")
    elif is_picture(item):
        digest.update(f"picture {item.mode} {item.size}".encode())
        digest.update(item.tobytes() if contents else b"")
    elif is_mapping(item):
        for key in item.keys():  # noqa: SIM118 (not always a dict)
            digest.update(str(key).encode())
            _feed(digest, item[key], contents)
    elif isinstance(item, (tuple, list)):
        digest.update(f"{len(item)} parts".encode())
        for part in item:
            _feed(digest, part, contents)
    elif isinstance(item, (str, bytes, int, float, bool, np.number, type(None))):
        digest.update(repr(item).encode() if contents else type(item).__name__.encode())
    elif hasattr(item, "__dict__"):
        _feed(digest, dict(vars(item)), contents)
    else:
        digest.update(type(item).__name__.encode())
