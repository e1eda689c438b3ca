"""The contract of an attribution method: run, applies, parameters, result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from analysis.attribution.parameters import Parameter

if TYPE_CHECKING:
    from analysis.attribution.structure import Structure

FAMILIES = ("gradient", "propagation", "perturbation", "layer", "attention")
Told = Callable[..., None]  # progress(done, total, unit, message)


@dataclass(frozen=True)
class Result:
    """What a method's values mean.

    form: 'input' (a value for each number of the input), 'filters' (one for each filter of a layer) or 'attention'.
    signed: whether values below 0 speak against the target. complete: whether they claim to add up to the change of
    the score from the baseline to the input. coarse: whether neighbouring values are one (superpixels, windows, maps
    of a layer).
    """

    form: str = "input"
    signed: bool = True
    complete: bool = False
    coarse: bool = False


@dataclass
class Found:
    """What a run found.

    values: of form 'input' (n, *inputs.shape[1:]), where 1 is allowed along the axis of channels or features; of form
    'filters' (n, F); of form 'attention' (n, heads, steps, steps). baseline: score of the baseline (n,), where there is
    one. spread: standard error of each value, same shape, of methods that sample. notes: what was done differently, in
    sentences. extra: plain values.
    """

    values: Tensor
    baseline: Tensor | None = None
    spread: Tensor | None = None
    notes: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """One method. run: ``run(case, told, **parameters) -> Found``. applies: ``applies(structure) -> str``: '' if it fits
    this model, else why not, naming the module. fit: the declared parameters with defaults and choices for this model.

    version: raised when the method changes. summary: one sentence for the page. source: paper and equation. draws:
    whether it can refine while it runs. costs: of passes, in words.
    """

    name: str
    title: str
    family: str
    version: int
    summary: str
    source: str
    result: Result
    parameters: tuple[Parameter, ...]
    run: Callable[..., Found]
    applies: Callable[[Structure], str]
    fit: Callable[[Structure, tuple[Parameter, ...]], tuple[Parameter, ...]] = lambda _structure, given: given
    costs: str = ""
