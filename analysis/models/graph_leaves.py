"""Which modules are one node of a computation graph. Needs torch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize

# Modules of torch that call others, which are nodes of their own. torch's other modules with children do not call them
# as a reader would expect: attention takes the weights of its output projection and never calls it.
_OPEN = (
    *(nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict),
    *(nn.Transformer, nn.TransformerEncoder, nn.TransformerDecoder),
    *(nn.TransformerEncoderLayer, nn.TransformerDecoderLayer),
)
_LAYERS = "torch.nn.modules."
HOLDERS = (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)  # never called


def is_leaf(module: nn.Module, root: nn.Module) -> bool:
    """Whether a module is drawn as one node: it has no modules inside, or is a layer of torch's or derived from one.

    The whole model is a leaf only if it is such a layer.
    """
    if isinstance(module, HOLDERS):
        return False
    if isinstance(module, torch.jit.ScriptModule) or _built_in(module) is not None:  # the former calls no hooks inside
        return True
    children = {name for name, _ in module.named_children()}
    if parametrize.is_parametrized(module):
        children.discard("parametrizations")
    return not children and module is not root


def _built_in(module: nn.Module) -> type[nn.Module] | None:
    """The layer of torch's that a module is or derives from; None for groups and for classes of somebody's own."""
    if isinstance(module, _OPEN):
        return None
    return next(
        (kind for kind in type(module).__mro__ if kind.__module__.startswith(_LAYERS) and kind != nn.Module), None
    )


def class_of(module: nn.Module) -> str:
    """The class of a module, as its author calls it."""
    if isinstance(module, torch.jit.ScriptModule):
        return str(getattr(module, "original_name", type(module).__name__))
    kinds = type(module).__mro__
    return kinds[1].__name__ if parametrize.is_parametrized(module) else kinds[0].__name__  # of the class made for it


def operation_of(module: nn.Module) -> str:
    """What a leaf does, as torch calls it: 'conv2d', also for a class derived from it."""
    kind = _built_in(module)
    return (class_of(module) if kind is None else kind.__name__).lower()


def outer(name: str) -> str:
    """The dotted name of the module around one, '' for the model itself."""
    return name.rpartition(".")[0]


def inside_leaves(model: nn.Module) -> set[str]:
    """Names of modules within leaves: they are no nodes, and no groups either."""
    leaves = {name for name, module in model.named_modules() if is_leaf(module, model)}
    return {name for name, _ in model.named_modules() if name and _any_around(name, leaves)}


def _any_around(name: str, leaves: set[str]) -> bool:
    while name:
        name = outer(name)
        if name in leaves:
            return True
    return False
