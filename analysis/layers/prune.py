"""Filters that can go, as code to paste (``torch.nn.utils.prune``) and as JSON.

The code needs torch only. It does to the weights what the ablation did to the activation, also through a normalisation
that the layer is read after; the tests run it and compare the two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.errors import ParameterError
from analysis.layerinfo import LayerInfo

MODES = ("zero", "merge")

_HEAD = '''\
"""Made by Cutaway: masks filters of a trained model. Call prune_filters(model) after loading its weights."""

import torch
from torch.nn.utils import prune


def at(module, name, filters):
    """Where the given filters lie in a parameter: index tensors for the axes up to theirs."""
    where = torch.tensor(filters)
    if name == "weight" and getattr(module, "transposed", False):  # (inputs, filters of a group, ...)
        per_group, inputs = module.weight.shape[1], module.weight.shape[0] // module.groups
        rows = (where // per_group)[:, None] * inputs + torch.arange(inputs)
        return rows, (where % per_group)[:, None]
    return (where,)


def parameters(module):
    """Its weight and bias, as far as it has them."""
    return [name for name in ("weight", "bias") if getattr(module, name, None) is not None]


'''

_ZERO = '''\
def zero(layer, norm, filters):
    """Mask the filters: their activation is 0 from now on, in training as well."""
    mixes = norm is not None and not hasattr(norm, "running_mean")  # others' statistics depend on every filter
    for module in [norm] if mixes else [layer] if norm is None else [layer, norm]:
        if not parameters(module) and mixes:
            raise ValueError("A normalisation without weights cannot be masked.")
        for name in parameters(module):
            mask = torch.ones_like(getattr(module, name))
            mask[at(module, name, filters)] = 0
            prune.custom_from_mask(module, name, mask)
    if norm is not None and not mixes and not parameters(norm):
        norm.running_mean[filters] = 0


'''

_MERGE = '''\
@torch.no_grad()
def merge(layer, norm, filters, into):
    """Give the filters the weights of another, so that one can stand for all."""
    if norm is not None and not hasattr(norm, "running_mean"):  # others' statistics depend on every filter
        raise ValueError("Filters in front of this normalisation cannot be merged.")
    per_group = getattr(layer, "out_channels", into + 1) // getattr(layer, "groups", 1)
    if any(i // per_group != into // per_group for i in filters) and getattr(layer, "groups", 1) > 1:
        raise ValueError("Filters of another group see other channels.")
    for module in [layer] if norm is None else [layer, norm]:
        for name in parameters(module):
            values = getattr(module, name)
            values[at(module, name, filters)] = values[at(module, name, [into])].clone()
        for name in ("running_mean", "running_var"):
            if getattr(module, name, None) is not None:
                getattr(module, name)[filters] = getattr(module, name)[into].clone()


'''

_END = '''\


def make_permanent(model):
    """Bake the masks into the weights; without this they stay masks, and can be taken off again."""
    for module in model.modules():
        for name in ("weight", "bias"):
            if hasattr(module, f"{name}_mask"):
                prune.remove(module, name)
'''


@dataclass(frozen=True)
class Cut:
    """Filters of one layer that go. mode: 'zero', or 'merge': they get the weights of ``into``."""

    info: LayerInfo
    filters: tuple[int, ...]
    mode: str = "zero"
    into: int | None = None


def _checked(cut: Cut) -> Cut:
    info = cut.info
    if info.kind not in ("conv", "linear"):
        raise ParameterError(
            f"No pruning code can be written for {info.key} ({info.type}).",
            "Choose a convolution or a linear layer: their filters are rows of a weight.",
        )
    if cut.mode not in MODES:
        raise ParameterError(f"Pruning knows no mode {cut.mode!r}.", f"Choose one of: {', '.join(MODES)}.")
    every = (*cut.filters, *(() if cut.mode == "zero" else (cut.into,)))
    if not cut.filters or any(i is None or not 0 <= i < info.filters for i in every) or cut.into in cut.filters:
        raise ParameterError(
            f"{info.key} cannot be cut that way.", f"Choose filters from 0 to {info.filters - 1}, each in one role."
        )
    return Cut(info, tuple(sorted(set(cut.filters))), cut.mode, cut.into)


def prune_code(cuts: Sequence[Cut]) -> str:
    """Python source that defines ``prune_filters(model)`` and ``make_permanent(model)``.

    A layer that is called several times has one weight, so that it is pruned in all its calls; the code says so.
    Raises ParameterError for layers whose filters are not rows of a weight, and for filters that do not exist.
    """
    chosen = [_checked(cut) for cut in cuts]
    modes = {cut.mode for cut in chosen}
    lines = [_HEAD, _ZERO if "zero" in modes else "", _MERGE if "merge" in modes else ""]
    lines.append('def prune_filters(model):\n    """Mask the chosen filters, in place."""\n')
    lines.append("    modules = dict(model.named_modules(remove_duplicate=False))\n")
    lines += [_lines(cut) for cut in chosen]
    return "".join(lines) + "    return model\n" + (_END if "zero" in modes else "")


def _lines(cut: Cut) -> str:
    info = cut.info
    layer = f"modules[{info.name!r}]"
    norm = f"modules[{info.read_after!r}]" if info.read_after not in ("", info.name) else "None"
    note = f"    # {info.name} is called several times in a pass: all its calls are pruned\n" if "#" in info.key else ""
    into = f", into={cut.into}" if cut.mode == "merge" else ""
    return f"{note}    {cut.mode}({layer}, {norm}, {list(cut.filters)}{into})\n"


def prune_json(cuts: Sequence[Cut], result: dict[str, Any] | None = None) -> dict[str, Any]:
    """The same as data: {'format', 'layers': [{'layer', 'module', 'read_after', 'type', 'filters', 'of', 'mode',
    'into'}], 'test'}. result: the answer of the ablation that spoke for it, kept without its list of instances.
    """
    layers = [
        {
            "layer": cut.info.key,
            "module": cut.info.name,
            "read_after": cut.info.read_after,
            "type": cut.info.type,
            "filters": list(cut.filters),
            "of": cut.info.filters,
            "mode": cut.mode,
            "into": cut.into,
        }
        for cut in map(_checked, cuts)
    ]
    test = None if result is None else {name: value for name, value in result.items() if name != "flipped"}
    return {"format": "cutaway-pruning-1", "layers": layers, "test": test}


def prune_text(cuts: Sequence[Cut], result: dict[str, Any] | None = None) -> str:
    """``prune_json`` as text for a file."""
    return json.dumps(prune_json(cuts, result), indent=2, ensure_ascii=False) + "\n"
