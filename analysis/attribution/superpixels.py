"""Superpixels: a picture cut into connected regions of similar colour. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

PIXELS = 1 << 14  # more are thinned out before clustering
MOST = 1000  # regions
PAIRS = 1 << 21  # of pixels and regions that are compared at once, which bounds memory
COMPACTNESS = 0.1  # difference of colour, of 1 from black to white, that counts as much as one region's width
ROUNDS = 10  # of clustering: Achanta et al. found no change after ten
SMALLEST = 0.25  # smaller pieces, as shares of the mean, join a neighbour
FAR = 1e3
KEPT = 8  # pictures as they were cut: several methods cut the same
_recent: dict[tuple[bytes, tuple[int, ...], int], NDArray[np.int64]] = {}


def superpixels(picture: NDArray[np.float32], count: int, told: Callable[[], None] = lambda: None) -> NDArray[np.int64]:
    """Number of each pixel's region, int64 (H, W), from 0 in reading order; the same for the same picture.

    Clusters of place and colour, each searched for near its centre only, then cut into connected pieces: SLIC
    (Achanta et al., 'SLIC Superpixels', PAMI 2012, equation 3), in the colours that are shown instead of CIELAB.

    Args:
        picture: (H, W, colours), from 0 to 1. count: regions at most; more than MOST are MOST. told: called now and
            then; what it raises ends the work.
    """
    picture, count = np.ascontiguousarray(picture, np.float32), min(count, MOST)
    key = hashlib.sha256(picture.tobytes()).digest(), picture.shape, count
    labels = _recent.get(key)
    if labels is None:
        labels = _cut(picture, count, told)
        _recent[key] = labels
        while len(_recent) > KEPT:
            _recent.pop(next(iter(_recent)), None)
    return labels.copy()


def _cut(picture: NDArray[np.float32], count: int, told: Callable[[], None]) -> NDArray[np.int64]:
    height, width = picture.shape[:2]
    step = int(np.ceil(np.sqrt(height * width / PIXELS)))
    labels = _connected(_clustered(picture[::step, ::step], count, told), count)
    return in_order(labels.repeat(step, 0).repeat(step, 1)[:height, :width])


def grid(height: int, width: int, count: int) -> NDArray[np.int64]:
    """Number of each pixel's cell in a grid of about ``count`` cells, int64 (H, W)."""
    rows, columns = cells(height, width, count)
    y, x = np.arange(height) * rows // height, np.arange(width) * columns // width
    return np.asarray(y[:, None] * columns + x, np.int64)


def cells(height: int, width: int, count: int) -> tuple[int, int]:
    """Rows and columns of a grid whose cells are as square as can be."""
    rows = min(max(round((count * height / max(width, 1)) ** 0.5), 1), height)
    return rows, min(max(round(count / rows), 1), width)


def in_order(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same regions, numbered from 0 in the order in which they are met."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return order[inverse].reshape(labels.shape)


def _clustered(picture: NDArray[np.float32], count: int, told: Callable[[], None]) -> NDArray[np.int64]:
    height, width, colours = picture.shape
    labels = grid(height, width, count).ravel()
    number = int(labels.max()) + 1
    side = np.sqrt(height * width / number)
    y, x = np.mgrid[:height, :width].reshape(2, -1) / side
    points = np.column_stack([y, x, picture.reshape(-1, colours) / COMPACTNESS]).astype(np.float32)
    rows = max(1, PAIRS // number)
    for _ in range(ROUNDS):
        sizes = np.bincount(labels, minlength=number)
        sums = np.stack([np.bincount(labels, column, number) for column in points.T], 1)
        centres = (sums / np.maximum(sizes, 1)[:, None]).astype(np.float32)
        before, labels = labels, np.empty_like(labels)
        for start in range(0, len(points), rows):
            told()
            labels[start : start + rows] = _nearest(points[start : start + rows], centres, sizes)
        if np.array_equal(before, labels):
            break
    return labels.reshape(height, width)


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The cluster of each point (p, 2 + colours): of those near it, the nearest."""
    distance = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)
    place = [(points[:, axis, None] - centres[:, axis]) ** 2 for axis in (0, 1)]
    distance += FAR * (np.maximum(*place) > 1) * (place[0] + place[1])
    distance[:, sizes == 0] = np.inf
    return np.asarray(distance.argmin(1), np.int64)


def _connected(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    number = np.arange(labels.size).reshape(labels.shape)
    across, down = labels[:, 1:] == labels[:, :-1], labels[1:] == labels[:-1]
    left = np.concatenate([number[:, :-1][across], number[:-1][down]])
    right = np.concatenate([number[:, 1:][across], number[1:][down]])
    edges = sparse.coo_array((np.ones(len(left), np.int8), (left, right)), shape=(labels.size, labels.size))
    pieces = csgraph.connected_components(edges, directed=False)[1].reshape(labels.shape)
    sizes = np.bincount(pieces.ravel())
    kept = np.zeros(len(sizes), bool)
    kept[np.argsort(-sizes, kind="stable")[:count]] = True
    kept &= sizes >= min(SMALLEST * labels.size / count, sizes.max())
    loose = ~kept[pieces]
    nearest = ndimage.distance_transform_edt(loose, return_distances=False, return_indices=True)
    return np.asarray(pieces[tuple(nearest)], np.int64)
