"""A digest of a data set, so that answers about other data are never taken for answers about these."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from analysis.data import seeds
from analysis.data.digests import feed
from analysis.data.errors import Unreadable
from analysis.data.source import Source
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
                feed(digest, source.read(index), stable)
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
