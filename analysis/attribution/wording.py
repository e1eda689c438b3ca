"""What was explained, and what came of it, in sentences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.method import Found, Method
from analysis.layers.maps import best_scores

GAP = 0.05  # of the change of the score, beyond which the user is told that values do not add up
TINY = 1e-6
SMALL_SHARE = 0.1  # a change smaller than that, beside the values' sizes, is no measure of what is missing


def target_name(case: Case, row: int = 0) -> str:
    """What is explained of an instance, such as "the score of class '4'"."""
    if case.unit is not None:
        unit = case.unit
        [info] = case.session.infos([unit.layer])
        word = "filter" if info.kind == "conv" else "unit"
        pool = "the largest activation of " if unit.pool == "max" else ""
        if unit.others:
            return f"{pool or 'the mean of '}{unit.name}"
        return f"{pool}{word} {unit.index} of {unit.layer}"
    names = [repr(str(case.session.class_names[number])) for number in case.classes[row]]
    form = case.session.opened.scores.form
    if len(names) > 1:
        return f"{names[0]} minus {names[1]}"
    if form == "binary":
        other = repr(str(case.session.class_names[1 - case.classes[row][0]]))
        return f"the score of class {names[0]} against {other}"
    return f"the {'log-probability' if form == 'probabilities' else 'score'} of class {names[0]}"


def completeness_notes(method: Method, found: Found, score: float, total: float, size: float) -> list[str]:
    """A sentence if values that claim to add up do not. total, size: sum of the values, and of their sizes."""
    if not method.result.complete or method.result.form != "input" or found.baseline is None:
        return []
    change = score - float(found.baseline[0])
    gap = abs(total - change)
    if gap <= GAP * max(abs(change), SMALL_SHARE * size, TINY):
        return []
    names = {parameter.name for parameter in method.parameters}
    remedy = " More steps bring them together." if "n_steps" in names else ""
    remedy = " More samples bring them together." if "n_samples" in names else remedy
    added, moved = (f"{value:.4g}".replace("-", "−", 1) for value in (total, change))
    return [f"The values add up to {added}, but the score changes by {moved} from the baseline.{remedy}"]


def refuse_infinite(title: str, values: Tensor, what: str = "values") -> None:
    """Raises AttributionError if any value is NaN or infinite, saying how many and where."""
    finite = values.isfinite()
    if bool(finite.all()):
        return
    wrong = (~finite).nonzero()
    place = ", ".join(str(int(number)) for number in wrong[0][1:])
    raise AttributionError(
        f"{title} gave NaN or infinite {what}: {len(wrong):,} of {values.numel():,}, the first at ({place}).",
        "Choose another method, baseline or target; this result would mean nothing.",
    )


def check_values(title: str, case: Case, form: str, values: Tensor) -> None:
    """Raises AttributionError if the values of form 'input' have another shape than the inputs, or are not finite."""
    if form == "input":
        expected = list(case.inputs.shape)
        given = list(values.shape)
        if case.channels is not None and len(given) == len(expected) and given[case.channels] == 1:
            given[case.channels] = expected[case.channels]
        if given != expected:
            raise AttributionError(
                f"{title} gave values of shape {tuple(values.shape)} for inputs of shape {tuple(case.inputs.shape)}.",
                "Choose another method for this model.",
            )
    elif len(values) != len(case):
        raise AttributionError(f"{title} gave {len(values)} results for {len(case)} instances.", "Choose another one.")
    refuse_infinite(title, values)


def without_padding(case: Case, values: Tensor) -> Tensor:
    """Values of form 'input' with 0 at padding."""
    return torch.where(case.valid(), values, torch.zeros((), dtype=values.dtype, device=values.device))


def described(case: Case) -> dict[str, Any]:
    """What the model says of the first instance: 'prediction', 'scores'."""
    return {"prediction": int(case.logits[0].argmax()), "scores": best_scores(case.logits[0])}
