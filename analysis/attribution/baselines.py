"""Baselines: inputs that stand for 'nothing there', in the form of ``Case.inputs``."""

from __future__ import annotations

import torch
from torch import Tensor

from analysis.attribution.case import Case
from analysis.attribution.parameters import Parameter
from analysis.errors import ParameterError

CHOICES = ("zero", "mean", "blur", "own")
PARAMETER = Parameter(
    "baselines",
    "choice",
    "zero",
    "What stands for 'nothing there': 0 as the model gets it, the mean of instances, the instance blurred, or the "
    "subject's own.",
    choices=CHOICES,
)


def of(case: Case, name: str) -> Tensor:
    """The baseline of every instance, the shape of ``case.inputs``. Raises ParameterError if there is no such one."""
    if name == "zero":
        return torch.zeros_like(case.inputs)
    raise ParameterError(f"There is no baseline {name!r}.", f"Choose one of: {', '.join(CHOICES)}.")
