"""The features that perturbation methods switch on and off: regions, tokens, spans, columns of one instance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution.case import Case
from analysis.attribution.parameters import Parameter
from analysis.attribution.superpixels import MOST, grid, in_order, superpixels
from analysis.data.errors import SubjectError
from analysis.data.tokens import decoder_of, numbered

REGIONS = 49  # of a picture, at most, by default
PIXELS_EACH = 4  # by default, at least, in regions of small pictures
SPANS = 64  # of a series, all channels together, at most, by default
FEWEST_SPANS = 4  # of one channel

SEGMENTS = Parameter(
    "segments", "int", 0, "Parts that a picture or a channel is cut into; 0: as many as fit its size.", 0, MOST
)
FEATURE_MASK = Parameter(
    "feature_mask",
    "choice",
    "superpixels",
    "How a picture is cut: into superpixels, which follow its edges, or into a grid.",
    choices=("superpixels", "grid"),
)
CHANNELS = Parameter(
    "channels",
    "choice",
    "each",
    "Whether each channel of a series is cut for itself, or all of them together.",
    choices=("each", "all"),
)
PARAMETERS = (SEGMENTS, FEATURE_MASK, CHANNELS)
OF_KIND = {"image": ("segments", "feature_mask"), "series": ("segments", "channels"), "text": (), "table": ()}


@dataclass(frozen=True)
class Features:
    """groups: number of the feature that each value belongs to, int64 on the CPU, broadcastable to one input
    (*inputs.shape[1:]); -1 where it belongs to none (padding, tokens of the tokenizer's own). count: of features, of
    which each has a value. what: what they are, plural. naming: yields each in words, see ``names``."""

    groups: Tensor
    count: int
    what: str
    naming: Callable[[], Iterable[str]] = field(repr=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Each feature in words, (count,)."""
        return tuple(self.naming())

    def laid(self, values: Tensor) -> Tensor:
        """A value for each feature (count,) at all of its numbers, of the shape of ``groups``; 0 outside features."""
        return torch.cat([values, values.new_zeros(1)])[self.groups]

    def sizes(self, shape: Sequence[int]) -> Tensor:
        """How many numbers of an input of this shape each feature has, int64 (count,)."""
        times = prod(shape) // max(self.groups.numel(), 1)  # each group has axes along which it is one as a whole
        return torch.from_numpy(np.bincount(self.groups.numpy().ravel() + 1, minlength=self.count + 1)[1:] * times)


def groups(
    case: Case,
    row: int = 0,
    *,
    segments: int = 0,
    feature_mask: str = "superpixels",
    channels: str = "each",
    told: Callable[[], None] = lambda: None,
) -> Features:
    """The features of one instance.

    Args:
        segments: parts of a picture or of each channel, 0 for a default. feature_mask: 'superpixels' or 'grid'.
        channels: of series, 'each' or 'all'. told: called now and then; what it raises ends the work.
    """
    if case.kind == "text":
        return _tokens(case, row)
    if case.kind == "series":
        return _spans(case, row, segments, channels)
    if case.kind == "image":
        return _regions(case, row, segments, feature_mask, told)
    shape = tuple(case.inputs.shape[1:])
    count = int(np.prod(shape))
    return Features(torch.arange(count).reshape(shape), count, "columns", lambda: (f"column {n}" for n in range(count)))


def fitting(structure: Any, given: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Those of a method's parameters that mean something for the structure's kind of instances."""
    wanted = OF_KIND.get(structure.kind)
    ours = {parameter.name for parameter in PARAMETERS}
    return tuple(one for one in given if wanted is None or one.name not in ours or one.name in wanted)


def steps_of(case: Case, row: int) -> int:
    """Steps or tokens of an instance of one axis of places, without padding."""
    size = int(case.inputs.shape[case.places[0]])
    return size if case.lengths is None else min(max(int(case.lengths[row]), 1), size)


def _tokens(case: Case, row: int) -> Features:
    ids: list[int] = case.batch.principal[row].tolist()
    seen, places = case.valid(), range(len(ids))
    valid: Sequence[int] = places
    if seen.numel() > 1:
        valid = seen.expand(len(case), len(ids), 1)[row, :, 0].nonzero()[:, 0].tolist()
    decode = case.session.subject.decode
    own = _special(decode) | {case.session.instances.pad_id}  # padding may come first
    chosen = [at for at in valid if ids[at] not in own] or list(valid)
    placed = np.full((case.inputs.shape[1], 1), -1)
    placed[chosen, 0] = places[: len(chosen)]

    def naming() -> Iterable[str]:
        decoder = decoder_of(decode)
        tokens = decoder(ids) if decoder else numbered(ids)
        return (f"token {at}, {tokens[at]!r}" for at in chosen)

    return Features(torch.from_numpy(placed), len(chosen), "tokens", naming)


def _special(decode: Any) -> set[int]:
    """Ids that a tokenizer adds by itself ([CLS], [SEP]); its id of unknown words stands for a word, and is none."""
    found = getattr(decode, "all_special_ids", None)
    if not isinstance(found, (list, tuple, set)):
        return set()
    return {int(number) for number in found} - {getattr(decode, "unk_token_id", None)}


def _spans(case: Case, row: int, segments: int, channels: str) -> Features:
    axis = case.places[0] - 1
    shape = case.inputs.shape[1:]
    length = steps_of(case, row)
    number = int(shape[case.channels - 1]) if case.channels is not None else 1
    single = channels == "all" or number == 1
    count = segments or max(SPANS // (1 if single else number), FEWEST_SPANS)
    count = min(count, length)
    span = torch.full((int(shape[axis]),), -1)
    span[:length] = torch.arange(length) * count // length
    bounds = [-(-length * part // count) for part in range(count + 1)]
    spans = [f"steps {bounds[part]} to {bounds[part + 1] - 1}" for part in range(count)]
    if single:
        wide = [-1 if place == axis else 1 for place in range(len(shape))]
        return Features(span.reshape(wide), count, "spans", lambda: spans)
    both = torch.where(span < 0, span, torch.arange(number)[:, None] * count + span)  # (channels, steps)

    def naming() -> Iterable[str]:
        return (f"channel {channel}, {one}" for channel in range(number) for one in spans)

    return Features(both if axis == 1 else both.T, number * count, "spans of a channel", naming)


def _regions(case: Case, row: int, segments: int, feature_mask: str, told: Callable[[], None]) -> Features:
    shape = tuple(case.inputs.shape[1:])
    if len(case.places) != 2:  # pixels come as one row, and its width is not known: runs of pixels
        size = int(np.prod(shape))
        count = min(segments or default_regions(size), size)
        runs = (torch.arange(size) * count // size).reshape(shape)
        return Features(runs, count, "runs of pixels", lambda: (f"run {n}" for n in range(count)))
    height, width = (shape[axis - 1] for axis in case.places)
    count = min(segments or default_regions(height * width), height * width)
    if feature_mask == "grid":
        labels = grid(height, width, count)
    else:
        labels = in_order(superpixels(_picture(case, row, height, width), count, told))
    what = "cell" if feature_mask == "grid" else "superpixel"

    def naming() -> Iterable[str]:
        y, x = np.mgrid[:height, :width]
        sizes = np.bincount(labels.ravel())
        middles = [np.bincount(labels.ravel(), axis.ravel()) / sizes for axis in (x, y)]
        return (f"{what} {n} around x {a:.0f}, y {b:.0f}" for n, (a, b) in enumerate(zip(*middles, strict=True)))

    wide = [shape[axis] if axis + 1 in case.places else 1 for axis in range(len(shape))]
    return Features(torch.from_numpy(labels).reshape(wide), int(labels.max()) + 1, f"{what}s", naming)


def default_regions(pixels: int) -> int:
    """Of a picture: at most REGIONS, at least PIXELS_EACH pixels each."""
    return min(max(pixels // PIXELS_EACH, 1), REGIONS)


def _picture(case: Case, row: int, height: int, width: int) -> NDArray[np.float32]:
    """(H, W, colours) from 0 to 1: as it is shown, or where that fails the input itself."""
    displays = case.session.opened.displays
    try:
        shown = displays.show(case.batch.principal[row].detach().cpu())
        if shown.shape[:2] == (height, width):
            return shown.astype(np.float32) / np.float32(255)
    except (SubjectError, AttributeError):
        pass
    one = case.inputs[row].detach().to("cpu", torch.float32)
    rest = [axis for axis in range(one.dim()) if axis + 1 not in case.places]
    one = one.permute(*(axis - 1 for axis in case.places), *rest).reshape(height, width, -1)
    low, high = one.min(), one.max()
    return ((one - low) / (high - low).clamp_min(1e-12)).numpy()
