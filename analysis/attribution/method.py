"""The contract of an attribution method: run, applies, parameters, result.

``run(case, told, **parameters)`` gets every declared parameter, checked. It reads ``case.inputs``, calls
``case.score`` or ``case.module``, reports with ``told(done, total, unit, message)``, and returns ``Found``. One that
refines as it runs calls ``case.publish(found, samples, planned)`` with what it has so far, as often as it likes: the
page shows it with its uncertainty (``found.spread``). Several seconds without a call of ``told`` are too many: it is
there that a cancel comes in. Rows in one pass: ``case.at_most()``.

Where a method cannot answer for an instance it raises ``AttributionError`` (``faults``) or ``ParameterError``, with the
module or the numbers that are to blame. NaN in the result is refused by the caller, which sets padding to 0 too. Random
numbers come from a generator of the method's own, seeded by its parameter ``random_state`` (``parameters.RANDOM``). A
method of form 'filters' or 'attention' says in ``Found.extra`` which layer it is ('layer'). What stands in ``extra``
replaces what the result declares, such as 'signed'; 'again' there are parameters with which other inputs cost no more
passes than these did, for methods that decide that as they run.
"""

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
    """One method. run: ``run(case, told, **parameters) -> Found``. applies: ``applies(structure) -> str``: '' if it
    fits this model, else why not, naming the module. fit: the declared parameters with defaults and choices for this
    model.

    notes: what it does differently for this model, in sentences ('F.relu in block1 is treated like a ReLU module').
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
    notes: Callable[[Structure], list[str]] = lambda _structure: []
