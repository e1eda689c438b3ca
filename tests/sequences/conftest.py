"""One thread each, and sessions of small recurrent networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from analysis import Subject
from analysis.subject.session import Session

TOKENS = ["<pad>", "<unk>", *(f"w{number}" for number in range(2, 20))]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Tests share the machine, and threads that wait for each other cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


def opened(model: nn.Module, data: Any, **options: Any) -> Session:
    """The session of a subject, on the CPU. options: as ``Subject``."""
    return Session(Subject(model, data, **options), device="cpu")


def texts(lengths: tuple[int, ...] = (7, 4, 9, 1, 5, 6), vocabulary: int = 20, seed: int = 0) -> list[Tensor]:
    """Sequences of ids from 1 up; 0 is padding."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(1, vocabulary, (length,), generator=generator) for length in lengths]


def labelled(inputs: Any, classes: int = 3) -> list[tuple[Any, int]]:
    """(input, label) pairs, labels in turn."""
    return [(one, number % classes) for number, one in enumerate(inputs)]
