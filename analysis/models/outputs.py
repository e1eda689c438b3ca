"""Which tensor of what a model yields is meant: never a guess between two."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from analysis.errors import CutawayError

_DEPTH = 4  # containers within containers that are looked into


class AmbiguousOutput(CutawayError):
    """What a model yields holds no tensor, or several that may be meant."""


def logits_of(output: Any, select: str | int | None = None) -> Tensor:
    """The scores in what a model yielded, usually of shape (N, C).

    A tensor stands for itself; otherwise the one named 'logits' (key, attribute or field); otherwise the only tensor,
    or the only one that has the shape of scores (two axes, floating point).

    Args:
        output: tensor, tuple, list, mapping, dataclass or object with ``logits``.
        select: key, field or position of the tensor that is meant.

    Raises:
        AmbiguousOutput: there is none, or several may be meant; the message lists them.
    """
    if isinstance(output, Tensor):
        return output
    parts = _parts(output)
    if select is not None:
        if parts is None or select not in parts:
            raise AmbiguousOutput(f"The model's output has no part {select!r}. {_listed(output)}", _remedy(output))
        return logits_of(parts[select])
    named = _named(output, parts)
    if named is not None:
        return logits_of(named)
    found = _tensors(output)
    likely = {name: t for name, t in found.items() if t.dim() == 2 and t.is_floating_point()}
    for candidates in (found, likely):
        if len(candidates) == 1:
            return next(iter(candidates.values()))
    if not found:
        raise AmbiguousOutput(
            f"The model yields a {type(output).__name__}, which holds no tensor.",
            "Give forward_func, a function of the model and its inputs that returns the scores.",
        )
    raise AmbiguousOutput(f"The model yields several tensors. {_listed(output)}", _remedy(output))


def describe_output(output: Any) -> list[str]:
    """The tensors in what a model yielded, each as 'name: shape type', as in "['logits']: 8 x 10 float32"."""
    return [
        f"{name or 'the output'}: {' x '.join(map(str, t.shape)) or 'scalar'} {str(t.dtype).removeprefix('torch.')}"
        for name, t in _tensors(output).items()
    ]


def _parts(output: Any) -> dict[Any, Any] | None:
    """The direct parts of a container by key, field or position; None for anything else."""
    if isinstance(output, Mapping):
        return dict(output)
    if isinstance(output, (tuple, list)):
        named = dict(zip(getattr(output, "_fields", ()), output, strict=False))
        return {**dict(enumerate(output)), **named}
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    if hasattr(output, "__dict__"):
        return dict(vars(output))
    return None


def _named(output: Any, parts: dict[Any, Any] | None) -> Any:
    if parts is not None and parts.get("logits") is not None:
        return parts["logits"]
    found = getattr(output, "logits", None)  # also a property
    return found if isinstance(found, Tensor) else None


def _tensors(output: Any, prefix: str = "", depth: int = 0) -> dict[str, Tensor]:
    if isinstance(output, Tensor):
        return {prefix: output}
    parts = _parts(output)
    if parts is None or depth == _DEPTH:
        return {}
    found: dict[str, Tensor] = {}
    fields = set(getattr(output, "_fields", ()))
    for name, part in parts.items():
        if name not in fields:  # of a named tuple, positions count
            found |= _tensors(part, f"{prefix}[{name!r}]", depth + 1)
    return found


def _listed(output: Any) -> str:
    return f"It holds {'; '.join(describe_output(output)) or 'no tensor'}."


def _remedy(output: Any) -> str:
    first = next(iter(_parts(output) or {}), 0)
    return f"Name the one that is meant: Subject(..., output={first!r})."
