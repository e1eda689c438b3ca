"""Sensitivity: how much a map changes when the instance hardly does (Yeh et al., NeurIPS 2019, definition 3.1).

max over ||y - x||_inf <= r of ||map(y) - map(x)|| / ||map(x)||, over random y.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.attribution.measures.work import Work

RADIUS = 0.02  # of the range of the instance's values; of a table, of each column's standard deviation
OTHERS = 64  # instances that a table's columns are measured on


def sensitivity(work: Work, samples: int, seed: int) -> dict[str, Any]:
    """{'value' (None where undefined), 'radius': as a share, 'samples', 'why'}. The target stays the instance's."""
    value: dict[str, Any] = {"value": None, "radius": RADIUS, "samples": samples, "why": ""}
    size = float(work.original.double().norm())
    reach = RADIUS * spread(work)
    if size == 0:
        return {**value, "why": "The map is 0 everywhere."}
    if not bool((reach > 0).any()):
        return {
            **value,
            "why": "All values of the instance are the same: no small change can be told from a large one.",
        }
    generator = torch.Generator().manual_seed(seed)
    largest = 0.0
    for _ in range(samples):
        noise = torch.rand(work.case.inputs.shape, generator=generator).to(work.case.inputs) * 2 - 1
        near = torch.where(work.case.valid(), work.case.inputs + noise * reach, work.case.inputs)
        largest = max(largest, float((work.map(near) - work.original).double().norm()) / size)
    return {**value, "value": largest}


def spread(work: Work) -> Tensor:
    """What the radius is a share of, broadcastable to ``inputs``."""
    case = work.case
    if case.kind == "table":
        session = case.session
        count = min(OTHERS, session.n)
        rows = session.batch(np.unique(np.linspace(0, session.n - 1, count).astype(int)).tolist())
        values = session.input_tensor(rows).to(case.inputs)
        return values.std(0, correction=0)[None]
    kept = case.inputs[case.valid().expand_as(case.inputs)]
    return (kept.max() - kept.min()) if len(kept) else torch.zeros(())
