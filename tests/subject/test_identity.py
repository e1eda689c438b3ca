"""The digest of the code: whatever an answer depends on beside weights and data changes it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from analysis import Subject
from analysis.subject.identity import code_hash
from analysis.subject.loading import load_subject
from tests.subject.subjects import PAIRS, convolutional


class Scaled(nn.Module):
    """Its result depends on things that are no weights."""

    def __init__(self, scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(64, 3)
        self.scale = scale
        self.register_buffer("shift", torch.tensor(shift), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.flatten(1)) * self.scale + self.shift


def shifted(by: float) -> Callable[..., Any]:
    return lambda model, x: model(x) + by


def code(model: nn.Module | None = None, **options: Any) -> str:
    return code_hash(Subject(model or convolutional(), PAIRS, **options), "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"model": Scaled(1.0)}, {"model": Scaled(2.0)}),
        ({"model": Scaled(1.0, 0.0)}, {"model": Scaled(1.0, 1.0)}),
        ({"decode": {1: "a"}}, {"decode": {1: "b"}}),
        ({"forward_func": shifted(1.0)}, {"forward_func": shifted(2.0)}),
        ({"batch_size": 4}, {"batch_size": 8}),
    ],
    ids=["attribute", "buffer", "decode", "closure", "batch"],
)
def test_what_is_neither_weight_nor_text_counts(one: Any, other: Any) -> None:
    assert code(**one) == code(**one)
    assert code(**one) != code(**other)


def test_a_pass_does_not_change_it() -> None:
    model = Scaled()
    before = code(model)
    model.eval()
    model.register_forward_hook(lambda *_: None)
    assert code(model) == before


MINE = """
import torch
from analysis import Subject
from middle_of_this_test import Model

def subject():
    return Subject(Model(), [(torch.ones(1, 2, 2), 0)])
"""
MIDDLE = """
import torch
import deep_of_this_test

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(4, 2)

    def forward(self, x):
        return deep_of_this_test.act(self.linear(x.flatten(1)))
"""


def test_helpers_of_the_subject_count_and_are_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "middle_of_this_test.py").write_text(MIDDLE)
    deep = tmp_path / "deep_of_this_test.py"
    deep.write_text("def act(x):\n    return x * 10\n")
    first = load_subject(tmp_path / "mine.py")
    x = torch.ones(1, 1, 2, 2)
    result, digest = first.model(x), code_hash(first, "s")
    deep.write_text("def act(x):\n    return x * 200000\n")
    second = load_subject(tmp_path / "mine.py")
    assert torch.allclose(second.model(x), result * 20000)
    assert code_hash(second, "s") != digest
