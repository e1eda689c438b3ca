"""How far methods agree on one instance: rank correlations between their maps. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.attribution.ranks import pooled, spearman, tied

# Values along each axis of places that are compared, at most; and where one of the two maps is coarse, such as Grad-CAM
# or superpixels: finer differences would be those of the resolution.
FINE, COARSE = {1: 128, 2: 28}, {1: 16, 2: 7}
SMALL = 0.02  # of the largest size in a map: where one place decides, the order of the others is that of noise
RULE = (
    f"Values below {100 * SMALL:g} % of the largest in their map count as 0 and so as tied: where one place decides, "
    "maps agree if it is the same one, whatever the noise elsewhere."
)
COMPARED = ("input",)  # forms of results that lie on the input; filters and attention maps do not


@dataclass(frozen=True)
class Agreement:
    """Between k maps. sizes: Spearman's correlation of absolute values, signed: of the values themselves, (k, k), NaN
    where undefined (a constant map, a form that is not compared). values: how many were compared, (k, k)."""

    sizes: NDArray[np.float64]
    signed: NDArray[np.float64]
    values: NDArray[np.int64]

    def mean_of(self, at: int) -> float | None:
        """Mean correlation of sizes of a map with the others; None where there is none."""
        others = np.delete(self.sizes[at], at)
        defined = others[np.isfinite(others)]
        return float(defined.mean()) if len(defined) else None


def compared(
    arrays: Sequence[NDArray[np.floating] | None],
    coarse: Sequence[bool] | None = None,
    forms: Sequence[str] | None = None,
    kind: str = "",
) -> Agreement:
    """Compare maps of one instance.

    Args:
        arrays: each as ``Case.natural`` has it: image (C, H, W) or (1, H, W), series (channels, steps) or (1, steps),
            text (tokens,), table (columns,); None for one that is not there. coarse: whether each is. forms: of each.
            kind: of the data; '' to tell it from the number of axes.

    Channels of a picture are added up (their sizes, for sizes); those of a series only where the other map has none.
    Both maps are brought to blocks of one size, means within them. Values below ``SMALL`` of the largest of these count
    as 0, so that the order of what is next to nothing does not decide. Maps whose places differ are not compared.
    """
    count = len(arrays)
    known = [
        np.asarray(array, np.float64) if array is not None and (forms is None or forms[at] in COMPARED) else None
        for at, array in enumerate(arrays)
    ]
    rough = list(coarse) if coarse is not None else [False] * count
    sizes, signed = np.full((count, count), np.nan), np.full((count, count), np.nan)
    values = np.zeros((count, count), np.int64)
    for at in range(count):
        for other in range(at, count):
            one, two = known[at], known[other]
            if one is None or two is None or one.shape[-1:] != two.shape[-1:] or one.ndim != two.ndim:
                continue
            most = COARSE if rough[at] or rough[other] else FINE
            pair = _pair(np.abs(one), np.abs(two), most, kind), _pair(one, two, most, kind)
            if pair[0] is None or pair[1] is None:
                continue
            values[at, other] = values[other, at] = pair[0][0].size
            for matrix, (a, b) in zip((sizes, signed), (pair[0], pair[1]), strict=True):
                found = spearman(tied(a, SMALL), tied(b, SMALL))
                if found is not None:
                    matrix[at, other] = matrix[other, at] = found
    return Agreement(sizes, signed, values)


def rank_correlations(
    arrays: Sequence[NDArray[np.floating] | None], coarse: Sequence[bool] | None = None, *, signed: bool = False
) -> NDArray[np.float64]:
    """Spearman's correlation between maps of one instance, (k, k), NaN where undefined: of their sizes, or of the
    values with their sign. See ``compared``."""
    found = compared(arrays, coarse)
    return found.signed if signed else found.sizes


def _pair(
    one: NDArray[np.float64], two: NDArray[np.float64], most: dict[int, int], kind: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Both at one resolution; None where their places differ."""
    if one.ndim == 3 or kind == "image":  # (C, H, W)
        one, two = one.sum(0), two.sum(0)
        axes: tuple[int, ...] = (0, 1)
    elif one.ndim == 2:  # (channels, steps)
        if one.shape[0] != two.shape[0]:
            one, two = one.sum(0, keepdims=True), two.sum(0, keepdims=True)
        axes = (1,)
    else:
        axes = ()
    if one.shape != two.shape:
        return None
    if axes:
        one, two = pooled(one, most[len(axes)], axes), pooled(two, most[len(axes)], axes)
    return one, two
