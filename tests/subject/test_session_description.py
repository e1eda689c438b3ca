"""A session says what it inferred and what is missing, and refuses arguments that cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject
from analysis.data.errors import SubjectError
from analysis.errors import CutawayError, NotFound
from analysis.subject import Session
from tests.subject.subjects import (
    IMAGES,
    LABELS,
    PAIRS,
    convolutional,
    limits,
    session,
)

# Description


def test_the_description_is_plain_and_says_what_was_inferred() -> None:
    class Augmented(TensorDataset):
        classes = ("ant", "bee", "cat")

        def __getitem__(self, index: int) -> Any:
            x, y = super().__getitem__(index)
            return x + torch.rand(()), y

    frame = {"site": ["north"] * 6 + ["south"] * 6}
    found = session(data=Augmented(IMAGES, LABELS), metadata=frame, always_include=[3], name="insects")
    steps: list[Any] = []
    description, _ = found.describe(lambda *args: steps.append(args))
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert description["name"] == "insects"
    assert description["classes"] == ["ant", "bee", "cat"]
    assert description["layers"] == [info.to_json() for info in found.layers]
    assert [info.key for info in found.layers] == ["0", "5"]
    assert description["model"] == {"type": "Sequential", "parameters": 483, "trainable": 483, "modules": 6}
    assert description["metadata"]["columns"][0]["values"] == ["north", "south"]
    assert description["always_include"] == [3]
    assert "augmentation" in limits(found)
    assert len(description["examples"]) == 8
    assert {row["label"] for row in description["examples"]} == {0, 1, 2}
    assert all(row["what"] and row["value"] and row["why"] for row in description["inferred"])
    assert all(row["view"] and row["reason"] and row["remedy"] for row in description["limits"])
    assert found.describe()[0] is description


def test_keys_of_answers_change_with_weights_data_and_code() -> None:
    def identity(model: nn.Module, data: Any, source: str = "", **options: Any) -> tuple[str, str, str]:
        d = Session(Subject(model, data, **options), device="cpu", source=source).description()
        return d["weights"], d["data"], d["code"]

    own = identity(convolutional(), PAIRS)
    assert identity(convolutional(), list(PAIRS)) == own
    changed = convolutional()
    with torch.no_grad():
        changed[0].weight[0, 0, 0, 0] += 1e-6  # type: ignore[index]
    assert [a != b for a, b in zip(identity(changed, PAIRS), own, strict=True)] == [True, False, False]
    other = [(x + 1e-6 * (n == 7), y) for n, (x, y) in enumerate(PAIRS)]
    assert [a != b for a, b in zip(identity(convolutional(), other), own, strict=True)] == [False, True, False]
    for options in ({"source": "ab"}, {"forward_func": lambda net, x: net(x)}):
        assert identity(convolutional(), PAIRS, **options)[2] != own[2]  # type: ignore[arg-type]


def test_layers_are_found_by_key_and_near_misses_are_named() -> None:
    found = session()
    assert [info.key for info in found.infos(["5", "0"])] == ["5", "0"]
    with pytest.raises(NotFound, match="no layer"):
        found.infos(["conv9"])


def test_a_compiled_model_is_read_uncompiled_with_a_notice() -> None:
    class Wrapper(nn.Module):  # as torch.compile's, which takes seconds to import
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self._orig_mod = inner

        def forward(self, x: Tensor) -> Tensor:
            return self._orig_mod(x)

    found = session(Wrapper(convolutional()))
    assert isinstance(found.model, nn.Sequential)
    assert not found.notices  # the wrapper is simply taken off
    inner = nn.Sequential(Wrapper(nn.Conv2d(1, 3, 8)), nn.Flatten())
    assert "uncompiled" in session(inner).notices[0]


# Arguments


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "video"}, "no kind"),
        ({"collate_fn": 3}, "collate_fn"),
        ({"forward_func": "x"}, "forward_func"),
        ({"embedding_layer": "embeding"}, "no layer"),
        ({"embedding_layer": nn.Linear(1, 1)}, "no part"),
        ({"sampling_rate": 0}, "sampling_rate"),
        ({"always_include": [99]}, "instance 99"),
        ({"always_include": ["x"]}, "always_include"),
        ({"batch_size": 0}, "batch size"),
        ({"decode": 5}, "decode"),
        ({"checkpoints": 5}, "checkpoints"),
        ({"checkpoints": "/nowhere"}, "nowhere"),
        ({"class_names": "abc"}, "class_names"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named_with_a_remedy(options: dict[str, Any], words: str) -> None:
    with pytest.raises(CutawayError, match=words) as caught:
        Subject(convolutional(), PAIRS, **options)
    assert caught.value.remedy


def test_a_model_that_is_none_is_refused() -> None:
    for model in (convolutional, nn.Linear, None, "model", torch.jit.script(nn.Linear(2, 2)), nn.LazyLinear(3)):
        with pytest.raises(SubjectError) as caught:
            Subject(model, PAIRS)  # type: ignore[arg-type]
        assert caught.value.remedy
    with pytest.raises(SubjectError, match="rows"):
        session(metadata={"a": [1]})
