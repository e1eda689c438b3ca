"""Baselines: inputs that stand for 'nothing there', in the form of ``Case.inputs``.

At padding a baseline is the input itself, so that padding never has a share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from analysis.attribution.case import Case
from analysis.attribution.parameters import Parameter
from analysis.data.tensors import as_tensor
from analysis.data.unpack import MASK
from analysis.errors import ParameterError

CHOICES = ("zero", "mean", "blur", "pad", "own")
MANY = ("instances", "own")  # for methods that take a distribution
DRAWN = 64  # instances that a mean is of
HELD = 32 << 20  # numbers of all instances together that others are drawn from
SEED = 0  # of drawing them
BLUR = 0.1  # width of the blur as a share of the picture's shorter side
PARAMETER = Parameter(
    "baselines",
    "choice",
    "zero",
    "What stands for 'nothing there': zero as the model gets it, the mean of instances (of texts, of their vectors), "
    "the picture blurred, the padding token, or the subject's own.",
    choices=CHOICES,
)
SEVERAL = Parameter(
    "baselines",
    "choice",
    "instances",
    "What the instance is compared with: other instances, drawn at random, or the subject's own baselines.",
    choices=MANY,
)


def choices(session: Any, offered: Sequence[str]) -> tuple[str, ...]:
    """Those of the offered choices that this subject has."""
    without = set()
    if session.kind != "image" or len(session.axes) != 2:
        without.add("blur")
    if session.kind != "text" or session.instances.pad_id is None:
        without.add("pad")
    if session.subject.baselines is None:
        without.add("own")
    return tuple(name for name in offered if name not in without)


def of(case: Case, name: str) -> Tensor:
    """The baseline of every instance, the shape of ``case.inputs``; of several own ones their mean.

    Raises:
        ParameterError: there is no such baseline, or the subject's own has another shape.
    """
    possible = choices(case.session, CHOICES)
    if name not in possible:
        why = " The subject has none of its own." if name == "own" else ""
        raise ParameterError(f"There is no baseline {name!r} here.{why}", f"Choose one of: {', '.join(possible)}.")
    if name == "zero":
        found = torch.zeros_like(case.inputs)
    elif name == "mean":
        found = _mean(case)
    elif name == "blur":
        found = blurred(case.inputs, case.places, sigma(case))
    elif name == "pad":
        assert case.entry is not None
        pad = torch.full_like(case.batch.principal, case.session.instances.pad_id)
        found = case.entry.vectors(pad).to(case.inputs)
    else:
        found = torch.stack([_own(case, row).mean(0) for row in range(len(case))])
    return torch.where(case.valid(), found, case.inputs)


class Several:
    """k baselines (k, *inputs.shape[1:]), the same for every instance of the case, made as slices of them are taken.

    'instances': drawn at random, of large inputs from no more than fit into memory; of texts and of series of different
    lengths, each step is drawn on its own from all valid steps, as what comes first in one says nothing about another.
    'own': the subject's, drawn with replacement if there are fewer or more.

    Raises:
        ParameterError: as ``of``.
    """

    def __init__(self, case: Case, k: int, random_state: int, name: str = "instances") -> None:
        generator = torch.Generator().manual_seed(random_state)
        self._axis: int | None = None
        if name == "own":
            if case.session.subject.baselines is None:
                raise ParameterError(
                    "The subject has no baselines of its own.", "Choose 'instances', or give baselines=."
                )
            self._pool = _own(case, int(case.lengths.argmax()) if case.lengths is not None else 0)
            fitting = len(self._pool) == k
        elif _by_step(case):
            self._axis = axis = case.places[0]
            parts = _drawn(case, DRAWN, random_state)
            self._pool = torch.cat([rows.movedim(axis, 1).flatten(0, 1) for rows in parts])  # (all steps, features...)
            self._chosen = torch.randint(len(self._pool), (case.inputs.shape[axis], k), generator=generator)
            return
        else:
            held = max(DRAWN, HELD // max(1, case.inputs[0].numel()))
            self._pool = torch.cat(_drawn(case, min(k, held), random_state))
            fitting = len(self._pool) >= k
        self._chosen = torch.arange(k) if fitting else torch.randint(len(self._pool), (k,), generator=generator)

    def __getitem__(self, some: slice) -> Tensor:
        if self._axis is None:
            return self._pool[self._chosen[some]]
        return self._pool[self._chosen[:, some]].movedim(1, 0).movedim(1, self._axis)


def several(case: Case, k: int, random_state: int, name: str = "instances") -> Tensor:
    """All of ``Several`` at once."""
    return Several(case, k, random_state, name)[:]


def of_instances(case: Case) -> Tensor:
    """Inputs of instances drawn at random, at most 64, (m, *inputs.shape[1:]); of data that are not padded."""
    return torch.cat(_drawn(case, DRAWN, SEED))


def sigma(case: Case) -> float:
    """Width of the blur, in pixels."""
    return max(1.0, BLUR * min(case.inputs.shape[axis] for axis in case.places))


def blurred(values: Tensor, places: Sequence[int], width: float) -> Tensor:
    """Values (n, ...) with a Gaussian blur along two axes; beyond the border the border's values count.

    width: standard deviation in pixels.
    """
    reach = max(1, int(np.ceil(3 * width)))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=values.device, dtype=values.dtype) / width) ** 2)
    kernel = kernel / kernel.sum()
    found = values
    for place in places:
        moved = found.movedim(place, -1)
        flat = moved.reshape(-1, 1, moved.shape[-1])
        flat = F.conv1d(F.pad(flat, (reach, reach), mode="replicate"), kernel[None, None])
        found = flat.reshape(moved.shape).movedim(-1, place)
    return found


def _by_step(case: Case) -> bool:
    return case.kind == "text" or (case.kind == "series" and case.session.instances.varies)


def _drawn(case: Case, count: int, seed: int) -> list[Tensor]:
    """Inputs of instances drawn at random, without padding, in parts (m, ...) of one length each."""
    session = case.session
    order = np.random.default_rng(seed).permutation(session.n)[:count]
    batch = session.batch(order.tolist())
    if not len(batch):
        raise ParameterError("No instance can be read for a baseline.", "Choose the baseline 'zero'.")
    if case.entry is not None:
        inputs = case.entry.vectors(batch.principal)
    else:
        inputs = batch.principal
    inputs = inputs.detach().to(case.inputs)
    good = inputs.flatten(1).isfinite().all(1)
    if not bool(good.any()):
        raise ParameterError("No instance without NaN was found for a baseline.", "Choose the baseline 'zero'.")
    mask = batch.kwargs.get(MASK)
    inputs, lengths = inputs[good], None if batch.lengths is None else batch.lengths[good]
    axis = case.places[0] if case.places else 0
    if lengths is None and case.kind == "text" and isinstance(mask, Tensor) and mask.shape == batch.principal.shape:
        return [row[seen][None] for row, seen in zip(inputs, mask[good] != 0, strict=True)]  # padded in front
    if lengths is None or not _by_step(case):
        return [inputs]
    return [inputs[row : row + 1].narrow(axis, 0, int(length)) for row, length in enumerate(lengths.tolist())]


def _mean(case: Case) -> Tensor:
    pool = _drawn(case, DRAWN, SEED)
    if not _by_step(case):
        return torch.cat(pool).mean(0, keepdim=True).expand_as(case.inputs)
    axis = case.places[0]
    steps = torch.cat([rows.movedim(axis, 1).flatten(0, 1) for rows in pool])
    mean = steps.mean(0)  # of one step: (D,), (channels,) or ()
    return mean.unsqueeze(axis - 1).unsqueeze(0).expand_as(case.inputs)


def _own(case: Case, row: int) -> Tensor:
    """The subject's own baselines for one instance, (k, *inputs.shape[1:]), filled up to the batch's padding."""
    given = case.session.subject.baselines
    one = case.batch.principal[row]
    length = int(case.lengths[row]) if case.lengths is not None and len(case.places) == 1 else None
    axis = case.places[0] - 1 if case.places else 0
    if length is not None:
        one = one.narrow(axis, 0, length)
    value = given
    if callable(given):
        try:
            value = given(one[None].detach().cpu().clone())
        except Exception as error:
            raise ParameterError(
                f"baselines= fails for an input of shape (1, {_shape(one)}): {type(error).__name__}: {error}.",
                "It gets inputs with the axis of instances, and returns as many numbers.",
            ) from error
    found = _own_ids(case, as_tensor(value), one) if case.entry is not None else as_tensor(value)
    expected = tuple(one.shape)
    if tuple(found.shape) == expected:
        found = found[None]
    if found.dim() == 0 or tuple(found.shape[1:]) != expected or not len(found):
        raise ParameterError(
            f"The subject's baselines have the shape ({_shape(as_tensor(value))}), but an input has ({_shape(one)}).",
            f"Give baselines= as ({_shape(one)}), or (k, {_shape(one)}) for k of them.",
        )
    found = found.to(case.inputs.device)
    if case.entry is not None:
        found = case.entry.vectors(found)
    found = found.to(case.inputs.dtype)
    if not bool(found.isfinite().all()):
        raise ParameterError("The subject's baselines have values that are NaN or infinite.", "Mend baselines=.")
    missing = 0 if length is None else case.inputs.shape[axis + 1] - length
    if missing:
        rest = case.inputs[row].narrow(axis, int(length or 0), missing)[None]
        found = torch.cat([found, rest.expand(len(found), *rest.shape[1:])], axis + 1)
    return found


def _own_ids(case: Case, value: Tensor, one: Tensor) -> Tensor:
    """Ids as long as the instance: one id is repeated."""
    assert case.entry is not None
    if value.is_floating_point():
        raise ParameterError("The subject's baselines are no ids.", "For texts give baselines= as ids, or one id.")
    highest = int(getattr(case.entry.layer, "num_embeddings", 0) or 0)
    if value.numel() and not (int(value.min()) >= 0 and (not highest or int(value.max()) < highest)):
        raise ParameterError(
            f"The subject's baselines hold the id {int(value.min())} or {int(value.max())}, and the embedding has "
            f"{highest:,}.",
            "Give ids that it has.",
        )
    value = value.to(torch.int64)
    return value.reshape(1).expand(one.shape) if value.numel() == 1 else value


def _shape(value: Tensor) -> str:
    return ", ".join(map(str, value.shape))
