"""Turns what a training loop holds into plain numbers, or says what is wrong with it."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch

from analysis.errors import RecordingError


def plain_step(step: Any) -> int:
    """A step as an int of at least 0.

    Raises:
        RecordingError: it is not an integer, or negative.
    """
    if type(step) is int and 0 <= step < 2**63:
        return step
    try:
        if isinstance(step, bool):
            raise TypeError
        number = operator.index(step)
    except (TypeError, ValueError, RuntimeError):
        raise RecordingError(
            f"The step {step!r} is of type {type(step).__name__}, not an integer.",
            "Pass the number of the training step as step=..., counting from 0.",
        ) from None
    if not 0 <= number < 2**63:
        raise RecordingError(f"The step {number} is negative or beyond 2^63.", "Count training steps from 0.")
    return number


def plain_metrics(metrics: Any, epoch: Any = None) -> dict[str, float]:
    """Metrics as floats, in the order given; ``epoch``, if there is one, under the tag 'epoch'.

    Raises:
        RecordingError: not a mapping, a tag that is no text, or a value that is not one real number.
    """
    if type(metrics) is not dict and not isinstance(metrics, Mapping):
        raise RecordingError(
            f"Metrics are a {type(metrics).__name__}, not a mapping.", 'Pass a dictionary: {"train/loss": loss}.'
        )
    plain = {_tag(tag): _number(tag, value) for tag, value in metrics.items()}
    if epoch is not None:
        plain["epoch"] = _number("epoch", epoch)
    return plain


def _tag(tag: Any) -> str:
    if not isinstance(tag, str) or not tag:
        raise RecordingError(f"The tag {tag!r} is not a name.", 'Name each metric with text, such as "train/loss".')
    return tag


def _number(tag: str, value: Any) -> float:
    if isinstance(value, float):
        return value
    count = value.numel() if isinstance(value, torch.Tensor) else getattr(value, "size", 1)
    if isinstance(count, int) and count != 1:
        raise RecordingError(
            f"The metric {tag!r} has {count:,} elements (shape {tuple(value.shape)}), not one.",
            "Reduce it first, for example with .mean().",
        )
    try:
        if isinstance(value, torch.Tensor):
            value = value.detach().item()
        elif hasattr(value, "item"):
            value = value.item()
        if isinstance(value, (str, bytes)):
            raise TypeError("text")
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise RecordingError(
            f"The metric {tag!r} is {value!r} ({type(value).__name__}), not a real number.",
            "Log a number, or a tensor of one element.",
        ) from None
