"""DeepLIFT with the rescale rule: what each value contributes to the difference from a baseline."""

from __future__ import annotations

from typing import Any

from analysis.attribution import baselines
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.rules import deep_lift, known

PARAMETERS = (baselines.PARAMETER,)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """Contributions (n, *inputs.shape[1:]). They add up to the change of the score from the baseline to the input.

    Captum's DeepLift knows only modules, so that it takes ``F.relu`` for linear; this one goes by operations, and
    refuses what it has no rule for.
    """
    told(0, 2, "passes", "DeepLift")
    found, reference = known.against(case, baselines.of(case, parameters["baselines"]))
    return Found(found.back, baseline=reference.score, notes=found.notes, extra=found.extra)


METHOD = Method(
    name="deep_lift",
    title="DeepLift",
    family="gradient",
    version=1,
    summary="What each value of the input contributes to the score's difference from a baseline's, layer by layer.",
    source="Shrikumar et al., 'Learning Important Features Through Propagating Activation Differences', ICML 2017, "
    "section 3.5.1 (rescale rule).",
    result=Result(complete=True),
    parameters=PARAMETERS,
    run=run,
    applies=deep_lift.applies,
    costs="1 pass forward and backward, and 1 forward of a baseline that is new",
)
