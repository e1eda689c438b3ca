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
    return _with_sign(finite(value, digits))


def _with_sign(text: str) -> str:
    """A number as text with its sign, a real minus; '0' for all that is written as 0."""
    if text == "undefined":
        return text
    if not text.strip("-+0.,"):
        return "0"
    return MINUS + text[1:] if text.startswith("-") else f"+{text}"


def aligned(values: Sequence[float], digits: int = 3) -> list[str]:
    """Signed numbers that stand below each other, with the same decimals."""
    return [_with_sign(text) for text in column(values, digits)]


def number(value: Any, digits: int = 3) -> str:
    """The same without a plus."""
    text = finite(value, digits)
    if not text.strip("-0."):
        return "0"
    return MINUS + text[1:] if text.startswith("-") else text


def explained(shown: data.Frame, said: dict[str, Any] | None = None) -> str:
    """What is explained, in words. said: plain part of an answer, which knows the classes."""
    if shown.unit:
        return _unit(shown.unit, str((said or {}).get("target_name") or ""))
    if said and said.get("target_name"):
        return str(said["target_name"])
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


def _unit(written: str, name: str) -> str:
    """A filter or unit, and which of its values: what the Layers view shows is after the rectifier, this is before."""
    unit = Unit.parse(written)
    if unit is None:
        return name or "a unit"
    what = unit.name if unit.others else name or unit.name
    return f"{what} before any ReLU" if unit.pool == "max" else f"the mean activation of {what} before any ReLU"


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
    words = {"shapley_value_sampling": "permutations", "integrated_gradients": "steps"}
    word = words.get(str(said.get("method")), "samples")
    return f"{done:,} of {planned:,} {word}" if isinstance(planned, int) and planned > done else f"{done:,} {word}"
