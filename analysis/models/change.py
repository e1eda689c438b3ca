"""Answers ``parameter_change``: how far the parameters of each layer are from those of another checkpoint."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.models import checkpoints
from analysis.models.graph_leaves import class_of, inside_leaves, is_leaf, outer

BARELY, REWRITTEN = 0.01, 0.5  # relative change below the one, from the other on
RULE = (
    f"same: no number differs; barely: the change is below {BARELY:.0%} of the length of the weights; rewritten: "
    f"{REWRITTEN:.0%} or more of it (two random matrices of equal length differ by 141%); changed: in between."
)
_CHUNK = 1 << 22  # numbers compared at once


def parameter_change(
    session: Any, context: Any, *, other: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """How far the weights that were chosen (B) are from others (A), layer by layer.

    Args:
        session: the subject with weights B in its model. other: weights A: a checkpoint {"name", "path", "sha256"}, or
            None for the weights that the subject came with.

    Returns:
        {'a': name of A, '' for the subject's own, 'b': '' if B are the subject's own, else None (who asks knows it),
        'rule', 'modules': see ``compare``, 'total': the same of all parameters without a verdict, 'verdicts': how many
        modules have each} and no arrays.

    Raises:
        CheckpointError: A cannot be read, has another checksum, or does not fit the model.
    """
    model: nn.Module = session.model
    if other is None:
        before = session.own_weights
    else:
        context.progress(0, 0, "", "Reading the other weights")
        path, digest = Path(other["path"]), str(other["sha256"])
        state = checkpoints.load_checkpoint(path, trusted=session.trusted, expected=digest)
        before = checkpoints.fitting(model, state)

    def told(done: int, total: int) -> None:
        context.progress(done, total, "layers", "Comparing")

    modules, total = compare(model, before, told)
    own = checkpoints.weights_hash(model) == session.weights
    value = {
        "a": "" if other is None else str(other["name"]),
        "b": "" if own else None,
        "rule": RULE,
        "modules": modules,
        "total": total,
        "verdicts": dict(Counter(row["verdict"] for row in modules)),
    }
    return value, {}


@dataclass
class _Sums:
    """Sums over pairs of numbers: of A squared, of B squared, of products, of squared differences; and whether all are
    finite and none differs. largest: difference in standard deviations of A, None where there are none."""

    a: float = 0.0
    b: float = 0.0
    product: float = 0.0
    difference: float = 0.0
    finite: bool = True
    same: bool = True
    largest: float | None = None

    def add(self, before: Tensor, after: Tensor) -> None:
        """Add a tensor of A and the one of B."""
        most, squares, total = 0.0, 0.0, 0.0
        for old, new in _chunks(before, after):
            step = new - old
            self.same &= bool(((step == 0) | (old.isnan() & new.isnan()) | (old == new)).all())
            self.finite &= bool(old.isfinite().all() and new.isfinite().all())
            self.a += float(old.square().sum())
            self.b += float(new.square().sum())
            self.product += float((old * new).sum())
            self.difference += float(step.square().sum())
            most = max(most, float(step.abs().max()))
            squares, total = squares + float(old.square().sum()), total + float(old.sum())
        count = before.numel()
        variance = squares / count - (total / count) ** 2 if count else 0.0
        if variance > 1e-12 * squares / max(count, 1):  # else all are one and the same number
            self.largest = max(self.largest or 0.0, most / math.sqrt(variance))

    @property
    def relative(self) -> float | None:
        """||B - A|| / ||A||; None where A is 0 and B is not, and where a number is not finite."""
        if self.same:
            return 0.0
        return math.sqrt(self.difference / self.a) if self.finite and self.a else None

    @property
    def cosine(self) -> float | None:
        """Of the angle between A and B; None where one of them is 0, and where a number is not finite."""
        if not self.finite or not self.a or not self.b:
            return None
        return max(-1.0, min(1.0, self.product / math.sqrt(self.a * self.b)))


def compare(
    model: nn.Module, before: Mapping[str, Tensor], told: Any = lambda *_: None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Compare a model's parameters with others.

    Args:
        model: with weights B. before: weights A by name; of tied ones a single name is enough. told: of modules done
            and to do.

    Returns:
        For each node of the graph with parameters, in the order of their names in the model, and for each group with
        parameters of its own: 'name', 'type', 'parent', 'parameters', 'relative': ||B - A|| / ||A||, 'cosine',
        'largest': largest change of a number in standard deviations of its tensor in A; None each where there is none
        (division by 0, numbers that are not finite); 'verdict' (see ``RULE``), 'finite', 'frozen' (none is trained),
        'shared': name of a module that has the same parameters, '' if none does; 'statistics': relative change of its
        buffers (running means and variances), None if it has none. And 'parameters', 'relative', 'cosine' of all.
    """
    aliases: dict[int, list[str]] = {}
    for name, value in (*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)):
        aliases.setdefault(id(value), []).append(name)
    given = {place: next((before[n] for n in names if n in before), None) for place, names in aliases.items()}
    owners: dict[int, str] = {}
    rows, whole, number = [], _Sums(), 0
    parts = list(_parts(model))
    for done, (name, module, parameters, buffers) in enumerate(parts):
        told(done, len(parts))
        sums, statistics = _Sums(), _Sums()
        for value in parameters:
            _add(sums, given[id(value)], value)
            if id(value) not in owners:
                _add(whole, given[id(value)], value)
                number += value.numel()
        for value in buffers:
            _add(statistics, given[id(value)], value)
        shared = next((owners[id(value)] for value in parameters if id(value) in owners), "")
        for value in parameters:
            owners.setdefault(id(value), name)
        rows.append(
            {
                "name": name,
                "type": class_of(module),
                "parent": outer(name),
                "parameters": sum(value.numel() for value in parameters),
                "relative": sums.relative,
                "cosine": sums.cosine,
                "largest": sums.largest if sums.finite else None,
                "verdict": _verdict(sums),
                "finite": sums.finite,
                "frozen": not any(value.requires_grad for value in parameters),
                "shared": shared,
                "statistics": statistics.relative if buffers else None,
            }
        )
    return rows, {"parameters": number, "relative": whole.relative, "cosine": whole.cosine}


def _parts(model: nn.Module) -> Iterator[tuple[str, nn.Module, list[nn.Parameter], list[Tensor]]]:
    """Leaves of the graph with all their parameters, groups with those of their own; and their real-valued buffers."""
    hidden = inside_leaves(model)
    for name, module in model.named_modules():
        if name in hidden:
            continue
        inside = is_leaf(module, model)
        parameters = [value for value in module.parameters(recurse=inside) if not nn.parameter.is_lazy(value)]
        buffers = [value for value in module.buffers(recurse=inside) if value.is_floating_point()]
        if parameters:
            yield name, module, parameters, buffers


def _add(sums: _Sums, before: Tensor | None, after: Tensor) -> None:
    if before is not None and after.numel():  # a buffer that is not saved stays as it is
        sums.add(before.to(after.dtype), after.detach())  # as it would be in the model


def _chunks(before: Tensor, after: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Both as float64 on the CPU, flat, a part at a time; complex numbers as pairs."""
    flat = [torch.view_as_real(v) if v.is_complex() else v for v in (before, after)]
    for old, new in zip(*(value.reshape(-1).split(_CHUNK) for value in flat), strict=True):
        yield old.cpu().double(), new.cpu().double()


def _verdict(sums: _Sums) -> str:
    if sums.same:
        return "same"
    relative = sums.relative
    if relative is None or relative >= REWRITTEN:
        return "rewritten"
    return "barely" if relative < BARELY else "changed"
