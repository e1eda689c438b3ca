"""Passes over an extraction: its batches, or smaller ones where memory did not suffice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from analysis.layers.passes import batches
from tests.layers.desk import Context, open_desk, pairs


def test_after_running_out_of_memory_batches_are_smaller_and_rows_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    images, labels = torch.rand(21, 1, 6, 6), torch.arange(21) % 2
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
    session = open_desk(model, pairs(images, labels), tmp_path, batch_size=8)
    extraction = session.extraction()
    whole = list(batches(session, extraction, Context(), ""))
    assert max(len(rows) for _, rows in whole) == 8
    session.batch_size = 3
    context = Context()
    small = list(batches(session, extraction, context, ""))
    assert max(len(rows) for _, rows in small) == 3
    assert np.array_equal(np.concatenate([r for _, r in small]), np.concatenate([r for _, r in whole]))
    assert context.told[-1][:2] == (21, 21)
