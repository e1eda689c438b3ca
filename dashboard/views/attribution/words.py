"""What the Attribution view says of an answer: what is explained, what its values are, whether they add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.attribution.targets import PREDICTED, TRUE, Target, Unit
from analysis.errors import ParameterError
from dashboard.views.attribution import data
from dashboard.wording import column, finite

MINUS = "−"
# Methods whose values are slopes, and those without a unit; all others share out the score.
SLOPES = ("saliency", "neuron_gradient", "guided_backprop", "deconvolution")
UNITLESS = ("layer_grad_cam", "guided_grad_cam")
EXACT = 0.01  # of the change of the score: a smaller gap is none


def signed(value: float, digits: int = 3) -> str:
    """'+0.0123', with a real minus sign; 'undefined' where it is not finite."""
    text = finite(value, digits)
    if text.startswith("-"):
        return MINUS + text[1:]
    return text if text in ("undefined", "0") else f"+{text}"


def aligned(values: Sequence[float], digits: int = 3) -> list[str]:
    """Signed numbers that stand below each other, with the same decimals."""
    texts = column(values, digits)
    return [
        MINUS + text[1:] if text.startswith("-") else text if text == "undefined" or not value else f"+{text}"
        for text, value in zip(texts, values, strict=True)
    ]


def number(value: Any, digits: int = 3) -> str:
    """The same without a plus."""
    return finite(value, digits).replace("-", MINUS, 1)


def explained(shown: data.Frame, said: dict[str, Any] | None = None) -> str:
    """What is explained, in words. said: plain part of an answer, which knows the classes."""
    if said and said.get("target_name"):
        return str(said["target_name"])
    if shown.unit:
        unit = Unit.parse(shown.unit)
        return f"unit {unit.index} of {unit.layer}" if unit else "a unit"
    numbers = [int(value) for value in (said or {}).get("target") or ()]
    try:
        target = Target.parse(shown.selection.target)
    except ParameterError:
        return f"target {shown.selection.target}"
    numbers = numbers or list(target.classes)
    if len(numbers) > 1:
        return f"'{shown.class_name(numbers[0])}' minus '{shown.class_name(numbers[1])}'"
    if numbers:
        return f"the score of class '{shown.class_name(numbers[0])}'"
    return {PREDICTED: "the score of the predicted class", TRUE: "the score of the true class"}[target.name]


def quantity(said: dict[str, Any]) -> str:
    """What the values of an answer are: answers of one quantity may share a scale."""
    form, method = said.get("form"), str(said.get("method"))
    params = {str(value) for value in (said.get("params") or {}).values()}
    if form == "attention":
        return "attention weight"
    if method == "layer_activation":
        return "activation"
    if {"smoothgrad_sq", "vargrad"} & params:
        return "squared gradient" if params & set(SLOPES) else "squared contribution"
    if method in SLOPES or (method == "smoothgrad" and (params & set(SLOPES) or not _based(params))):
        return "gradient"
    if method in UNITLESS:
        return "weighted activation"
    return f"contribution to the {'activation' if said.get('unit') else 'score (logit)'}"


def _based(params: set[str]) -> bool:
    """Whether a method that averages another one averages contributions."""
    return bool(params & {"integrated_gradients", "input_x_gradient", "deep_lift"})


def adds_up(said: dict[str, Any]) -> str:
    """The sum of the values beside what it should be, for methods that promise it; '' for the others."""
    baseline, score, total = said.get("baseline"), said.get("score"), said.get("sum")
    if not said.get("complete") or baseline is None or score is None or total is None:
        return ""
    change = float(score) - float(baseline)
    gap = abs(float(total) - change) / max(abs(change), 1e-9)
    off = "adds up" if gap < EXACT else f"off by {100 * gap:.2g} %" if gap < 10 else "does not add up"
    return f"Sum {number(total)}; score {number(score)} {MINUS} baseline {number(baseline)} = {number(change)}: {off}."


def sampled(said: dict[str, Any]) -> str:
    """'12 of 100 samples' of an answer that is still refined, or of how many it is made."""
    done, planned = said.get("samples"), said.get("samples_planned")
    if not isinstance(done, int) or isinstance(done, bool):
        return ""
    word = {"shapley_value_sampling": "permutations"}.get(str(said.get("method")), "samples")
    return f"{done:,} of {planned:,} {word}" if isinstance(planned, int) and planned > done else f"{done:,} {word}"
