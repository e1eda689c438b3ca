"""From what a model yields to logits (n, C), whatever the form of its scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.data.errors import SubjectError
from analysis.models.outputs import describe_output, logits_of

_POOL = "Give forward_func=, a function of (model, inputs) that returns scores of the shape (instances, classes)."


@dataclass(frozen=True)
class Scores:
    """How logits are made of an output. select: part of the output that is meant, None for the only one.

    form: 'logits', 'probabilities' (their logarithm is taken) or 'binary' (one number: the score of class 1 against 0).
    classes: C. shape: of the chosen tensor. how: in words.
    """

    select: str | int | None
    form: str
    classes: int
    shape: tuple[int, ...]
    how: str

    def logits(self, output: Any, n: int, *, graph: bool = False) -> Tensor:
        """Logits (n, C), float32. graph: keep what gradients need.

        Raises:
            SubjectError: another shape than for the first batch. AmbiguousOutput: another structure.
        """
        scores = logits_of(output, self.select)
        expected = (n, *self.shape[1:])
        if tuple(scores.shape) != expected:
            raise SubjectError(
                f"The model yields the shape {tuple(scores.shape)} for {n} instances, not {expected}.", _POOL
            )
        return _converted((scores if graph else scores.detach()).to(torch.float32), self.form)


def learn_scores(output: Any, n: int, select: str | int | None, names: list[str] | None) -> Scores:
    """Find out what the scores of a first batch of ``n`` instances are.

    Raises:
        AmbiguousOutput: several tensors may be meant. SubjectError: they are no scores of classes.
    """
    scores = logits_of(output, select)
    shape = tuple(scores.shape)
    how = _where(output, scores, select)
    if not shape or shape[0] != n:
        raise SubjectError(f"The model yields the shape {shape} for {n} instances; instances must come first.", _POOL)
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return _binary(scores, select, how, names)
    if len(shape) != 2:
        raise SubjectError(f"The model yields the shape {shape}, not one score for each class of an instance.", _POOL)
    values = scores.detach().cpu().double()
    sums = values.sum(1)
    if bool((values >= 0).all()) and bool(((sums - 1).abs() < 1e-3).all()):
        return Scores(select, "probabilities", shape[1], shape, f"{how}; its rows add up to 1: probabilities")
    return Scores(select, "logits", shape[1], shape, how)


def _binary(scores: Tensor, select: str | int | None, how: str, names: list[str] | None) -> Scores:
    if names is not None and len(names) != 2:
        raise SubjectError(
            f"The model yields one number for each instance, but there are {len(names):,} class names.", _POOL
        )
    values = scores.detach().cpu().double()
    if bool(((values >= 0) & (values <= 1)).all()):
        raise SubjectError(
            "The model yields one number from 0 to 1 for each instance: a probability, a score, or a quantity.",
            "Give forward_func=, a function of (model, inputs) that returns a score for each of the two classes.",
        )
    return Scores(select, "binary", 2, tuple(scores.shape), f"{how}; one number: the score of class 1 against class 0")


def _converted(scores: Tensor, form: str) -> Tensor:
    if form == "probabilities":
        return scores.clamp_min(torch.finfo(scores.dtype).tiny).log()
    if form == "binary":
        single = scores.reshape(len(scores))
        return torch.stack([torch.zeros_like(single), single], 1)
    return scores


def _where(output: Any, scores: Tensor, select: str | int | None) -> str:
    if isinstance(output, Tensor):
        return "the tensor that the model returns"
    listed = "; ".join(describe_output(output))
    if select is not None:
        return f"the part {select!r} of what the model returns, as you said (output=)"
    ways: list[tuple[str, Callable[[], Any]]] = [
        (".logits", lambda: output.logits),
        ("['logits']", lambda: output["logits"]),
        ("[0]", lambda: output[0]),
    ]
    for name, get in ways:
        try:
            if get() is scores:
                return f"{name} of what the model returns ({listed})"
        except (AttributeError, KeyError, IndexError, TypeError):
            continue
    return f"the only tensor with the shape of scores in what the model returns ({listed})"
