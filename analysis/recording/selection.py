"""Which layers of a model are watched."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.conv import _ConvNd

from analysis.errors import RecordingError

_SHOWN = 12  # names or types listed in an error


def kind_of(module: nn.Module) -> str:
    """'conv', 'linear', 'recurrent' (also single cells) or 'other'."""
    if isinstance(module, _ConvNd):
        return "conv"
    if isinstance(module, nn.Linear):
        return "linear"
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return "recurrent"
    return "other"


def select_layers(
    model: nn.Module, include: Iterable[str] | str | None = None, exclude: Iterable[str] | str | None = None
) -> dict[str, nn.Module]:
    """Watched modules by dotted name, in the order of registration; a module registered twice counts once.

    Without ``include``: convolutions, linear and recurrent layers, but not those inside an attention layer. A pattern
    of ``include`` (fnmatch on the dotted name) takes the layers of those types that it matches; one that matches none
    of them, or is a module's exact name, takes the modules it matches, of any type. ``exclude`` then removes.

    Raises:
        RecordingError: nothing to watch, or a pattern that matches nothing.
    """
    modules = dict(model.named_modules())
    usual = _usual_layers(modules)
    chosen = set(usual) if include is None else set()
    for pattern in _patterns(include):
        chosen |= _matches(pattern, modules, usual)
    removed = _patterns(exclude)
    for pattern in removed:
        _matches(pattern, modules, usual)  # one that matches nothing is a mistake here as well
    chosen = {name for name in chosen if not any(fnmatchcase(name, pattern) for pattern in removed)}
    if not chosen:
        raise _nothing(modules, bool(removed))
    return {name: module for name, module in modules.items() if name in chosen}


def _usual_layers(modules: dict[str, nn.Module]) -> set[str]:
    # An attention layer uses its projection's weights without calling it.
    attention = tuple(f"{name}." for name, module in modules.items() if isinstance(module, nn.MultiheadAttention))
    return {name for name, module in modules.items() if kind_of(module) != "other" and not name.startswith(attention)}


def _patterns(value: Iterable[str] | str | None) -> list[str]:
    if value is None:
        return []
    patterns = [value] if isinstance(value, str) else list(value)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise RecordingError(
                f"{type(pattern).__name__} is no name of a layer.",
                "Give names as in model.named_modules(), or patterns.",
            )
    return patterns


def _matches(pattern: str, modules: dict[str, nn.Module], usual: set[str]) -> set[str]:
    if pattern in modules:
        return {pattern}
    found = {name for name in modules if name and fnmatchcase(name, pattern)}
    if not found:
        near = difflib.get_close_matches(pattern, [name for name in modules if name], n=4, cutoff=0.4)
        raise RecordingError(
            f"The pattern {pattern!r} matches no module of the model.",
            f"Similar names: {', '.join(near)}." if near else "Names are those of model.named_modules().",
        )
    return found & usual or found


def _nothing(modules: dict[str, nn.Module], excluded: bool) -> RecordingError:
    counts = Counter(type(module).__name__ for name, module in modules.items() if name or len(modules) == 1)
    listed = ", ".join(f"{kind} ({count})" for kind, count in counts.most_common(_SHOWN))
    reason = (
        "Nothing is left to watch after exclude."
        if excluded
        else "The model has no layer of a type watched by default."
    )
    return RecordingError(
        f"{reason} It consists of: {listed}.",
        'Name modules that yield a tensor, by their dotted name or a pattern: include=["blocks.*"].',
    )
