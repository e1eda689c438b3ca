"""Many masked versions of instances, and the model's score of each, in passes of a size that suits the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.features import Features
from analysis.attribution.method import Told
from analysis.attribution.parameters import Parameter

# Numbers that layers yield in one pass: about where small networks stop gaining from more rows (64 rows of a LeNet).
AT_ONCE = {"cpu": 1 << 20, "cuda": 1 << 26}
FEWEST, MOST = 8, 512  # rows in one pass; fewer only if eight would yield more than LARGEST numbers
LARGEST = 1 << 28

PER_EVAL = Parameter(
    "perturbations_per_eval", "int", 0, "Rows in one pass of the model; 0: as many as suit its size.", 0, 4096
)


@dataclass(frozen=True)
class Masks:
    """Masks of one instance. keep: ``keep(start, stop)`` yields masks start..stop-1: (r, ...), broadcastable to r
    inputs: bool, True where the input stays and False where the baseline comes in; or float shares of the input."""

    row: int
    count: int
    keep: Callable[[int, int], Tensor]


class Players:
    """The features of one instance that differ from its baseline. The others change nothing: their value is 0.

    Attributes:
        features: all. live: numbers of those that differ, int64. count: of these. column: which of these each value
        belongs to, as ``features.groups``; ``count`` where none.
    """

    def __init__(self, case: Case, row: int, base: Tensor, features: Features) -> None:
        self.row, self.features = row, features
        self._shape = tuple(case.inputs.shape[1:])
        self._even = case.kind == "text"  # values of a text are summed over each token's vector
        differs = (case.inputs[row] != base[row]).cpu().numpy()
        groups = features.groups.numpy()
        whole = tuple(axis for axis, size in enumerate(groups.shape) if size == 1 < self._shape[axis])
        if whole:  # far fewer to look at
            differs = np.any(differs, axis=whole, keepdims=True)
        touched = np.zeros(features.count + 1, bool)  # the last is of values in no group, -1
        touched[(groups if groups.shape == differs.shape else np.broadcast_to(groups, differs.shape))[differs]] = True
        self.live: NDArray[np.int64] = touched[:-1].nonzero()[0]
        self.count = len(self.live)
        place = np.full(features.count + 1, self.count)  # values in no group stay
        place[self.live] = np.arange(self.count)
        self.column = torch.from_numpy(place[groups]).to(case.inputs.device)

    def masks(self, keep: NDArray[Any]) -> Masks:
        """Versions of the instance. keep: (k, count), bool or shares, of the features that differ."""
        whole = torch.cat([torch.from_numpy(keep), torch.ones(len(keep), 1, dtype=_torch_type(keep))], 1)
        return Masks(self.row, len(keep), lambda start, stop: whole[start:stop].to(self.column.device)[:, self.column])

    def laid(self, values: NDArray[np.float64], *, even: bool = False) -> Tensor:
        """A value for each feature that differs (count,) as values of the input (*inputs.shape[1:]), float32.

        even: shared out among the numbers of a feature, so that they add up to its value, as always done for texts,
        whose values are summed over each token's vector; else at each of its numbers, with 1 along axes that features
        have whole.
        """
        if not (even or self._even):
            return self._spread_out(values)
        return self._spread_out(values / self._sizes).expand(self._shape)

    def laid_errors(self, errors: NDArray[np.float64], *, even: bool = False) -> Tensor:
        """Standard errors in the form of ``laid``. Those of a token's vector are such that their squares add up to that
        of the token, as whoever sums a vector up takes its numbers to be independent."""
        if not self._even:
            return self.laid(errors, even=even)
        return self._spread_out(errors / np.sqrt(self._sizes)).expand(self._shape)

    @property
    def _sizes(self) -> NDArray[np.int64]:
        """Numbers of each feature that differs, (count,)."""
        sizes: NDArray[np.int64] = self.features.sizes(self._shape).numpy()[self.live]
        return sizes

    def _spread_out(self, values: NDArray[np.float64]) -> Tensor:
        every = np.zeros(self.count + 1, np.float32)
        every[:-1] = values
        return torch.from_numpy(every[self.column.cpu().numpy()])

    @property
    def note(self) -> str:
        """What was masked, in words."""
        same = self.features.count - self.count
        return f"{self.features.count:,} {self.features.what}" + (
            f", of which {same:,} equal the baseline and count 0" if same else ""
        )


class Engine:
    """Scores of masked versions.

    Args:
        case: an open one. base: baselines, the shape of ``case.inputs``. rows: of one pass, 0 for as many as suit.
        told: of each pass. title: what is being done.

    Attributes: done: versions so far. total: expected, for the progress.
    """

    def __init__(self, case: Case, base: Tensor, rows: int = 0, told: Told | None = None, title: str = "") -> None:
        self.case, self.base = case, base
        self.rows = rows or case.at_most(suitable_rows(case))
        self._told, self._title = told or (lambda *_told: None), title
        self.done, self.total = 0, 0

    def scores(self, wanted: Sequence[Masks]) -> list[NDArray[np.float64]]:
        """The score of every version, float64 (count,) for each of ``wanted``; passes are shared by several instances.

        Raises:
            AttributionError: a score is NaN or infinite.
        """
        self.total = max(self.total, self.done + sum(one.count for one in wanted))
        flat = self.of_passes(self._mixed(pieces) for pieces in _passes(wanted, self.rows))
        return list(np.split(flat, np.cumsum([one.count for one in wanted])[:-1]))

    def of_passes(self, passes: Iterable[tuple[Tensor, Tensor]]) -> NDArray[np.float64]:
        """The scores of versions (r, ...) and of which instances they are (r,), of all passes, float64.

        Raises:
            AttributionError: a score is NaN or infinite.
        """
        parts = []
        for x, rows in passes:
            self._told(self.done, self.total, "passes of one instance", self._title)
            with torch.no_grad():
                parts.append(self.case.score(x, rows).double().cpu().numpy())
            self.done += len(x)
        flat = np.concatenate(parts) if parts else np.zeros(0)
        if not np.isfinite(flat).all():
            raise AttributionError(
                f"The score is NaN or infinite for {int((~np.isfinite(flat)).sum()):,} of {len(flat):,} versions of "
                "the instance in which parts are replaced by the baseline.",
                "Choose another baseline.",
            )
        return flat

    def falls(self, wanted: Sequence[Masks]) -> list[NDArray[np.float64]]:
        """Score of the instance minus that of each version, as ``scores``; one for each instance, in their order."""
        whole = [Masks(one.row, 1, lambda _start, _stop: self._everything) for one in wanted]
        found = self.scores([*wanted, *whole])
        return [full - part for part, full in zip(found, found[len(wanted) :], strict=False)]

    @property
    def _everything(self) -> Tensor:
        return torch.ones([1] * self.case.inputs.dim(), dtype=torch.bool, device=self.case.inputs.device)

    def _mixed(self, pieces: list[tuple[Masks, int, int]]) -> tuple[Tensor, Tensor]:
        if len(pieces) == 1:
            [(one, start, stop)] = pieces
            return self._masked(one, start, stop), torch.full((stop - start,), one.row)
        x = torch.cat([self._masked(*piece) for piece in pieces])
        return x, torch.cat([torch.full((stop - start,), one.row) for one, start, stop in pieces])

    def _masked(self, masks: Masks, start: int, stop: int) -> Tensor:
        keep = masks.keep(start, stop)
        x, base = self.case.inputs[masks.row][None], self.base[masks.row][None]
        mixed = torch.where(keep, x, base) if keep.dtype == torch.bool else torch.lerp(base, x, keep.to(x.dtype))
        return mixed.expand(stop - start, *x.shape[1:])


def suitable_rows(case: Case) -> int:
    """Rows in one pass: by what the layers yield for one instance, so that the same model always gets the same."""
    layers = sum(info.filters * int(np.prod(info.spatial)) for info in case.session.layers)
    each = max(layers, case.inputs[0].numel(), 1)
    at_once = AT_ONCE["cuda" if case.inputs.device.type == "cuda" else "cpu"]
    rows = min(max(at_once // each, FEWEST), MOST)
    return max(min(1 << (rows.bit_length() - 1), LARGEST // each), 1)


def _passes(wanted: Sequence[Masks], rows: int) -> Iterator[list[tuple[Masks, int, int]]]:
    """(masks, start, stop) of each pass, ``rows`` versions in all but the last."""
    pieces: list[tuple[Masks, int, int]] = []
    room = rows
    for one in wanted:
        start = 0
        while start < one.count:
            stop = min(one.count, start + room)
            pieces.append((one, start, stop))
            room -= stop - start
            start = stop
            if room == 0:
                yield pieces
                pieces, room = [], rows
    if pieces:
        yield pieces


def _torch_type(array: NDArray[Any]) -> torch.dtype:
    return torch.bool if array.dtype == np.bool_ else torch.float32 if array.dtype == np.float32 else torch.float64
