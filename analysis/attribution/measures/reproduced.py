"""Whether the score of instances follows from the input that is explained: without that nothing is measured."""

from __future__ import annotations

from analysis.attribution.case import Case
from analysis.attribution.explain import TOLERANCE
from analysis.attribution.faults import AttributionError


def refuse_unlike(case: Case) -> None:
    """Raises AttributionError if the score of any instance is not finite, or is another one from the input alone.
    Inside the case's context."""
    scores = case.scores(case.inputs).double().cpu()
    direct = scores if case.unit is not None else case.score_of(case.logits, case.rows).double().cpu()
    scale = case.logits.nan_to_num(posinf=0, neginf=0).abs().amax(1).double().cpu() + 1e-3
    for row, (score, told) in enumerate(zip(scores.tolist(), direct.tolist(), strict=True)):
        if not abs(score) < float("inf"):
            raise AttributionError(
                f"The model's score of instance {int(case.batch.indices[row]):,} is {score}: there is nothing to "
                "explain.",
                "Choose another target or instance.",
            )
        if not abs(score - told) <= TOLERANCE * float(scale[row]):
            raise AttributionError(
                f"The model gives the score {told:.4g}, but {score:.4g} from its input alone: what is explained would "
                "not be what it computes.",
                "Look for random numbers, or for inputs that are used twice.",
            )
