"""Scores are found in whatever the model returns, and fit the labels and the names of the classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis import Subject
from analysis.data.errors import SubjectError
from analysis.models.outputs import AmbiguousOutput
from analysis.subject import Session
from tests.subject.subjects import (
    IMAGES,
    PAIRS,
    Likeness,
    N,
    Shaped,
    convolutional,
    limits,
    session,
)

# Outputs


@dataclass
class Output:
    logits: Tensor
    hidden: Tensor


WRAPS: dict[str, Any] = {
    "a tensor": lambda t: t,
    "a dataclass": lambda t: Output(t, t * 2),
    "a dictionary": lambda t: {"hidden": t * 2, "logits": t},
    "a mapping with attributes": lambda t: Likeness(logits=t),
    "a tuple of one": lambda t: (t,),
    "a tuple with states": lambda t: (t, t[None, None]),
    "a dictionary of one": lambda t: {"anything": t},
}


@pytest.mark.parametrize("name", WRAPS)
def test_scores_are_found_in_whatever_the_model_returns(name: str) -> None:
    model = Shaped(WRAPS[name])
    found = session(model, kind="image")
    assert torch.allclose(found.forward(found.batch(range(N))), model.linear(IMAGES.flatten(1)).detach(), atol=1e-6)
    assert found.description()["output"]["how"]


def test_between_two_outputs_the_user_is_asked_and_obeyed() -> None:
    model = Shaped(lambda t: {"a": t, "b": -t})
    with pytest.raises(AmbiguousOutput, match="several"):
        session(model)
    found = session(model, output="b")
    assert torch.allclose(found.forward(found.batch([0])), -model.linear(IMAGES[:1].flatten(1)).detach(), atol=1e-6)


def test_probabilities_and_single_scores_become_logits() -> None:
    model = Shaped(lambda t: t.softmax(1))
    found = session(model)
    confidence = found.forward(found.batch(range(N))).softmax(1)
    assert torch.allclose(confidence, model(IMAGES).detach(), atol=1e-6)
    assert "probabilities" in found.description()["output"]["how"]
    binary = [(x, y % 2) for x, y in PAIRS]
    for wrap in (lambda t: t * 9, lambda t: (t * 9)[:, 0]):
        single = Shaped(wrap, 1)
        found = session(single, binary)
        oracle = torch.sigmoid(single(IMAGES).reshape(-1)).detach()
        assert torch.allclose(found.forward(found.batch(range(N))).softmax(1)[:, 1], oracle, atol=1e-6)
        assert found.class_names == ["0", "1"]
    with pytest.raises(SubjectError, match="from 0 to 1"):
        session(Shaped(torch.sigmoid, 1), binary)
    with pytest.raises(SubjectError, match="one number"):
        session(Shaped(lambda t: t, 1), binary, class_names=["a", "b", "c"])


@pytest.mark.parametrize("wrap", [lambda t: t.mean(), lambda t: t[None], lambda t: t[:, :, None].expand(-1, 3, 4)])
def test_an_output_without_a_score_for_each_class_is_refused(wrap: Any) -> None:
    with pytest.raises(SubjectError, match="shape") as caught:
        session(Shaped(wrap))
    assert "forward_func" in caught.value.remedy


def test_forward_func_calls_the_model() -> None:
    model = Shaped(lambda t: {"a": t, "b": t * 2})
    found = session(model, forward_func=lambda net, x: net(x)["b"])
    assert torch.allclose(found.forward(found.batch([1])), 2 * model.linear(IMAGES[1:2].flatten(1)).detach(), atol=1e-6)
    rows = [{"first": x, "second": x, "label": y} for x, y in PAIRS]
    both = session(model, rows, forward_func=lambda net, inputs: net(inputs["first"] + inputs["second"])["a"])
    assert torch.allclose(both.forward(both.batch([1])), model.linear(2 * IMAGES[1:2].flatten(1)).detach(), atol=1e-6)


def test_a_model_that_fails_on_its_first_batch_is_shown_with_shapes_and_traceback() -> None:
    with pytest.raises(SubjectError, match=r"\(8, 1, 8, 8\) float32") as caught:
        session(nn.Sequential(nn.Flatten(), nn.Linear(63, 3)))
    assert "RuntimeError" in caught.value.message
    assert "collate_fn" in caught.value.remedy


# Labels and classes


def test_class_names_must_fit_the_outputs_and_labels_too() -> None:
    with pytest.raises(SubjectError, match="2 class names"):
        session(class_names=["a", "b"])
    with pytest.raises(SubjectError, match="4 class names"):
        session(class_names=["a", "b", "c", "d"])
    with pytest.raises(SubjectError, match="Labels go up to 2"):
        session(convolutional(2))
    assert session().class_names == ["0", "1", "2"]
    late = [(x, 0) for x in IMAGES.repeat(20, 1, 1, 1)]
    late[-2] = (late[-2][0], 7)  # not among the instances looked at first
    with pytest.raises(SubjectError, match="Labels go up to 7"):
        session(data=late).labels()


def test_labels_are_those_of_the_items_missing_ones_too() -> None:
    items = [(x, None if n % 4 == 0 else y) for n, (x, y) in enumerate(PAIRS)]
    found = session(data=items)
    oracle = [-1 if y is None else y for _, y in items]
    assert found.labels([3, 0, 4]).tolist() == [oracle[3], -1, -1]
    assert found.labels().tolist() == oracle
    assert found.labels().dtype == np.int64
    assert found.description()["class_counts"] == [oracle.count(k) for k in range(3)]
    assert "3 of 12 instances have no label" in limits(found)
    calls: list[Any] = []
    assert session(data=items).labels(progress=lambda *args: calls.append(args)).tolist() == oracle
    assert calls[-1][:2] == (12, 12)


def test_without_labels_and_with_one_class_accuracy_is_undefined() -> None:
    found = session(data=list(IMAGES))
    assert found.description()["class_counts"] is None
    assert "no instance has a label" in limits(found)
    assert found.description()["examples"][0]["label"] is None
    assert found.description()["examples"][0]["correct"] is None
    assert "Let items be pairs" in " ".join(row["remedy"] for row in found.description()["limits"])
    one = session(data=[(x, 1) for x in IMAGES], class_names=["a", "b", "c"])
    assert one.description()["class_counts"] == [0, 12, 0]
    assert "all labels are 'b'" in limits(one)


@pytest.mark.parametrize("missing", [None, -1])
def test_pairs_without_a_single_label_are_described_as_such(missing: int | None) -> None:
    found = session(data=[(x, missing) for x in IMAGES])
    described = found.description()
    [row] = [row for row in described["inferred"] if row["what"] == "labels"]
    assert row["value"] == "none"
    assert row["why"] == "the second of each pair is no class number in any instance"
    [limit] = [row for row in described["limits"] if "no instance has a label" in row["reason"]]
    assert "the second of each pair" in limit["remedy"]
    assert "Let items be pairs" not in limit["remedy"]
    assert not [row for row in described["inferred"] if row["what"] == "all labels"]


def test_what_a_subject_notes_is_among_the_notices() -> None:
    subject = Subject(convolutional(), PAIRS)
    subject.notes.append("Not trained yet.")
    assert "Not trained yet." in Session(subject, device="cpu").description()["notices"]
