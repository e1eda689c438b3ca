"""Weights drawn anew for as long as a measure needs them, and put back bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from analysis.attribution.case import Case


@dataclass
class Group:
    """Layers whose weights are drawn anew together. name: in words. tensors: their parameters, each in one group."""

    name: str
    tensors: list[nn.Parameter]


@contextmanager
def weights_kept(session: Any) -> Iterator[None]:
    """Inside, the model's parameters may be written to; afterwards they are as before, bit by bit, come what may, and
    the session takes them for unchanged, unless somebody else had changed them before."""
    held = [(one, one.detach().clone()) for one in session.model.parameters()]
    ours = not session.outdated
    try:
        yield
    finally:
        with torch.no_grad():
            for one, copy in held:
                one.copy_(copy)
        if ours:
            session._weights.remember()


def redraw(group: Group, generator: torch.Generator) -> None:
    """Draw every tensor of a group anew: normal, with the mean and the standard deviation that it has."""
    with torch.no_grad():
        for one in group.tensors:
            if one.is_floating_point() and one.numel():
                deviation, mean = torch.std_mean(one.double(), correction=0)
                fresh = torch.randn(one.shape, generator=generator, dtype=torch.float64)
                one.copy_((fresh.to(one.device) * deviation + mean).to(one.dtype))


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
