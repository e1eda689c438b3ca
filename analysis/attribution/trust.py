"""Answers ``attribution_trust``: how far the map of one method for one instance can be believed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from analysis.attribution import registry
from analysis.attribution.explain import case_of, check_version, refuse_unfit
from analysis.attribution.faults import in_words
from analysis.attribution.measures import curves, infidelity, randomised, redrawn, sensitivity
from analysis.attribution.measures.completeness import completeness
from analysis.attribution.measures.regions import Regions
from analysis.attribution.measures.reproduced import refuse_unlike
from analysis.attribution.measures.work import Work
from analysis.attribution.parameters import checked
from analysis.errors import CutawayError

# By passes that one map takes, at most: (maps of near instances, draws of the weights, groups of layers). A pass of a
# large instance counts as several.
SMALL = 10_000  # numbers of an instance that count as one
PLANS = ((200, (8, 3, 8)), (1000, (4, 1, 4)), (6000, (0, 1, 2)))
PARTS = ("completeness", "deletion", "insertion", "infidelity", "sensitivity", "randomised", "reaction")
NOT_ON_INPUT = "Its values belong to a layer, not to the input: nothing of the input can be taken away by them."
OF_A_NEURON = "It explains a unit of a layer, not the score: choose the unit as what is explained to measure this."

IN_USE = "The model lives in a program that goes on meanwhile: it would meet random weights."


def attribution_trust(
    session: Any,
    context: Any,
    *,
    instance: int,
    method: str,
    version: int,
    target: str = "predicted",
    unit: str = "",
    params: Mapping[str, Any] | None = None,
    edit: Iterable[Mapping[str, Any]] | None = None,
    random_state: int = 0,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Measure the map that ``attribution`` gives for the same arguments.

    Args:
        random_state: of all that is drawn: what is taken away, near instances, weights.

    Returns:
        {'method', 'instance', 'target', 'unit', 'params', 'edit', 'random_state', 'completeness': as
        ``measures.completeness``, 'deletion', 'insertion': as ``measures.curves``, 'moves': how far the model's answer
        moves at most as regions are taken away, 0 to 1, 'infidelity', 'sensitivity', 'randomised': as in ``measures``,
        'reaction': as ``randomised.reaction``, 'skipped': {part: reason}, 'passes', 'cost': passes of one map,
        'seconds'} and no arrays. A part that is skipped is None. The same is published as parts are finished, with
        'partial': True; parts to come are None.

    Raises:
        As ``attribution``. Weights that are drawn anew are put back bit by bit, also then. WeightsChanged: somebody
        else wrote to them meanwhile.
    """
    began = time.monotonic()
    chosen = registry.get(method)
    check_version(chosen, version)
    values = checked(chosen.parameters, params or {})
    context.progress(0, 0, "", "Reading the instance")
    case, _ = case_of(session, instance, target, unit, edit)
    refuse_unfit(session, chosen, unit)
    answer: dict[str, Any] = {
        "method": method,
        "instance": int(instance),
        "target": list(case.classes[0]),
        "unit": unit,
        "params": values,
        "edit": case.edits,
        "random_state": int(random_state),
        **dict.fromkeys(PARTS),
        "moves": None,
        "skipped": {},
    }
    what = f"{chosen.title} on instance {int(instance):,}"
    with in_words(what), case:
        refuse_unlike(case)
        work = Work(case, chosen, values, context)
        answer["cost"] = work.cost
        _measure(_Measured(work, int(random_state)), answer, what, began)
    return {**answer, **_so_far(work, began)}, {}


def _measure(measured: _Measured, answer: dict[str, Any], what: str, began: float) -> None:
    """Put one part after another into ``answer``, published before each; a part that fails is skipped, with why."""
    work = measured.work
    for part, measure in measured.parts(answer["skipped"]):
        work.case.session.partial({**answer, **_so_far(work, began), "partial": True}, {})
        try:
            with in_words(what):
                answer |= measure()
        except redrawn.WeightsChanged:
            raise  # what was measured before is of other weights
        except CutawayError as error:
            answer["skipped"][part] = error.message


def _so_far(work: Work, began: float) -> dict[str, Any]:
    return {"passes": work.count.passes, "seconds": round(time.monotonic() - began, 3)}


class _Measured:
    """Which measures fit a map (``work``), at what cost, in which order: cheap ones first."""

    def __init__(self, work: Work, seed: int) -> None:
        self.work, self._seed = work, seed
        self._regions = Regions(work.case)
        dear = work.cost * max(1.0, work.case.inputs[0].numel() / SMALL)
        plan = next((plan for most, plan in PLANS if dear <= most), (0, 0, 0))
        self._near, self._draws, most = plan
        self._layers = redrawn.groups(work.case, most or 1)

    def parts(self, skipped: dict[str, str]) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
        """Names of the measures that are made, and how; reasons of the others go to ``skipped``."""
        work, cost, seed = self.work, self.work.cost, self._seed
        made: list[tuple[str, Callable[[], dict[str, Any]]]] = []
        total = work.count.passes
        reason = NOT_ON_INPUT if work.form != "input" else OF_A_NEURON if "neuron" in work.found.extra else ""
        if reason:
            skipped |= dict.fromkeys(("completeness", "deletion", "insertion", "infidelity"), reason)
        else:
            made.append(("completeness", self._said("Adding up", lambda: {"completeness": completeness(work)})))
            made.append(("deletion", self._said("Taking regions away", self._curves)))
            made.append(("infidelity", self._said("Comparing with what it foretells", self._infidelity)))
            total += curves.passes(self._regions) + infidelity.SAMPLES + 1 + int(work.method.result.complete)
        busy = redrawn.busy(work.case.session)
        if busy:
            skipped |= dict.fromkeys(("reaction", "randomised"), IN_USE)
        else:
            made.append(("reaction", self._said("Comparing with random weights", self._reaction)))
            total += randomised.passes_of_reaction()
        if self._near:
            near = lambda: {"sensitivity": sensitivity.sensitivity(work, self._near, seed)}  # noqa: E731
            made.append(("sensitivity", self._said("Explaining near instances", near)))
            total += self._near * (cost + 1)
        else:
            skipped["sensitivity"] = f"One map takes {cost:,} passes of the model; this takes several more maps."
        if self._draws and not busy:
            made.append(("randomised", self._said("Explaining with random weights", self._randomised)))
            total += self._draws * len(self._layers) * (cost + 1)
        elif not busy:
            skipped["randomised"] = f"One map takes {cost:,} passes of the model; this takes several more maps."
        work.count.planned = total
        return made

    def _said(self, what: str, measure: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
        def run() -> dict[str, Any]:
            self.work.count.doing = what
            self.work.count.say()
            return measure()

        return run

    def _curves(self) -> dict[str, Any]:
        return curves.curves(self.work, self._regions, self._seed)

    def _infidelity(self) -> dict[str, Any]:
        return {"infidelity": infidelity.infidelity(self.work, self._regions, self._seed)}

    def _reaction(self) -> dict[str, Any]:
        return {"reaction": randomised.reaction(self.work, self._regions, self._layers, self._seed)}

    def _randomised(self) -> dict[str, Any]:
        return {"randomised": randomised.randomised(self.work, self._layers, self._draws, self._seed)}
