"""A session computes what the model computes, leaves no trace, and says what it inferred."""

from __future__ import annotations

import copy
import json
import random
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from analysis import Subject
from analysis.data.errors import SubjectError
from analysis.errors import CutawayError, NotFound, ParameterError
from analysis.models.checkpoints import CheckpointError, sha256_of
from analysis.models.outputs import AmbiguousOutput
from analysis.subject import Session
from analysis.subject.device import choose_device
from tests.subject.subjects import IMAGES, LABELS, PAIRS, TEXTS, N, Reader, Shaped, convolutional, session


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def told(found: Session, what: str) -> str:
    return " ".join(f"{row['value']}: {row['why']}" for row in found.description()["inferred"] if row["what"] == what)


def limits(found: Session) -> str:
    return " ".join(row["reason"] for row in found.description()["limits"])


# Passes


def test_logits_are_those_of_the_model_in_evaluation_mode() -> None:
    model = convolutional()
    oracle = copy.deepcopy(model).eval()(IMAGES)
    found = session(model)
    assert torch.allclose(found.forward(found.batch(range(N))), oracle, atol=1e-6)
    assert torch.allclose(found.forward(found.batch([5])), oracle[[5]], atol=1e-6)
    assert found.forward(found.batch([])).shape == (0, 3)


class Restless(nn.Module):
    """Does all that a pass may leave behind: draws at random, counts, prints."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.norm = nn.BatchNorm2d(3, momentum=0.5)
        self.register_buffer("seen", torch.zeros(1))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen += len(x)
        noise = torch.rand(3) + random.random() + float(np.random.rand())
        return self.norm(self.conv(x)).mean((2, 3)) + noise


def test_passes_and_descriptions_leave_no_trace() -> None:
    model = Restless()
    model.train()
    model.norm.eval()
    state = copy.deepcopy(model.state_dict())
    random_before = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state()
    found = session(model)
    batch = found.batch(range(4))
    first, again = found.forward(batch), found.forward(batch)
    found.describe()
    found.labels()
    assert not any(module.training for module in model.modules())
    found.close()
    assert model.training
    assert model.conv.training
    assert not model.norm.training
    assert model.calls == 0
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert random.getstate() == random_before[0]
    assert np.random.get_state()[1].tobytes() == random_before[1]
    assert torch.equal(torch.get_rng_state(), random_before[2])
    assert not first.requires_grad
    assert first.shape == again.shape


def test_random_numbers_of_torch_in_a_pass_are_the_same_every_time() -> None:
    class Noise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x.flatten(1)) + torch.randn(len(x), 3)

    found = session(Noise())
    batch = found.batch(range(3))
    assert torch.equal(found.forward(batch), found.forward(batch))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_inputs_come_in_the_precision_of_the_model(dtype: torch.dtype) -> None:
    found = session(convolutional().to(dtype))
    logits = found.forward(found.batch(range(3)))
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert str(dtype).removeprefix("torch.") in told(found, "precision")
    assert session(convolutional(), [(x.double().numpy(), y) for x, y in PAIRS]).forward is not None


# Outputs


@dataclass
class Output:
    logits: Tensor
    hidden: Tensor


class Likeness(OrderedDict[str, Any]):
    @property
    def logits(self) -> Any:
        return self["logits"]


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


# Instances


class Faulty(Dataset[Any]):
    def __init__(self, bad: tuple[int, ...]) -> None:
        self.bad = bad

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: int) -> Any:
        if index in self.bad:
            raise OSError("truncated file")
        return PAIRS[index]


def test_corrupt_samples_are_skipped_counted_and_listed() -> None:
    found = session(data=Faulty((0, 5)))
    batch = found.batch(range(N))
    assert batch.indices.tolist() == [n for n in range(N) if n not in (0, 5)]
    assert batch.skipped == [(0, "OSError: truncated file"), (5, "OSError: truncated file")]
    description = found.description()
    assert [index for index, _ in description["skipped"]] == [0, 5]
    assert "2 of the instances" in limits(found)
    assert "truncated file" in limits(found)
    assert found.labels().tolist() == [-1 if n in (0, 5) else n % 3 for n in range(N)]
    assert len(found.forward(found.batch([0, 5]))) == 0
    with pytest.raises(SubjectError, match="cannot be read"):
        found.display(5)
    with pytest.raises(NotFound, match="no instance 12"):
        found.batch([12])


def test_a_data_set_without_rows_is_described_as_empty() -> None:
    found = session(data=[])
    description = found.description()
    assert description["n"] == 0
    assert description["examples"] == []
    assert "no instances" in limits(found)
    assert found.labels().shape == (0,)
    json.dumps(description, allow_nan=False)


def test_pictures_are_shown_at_the_resolution_of_the_input() -> None:
    found = session(inverse_transform=lambda x: x)
    assert (found.display(3) == np.round(IMAGES[3].permute(1, 2, 0).double().numpy() * 255)).all()
    arrays = found.describe()[1]
    assert arrays["examples"].shape == (8, 8, 8, 1)
    assert arrays["examples"].dtype == np.uint8
    shown = [row["index"] for row in found.description()["examples"]]
    assert (arrays["examples"][2] == found.display(shown[2])).all()


TWO = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))


@pytest.mark.parametrize("first", [False, True])
def test_series_of_both_layouts_are_shown_as_channels_and_steps(first: bool) -> None:
    class Convolution(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.rest = nn.Conv1d(3, 4, 3), copy.deepcopy(TWO)

        def forward(self, x: Tensor) -> Tensor:
            return self.rest(self.conv(x.transpose(1, 2) if first else x))

    truth = torch.randn(6, 3, 40)
    data = (truth.transpose(1, 2).contiguous() if first else truth, torch.arange(6) % 2)
    found = session(Convolution(), data, sampling_rate=100)
    assert found.kind == "series"
    assert found.axes == ([1] if first else [2])
    assert np.array_equal(found.display(4), truth[4].numpy())
    assert found.describe()[1]["examples"].shape == (6, 3, 40)
    assert found.input_tensor(found.batch([0])).shape == data[0][:1].shape


def test_rows_of_a_table_are_a_table() -> None:
    found = session(nn.Linear(5, 2), (torch.randn(9, 5), torch.arange(9) % 2))
    assert found.kind == "table"
    assert found.axes == []
    assert found.display(0).shape == (5,)
    assert found.describe()[1]["examples"].shape == (8, 5)


VOCABULARY = ["<pad>", *(f"w{n}" for n in range(1, 20))]


def texts(**options: Any) -> Session:
    rows = [{"ids": ids, "label": n % 2, "text": f"text {n}"} for n, ids in enumerate(TEXTS)]
    return session(Reader(), rows, **options)


def test_texts_are_padded_decoded_and_predicted_as_one_by_one() -> None:
    found = texts(decode=VOCABULARY)
    model = found.model
    oracle = torch.cat([model(ids[None], torch.tensor([len(ids)])) for ids in TEXTS]).detach()
    assert torch.allclose(found.forward(found.batch(range(6))), oracle, atol=1e-6)
    assert found.kind == "text"
    assert found.axes == [1]
    assert found.tokens(3) == [VOCABULARY[number] for number in TEXTS[3].tolist()]
    assert found.batch([0, 1]).lengths is not None
    assert found.batch([0, 1]).lengths.tolist() == [3, 9]
    description = found.description()
    assert description["examples"][0]["text"] == "text 0"
    assert "padding id" in told(found, "padding id")
    assert "influence" not in limits(found)
    assert texts().tokens(2) == [f"#{int(TEXTS[2][0])}"]
    assert "shown as numbers" in limits(texts())


def test_receptive_fields_of_texts_refer_to_their_embedding() -> None:
    found = texts()
    batch = found.batch([0, 1])
    vectors = found.input_tensor(batch)
    assert torch.equal(vectors, found.model.embedding(batch.principal))
    assert torch.allclose(found.forward_from(vectors, batch), found.forward(batch), atol=1e-6)
    assert not torch.allclose(found.forward_from(vectors * 2, batch), found.forward(batch))


def test_a_model_that_is_not_told_of_the_padding_is_a_limit() -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.out = nn.Embedding(20, 6), nn.Linear(6, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.out(self.embedding(ids).mean(1))

    assert "not told where they end" in limits(session(Mean(), [(ids, 0) for ids in TEXTS]))


def test_a_loader_with_its_own_collation_is_used() -> None:
    def pad(items: list[Any]) -> Any:
        ids = nn.utils.rnn.pad_sequence([row["ids"] for row in items], batch_first=True)
        return {"ids": ids, "lengths": torch.tensor([len(row["ids"]) for row in items]), "labels": [1] * len(items)}

    rows = [{"ids": ids, "text": "one"} for ids in TEXTS]
    found = session(Reader(), DataLoader(rows, batch_size=2, collate_fn=pad))  # type: ignore[arg-type]
    assert found.subject.batch_size == 2
    assert found.kind == "text"
    assert torch.allclose(found.forward(found.batch(range(6))), texts().forward(texts().batch(range(6))), atol=1e-6)
    assert found.labels().tolist() == [1] * 6


class Hub:
    """Behaves like a Hugging Face data set: rows are dictionaries, a name gives a column, features name the classes."""

    def __init__(self, label: str = "label") -> None:
        self.label = label
        self.columns = {"input_ids": TEXTS, label: [n % 2 for n in range(len(TEXTS))], "text": ["words"] * len(TEXTS)}
        self.features = {"input_ids": None, label: type("ClassLabel", (), {"names": ["neg", "pos"]})(), "text": None}
        self.column_names = list(self.columns)

    def __len__(self) -> int:
        return len(TEXTS)

    def __getitem__(self, key: Any) -> Any:
        return (
            self.columns[key] if isinstance(key, str) else {name: column[key] for name, column in self.columns.items()}
        )


class Transformer(nn.Module):
    """Takes what tokenizers give, and returns what such models do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.embeddings, self.classifier = nn.Embedding(20, 6), nn.Linear(6, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Any = None) -> Any:
        assert labels is None
        assert attention_mask is not None
        mask = attention_mask[..., None].float()
        mean = (self.embeddings(input_ids) * mask).sum(1) / mask.sum(1)
        return {"logits": self.classifier(mean), "hidden_states": (mean,)}


@pytest.mark.parametrize("label", ["label", "sentiment"])
def test_a_hugging_face_data_set_and_model_need_nothing_more(label: str) -> None:
    found = session(Transformer(), Hub(label))
    assert found.kind == "text"
    assert found.class_names == ["neg", "pos"]
    assert found.labels().tolist() == [0, 1, 0, 1, 0, 1]
    assert "column" in told(found, "all labels")
    assert found.description()["examples"][0]["text"] == "words"
    model = found.model
    for index, ids in enumerate(TEXTS):
        oracle = model.classifier(model.embeddings(ids).mean(0)).detach()
        assert torch.allclose(found.forward(found.batch(range(6)))[index], oracle, atol=1e-5)


# Weights


def saved(path: Path, seed: int) -> dict[str, Any]:
    own = convolutional().state_dict()
    torch.manual_seed(seed)
    weights = {name: torch.randn_like(v) if v.is_floating_point() else v for name, v in own.items()}
    weights["1.running_var"] = weights["1.running_var"].abs() + 0.1
    save_file(weights, path)
    return {"name": path.stem, "path": str(path), "sha256": sha256_of(path)}


def test_weights_come_from_a_checkpoint_and_go_back(tmp_path: Path) -> None:
    found = session()
    own = copy.deepcopy(found.model.state_dict())
    before = found.forward(found.batch([0, 1]))
    one, two = saved(tmp_path / "one.safetensors", 5), saved(tmp_path / "two.safetensors", 6)
    found.use(one)
    first = found.forward(found.batch([0, 1]))
    found.use(two)
    assert not torch.allclose(found.forward(found.batch([0, 1])), first)
    found.use(one)
    assert torch.equal(found.forward(found.batch([0, 1])), first)
    assert found.use(None) is found.model
    assert torch.equal(found.forward(found.batch([0, 1])), before)
    assert all(torch.equal(value, own[name]) for name, value in found.model.state_dict().items())
    found.use(two)
    found.close()
    assert all(torch.equal(value, own[name]) for name, value in found.model.state_dict().items())


def test_a_flipped_byte_is_noticed_and_changes_nothing(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "one.safetensors", 5)
    content = bytearray((tmp_path / "one.safetensors").read_bytes())
    content[-3] ^= 1
    (tmp_path / "one.safetensors").write_bytes(content)
    found = session()
    before = found.forward(found.batch([0]))
    with pytest.raises(CheckpointError, match="checksum"):
        found.use(checkpoint)
    assert torch.equal(found.forward(found.batch([0])), before)


def test_checkpoints_are_listed_with_checksum_and_problem(tmp_path: Path) -> None:
    good = saved(tmp_path / "good.safetensors", 5)
    save_file({"0.weight": torch.zeros(9, 9)}, tmp_path / "other.safetensors")
    torch.save(Likeness(), tmp_path / "whole.pt")
    files = {name: tmp_path / name for name in ("good.safetensors", "other.safetensors", "whole.pt", "gone.pt")}
    listed = {row["name"]: row for row in session(checkpoints=files).description()["checkpoints"]}
    assert listed["good.safetensors"]["sha256"] == good["sha256"]
    assert not listed["good.safetensors"]["problem"]
    assert listed["good.safetensors"]["bytes"] == (tmp_path / "good.safetensors").stat().st_size
    for name, words in {
        "other.safetensors": "missing",
        "whole.pt": "execute code",
        "gone.pt": "cannot be read",
    }.items():
        assert words in listed[name]["problem"]


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


# Devices


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_falls_back_to_the_cpu_with_a_notice() -> None:
    found = Session(Subject(convolutional(), PAIRS), device="cuda")
    assert found.device == torch.device("cpu")
    assert "cuda" in found.notices[0]
    assert found.description()["notices"] == found.notices
    assert choose_device("auto") == (torch.device("cpu"), [])
    for wrong in ("tpu", "cuda:x", ""):
        with pytest.raises(ParameterError):
            choose_device(wrong)


def test_a_model_that_does_not_run_on_the_device_computes_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnlyCpu(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 3)

        def forward(self, x: Tensor) -> Tensor:
            if x.device.type == "meta":
                raise NotImplementedError("operator not implemented")
            return self.linear(x.flatten(1))

    model = OnlyCpu()
    # The meta device stands for a GPU; weights are not moved there, as they could not come back.
    monkeypatch.setattr(OnlyCpu, "to", lambda self, *_args, **_kwargs: self)
    monkeypatch.setattr("analysis.subject.session.choose_device", lambda _wanted: (torch.device("meta"), []))
    found = Session(Subject(model, PAIRS))
    assert found.device == torch.device("cpu")
    assert "operator not implemented" in found.notices[0]
    assert found.forward(found.batch([0])).shape == (1, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_computes_what_the_cpu_computes() -> None:
    cpu = session().forward(session().batch(range(N)))
    with Session(Subject(convolutional(), PAIRS), device="auto") as found:
        assert found.device.type == "cuda"
        assert torch.allclose(found.forward(found.batch(range(N))).cpu(), cpu, atol=1e-4)
        reader = Session(Subject(Reader(), [(ids, 0) for ids in TEXTS]), device="cuda")
        assert reader.forward(reader.batch(range(6))).shape == (6, 2)
        assert len(found.description()["examples"]) == 8
    assert next(found.model.parameters()).device.type == "cpu"


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
