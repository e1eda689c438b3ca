"""Weights drawn anew for as long as a measure needs them, and put back bit by bit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.subject import live

FOREIGN = -1  # version of a parameter that somebody else wrote to


@dataclass
class Group:
    """Layers whose weights are drawn anew together. name: in words. tensors: their parameters, each in one group."""

    name: str
    tensors: list[nn.Parameter]


class WeightsChanged(AttributionError):
    """Somebody else wrote to the weights while they were random."""


_written: dict[int, int] = {}  # inside ``weights_kept``: versions of parameters after our own last writing


@contextmanager
def weights_kept(session: Any) -> Iterator[None]:
    """Inside, the model's parameters may be drawn anew (``redraw``); those that were are put back bit by bit, come what
    may, and the session takes them for unchanged, unless somebody else had changed them before.

    Raises:
        WeightsChanged: somebody else wrote to parameters inside. The session is outdated then.
    """
    parameters = list(session.model.parameters())
    held = [(one, one.detach().clone()) for one in parameters]
    ours = not session.outdated  # else the model itself may write to them in every pass
    outer = dict(_written)
    begun = {id(one): one._version for one in parameters}
    _written.update(begun)
    apart = False
    try:
        yield
    finally:
        apart = ours and any(one._version != _written[id(one)] for one in parameters)
        with torch.no_grad():
            for one, copy in held:
                # What somebody else changed and we did not stays as they left it.
                if not apart or _written[id(one)] != begun[id(one)]:
                    one.copy_(copy)
        _written.clear()
        _written.update(outer)
        if ours and not apart:
            session._weights.remember()
    if apart:
        raise WeightsChanged(
            "Somebody changed the model's weights while random ones were in it.",
            "Ask again when the program that trains the model is done.",
        )


def busy(session: Any) -> bool:
    """Whether the program that the model lives in goes on meanwhile, and would meet random weights."""
    return live.holds(session.model) and threading.current_thread() is not threading.main_thread()


def redraw(group: Group, generator: torch.Generator) -> None:
    """Draw every tensor of a group anew: normal, with the mean and the standard deviation that it has."""
    with torch.no_grad():
        for one in group.tensors:
            if one.is_floating_point() and one.numel():
                deviation, mean = torch.std_mean(one.double(), correction=0)
                fresh = torch.randn(one.shape, generator=generator, dtype=torch.float64)
                unseen = one._version != _written.get(id(one), one._version)
                one.copy_((fresh.to(one.device) * deviation + mean).to(one.dtype))
                if id(one) in _written:
                    _written[id(one)] = FOREIGN if unseen else one._version


def groups(case: Case, most: int) -> list[Group]:
    """Layers with parameters that the score depends on, from the output down, at most ``most`` groups of neighbours.

    A layer is a module that is called and holds parameters, its own or those of modules below it that are not called.
    """
    model = case.session.model
    names = {id(module): name for name, module in model.named_modules()}
    called: list[str] = []

    def seen(module: nn.Module, _inputs: Any) -> None:
        called.append(names[id(module)])

    handles = [module.register_forward_pre_hook(seen) for module in model.modules()]
    try:
        used = _used(case, called)
    finally:
        for handle in handles:
            handle.remove()
    place = {name: at for at, name in enumerate(called)}  # of the last call
    owners: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        owner = name.rpartition(".")[0]
        while owner and owner not in place:
            owner = owner.rpartition(".")[0]
        if used is None or id(parameter) in used:
            owners.setdefault(owner, []).append(parameter)
    order = sorted(owners, key=lambda name: place.get(name, -1), reverse=True)
    return [_joined(part, owners) for part in _parts(order, most)]


def _used(case: Case, called: list[str]) -> set[int] | None:
    """Parameters with a gradient of the score; None where that cannot be told. ``called``: then the pass's calls."""
    parameters = list(case.session.model.parameters())
    frozen = [one for one in parameters if not one.requires_grad and one.is_floating_point()]
    try:
        for one in frozen:
            one.requires_grad_(True)
        called.clear()
        score = case.score(case.inputs)
        wanted = [one for one in parameters if one.requires_grad]
        found = torch.autograd.grad(score.sum(), wanted, allow_unused=True)
        used = {id(one) for one, slope in zip(wanted, found, strict=True) if slope is not None}
        return used or None
    except RuntimeError:  # a recurrent layer on a GPU, a model without gradients
        return None
    finally:
        for one in frozen:
            one.requires_grad_(False)


def _parts(order: list[str], most: int) -> list[list[str]]:
    size, more = divmod(len(order), most) if len(order) > most else (1, 0)
    if len(order) <= most:
        return [[name] for name in order]
    parts, start = [], 0
    for number in range(most):
        end = start + size + (number < more)
        parts.append(order[start:end])
        start = end
    return parts


def _joined(part: list[str], owners: dict[str, list[nn.Parameter]]) -> Group:
    first, last = part[0] or "the model itself", part[-1] or "the model itself"
    tensors: list[nn.Parameter] = [one for name in part for one in owners[name]]
    return Group(first if len(part) == 1 else f"{first} to {last}", tensors)
