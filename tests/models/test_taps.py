"""Layers and their activations, for every model of the zoo: what is listed and what is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analysis.errors import RecordingError
from analysis.layerinfo import LayerInfo
from analysis.models.inventory import NOT_CALLED, inventory
from analysis.models.taps import Tap, Taps, rectify
from tests.models import zoo

IDS = torch.tensor([[3, 4, 5, 0, 0], [1, 2, 0, 0, 0], [7, 8, 9, 3, 2]])
ZOO: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "resnet": (zoo.resnet_small, torch.randn(3, 3, 16, 16)),
    "depthwise": (lambda: zoo.depthwise(gate=True), torch.randn(3, 3, 20, 20)),
    "functional": (zoo.functional_relu, torch.randn(3, 1, 20, 20)),
    "reused": (zoo.reused_module, torch.randn(3, 1, 12, 12)),
    "dict": (zoo.dict_output, torch.randn(3, 5)),
    "deep": (zoo.deep_300, torch.randn(3, 8)),
    "series": (zoo.cnn_1d, torch.randn(3, 2, 64)),
    "packed": (zoo.lstm_text, IDS),
    "masked": (lambda: zoo.lstm_text("GRU", packed=False, bidirectional=True), IDS),
    "encoder": (zoo.transformer_text, IDS),
    "in place": (zoo.inplace_relu, torch.randn(3, 1, 10, 10)),
    "tied": (zoo.tied, IDS),
    "skipping": (zoo.skipping, torch.randn(3, 5)),
    "frames": (zoo.frames, torch.randn(3, 4, 1, 8, 8)),
    "time first": (zoo.time_first, torch.randn(3, 7, 3)),
}


def listed(model: nn.Module, inputs: Tensor, include: Any = None) -> dict[str, LayerInfo]:
    return {info.key: info for info in inventory(model, lambda: model(inputs), len(inputs), include)}


def read(model: nn.Module, batch: Tensor, infos: Any, **options: Any) -> dict[str, Tap]:
    with torch.no_grad(), Taps(model, infos, **options) as taps:
        taps.begin(len(batch))
        model(batch)
        return taps.take()


@pytest.mark.parametrize("name", ZOO)
def test_each_reached_layer_is_read_in_the_form_that_was_announced(name: str) -> None:
    make, inputs = ZOO[name]
    model = make()
    infos = listed(model, inputs)
    taps = read(model, inputs, infos.values(), inputs=True)
    assert set(taps) == {key for key, info in infos.items() if not info.reason}
    for key, tap in taps.items():
        info = infos[key]
        assert tap.values.shape == (len(inputs), info.filters, *info.spatial)
        assert tap.values.dtype == torch.float32
        assert tap.input is not None
        assert len(tap.input) == len(inputs)
    assert [LayerInfo.from_json(info.to_json()) for info in infos.values()] == list(infos.values())
    assert sum(info.output for info in infos.values()) == 1


@pytest.mark.parametrize("name", ZOO)
def test_watching_leaves_model_and_outputs_as_they_were(name: str) -> None:
    make, inputs = ZOO[name]
    model = make()
    with torch.no_grad():
        expected = model(inputs)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    infos = listed(model.train(), inputs)
    assert all(module.training for module in model.modules())
    model.eval()
    with torch.no_grad(), Taps(model, infos.values()) as taps:
        found = model(inputs)
        taps.take()
    same = (found["logits"], expected["logits"]) if isinstance(found, dict) else (found, expected)
    if name == "encoder":  # fused where nobody watches, so the last bits differ
        torch.testing.assert_close(*same)
    else:
        assert torch.equal(*same)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert hooks == [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]


def test_in_place_operations_behind_a_layer_do_not_change_what_is_read() -> None:
    model, inputs = zoo.inplace_relu(), torch.randn(2, 1, 10, 10)
    taps = read(model, inputs, listed(model, inputs).values(), inputs=True)
    first = model[0](inputs)
    torch.testing.assert_close(taps["0"].values, first)
    assert (first < 0).any()
    torch.testing.assert_close(taps["2"].values, model[2](first.relu()))
    torch.testing.assert_close(taps["2"].input, first.relu())


def test_normalisations_are_read_and_residual_adds_do_not_leak_in() -> None:
    model, inputs = zoo.resnet_small(), torch.randn(2, 3, 16, 16)
    infos = listed(model, inputs)
    assert infos["stem"].read_after == "bn"
    block = model.blocks[1]
    assert infos["blocks.1.conv2"].read_after == "blocks.1.bn2"
    taps = read(model, inputs, infos.values())
    with torch.no_grad():
        start = model.blocks[0](model.pool(model.bn(model.stem(inputs)).relu()))
        expected = block.bn2(block.conv2(block.bn1(block.conv1(start)).relu()))
    torch.testing.assert_close(taps["blocks.1.conv2"].values, expected)


def test_calls_of_a_reused_layer_are_told_apart() -> None:
    model, inputs = zoo.reused_module(), torch.randn(2, 1, 12, 12)
    infos = listed(model, inputs)
    assert list(infos) == ["first", "shared#1", "shared#2", "fc"]
    assert infos["shared#2"].call == 1
    assert infos["shared#2"].read_after == "norm"
    taps = read(model, inputs, infos.values())
    with torch.no_grad():
        one = model.norm(model.shared(model.first(inputs).relu()))
        two = model.norm(model.shared(one.relu()))
    torch.testing.assert_close(taps["shared#1"].values, one)
    torch.testing.assert_close(taps["shared#2"].values, two)
    only = read(model, inputs, [infos["shared#2"]])
    torch.testing.assert_close(only["shared#2"].values, two)


def test_tied_weights_are_counted_once() -> None:
    model = zoo.tied()
    infos = listed(model, IDS, ["embedding", "encoder", "twin", "decoder"])
    assert sum(info.parameters for info in infos.values()) == sum(p.numel() for p in model.parameters())
    assert (infos["embedding"].parameters, infos["decoder"].parameters) == (72, 0)
    assert infos["twin"].parameters == 6


def test_a_layer_that_is_not_reached_says_so() -> None:
    model, inputs = zoo.skipping(), torch.randn(2, 5)
    infos = listed(model, inputs)
    assert infos["rare"].reason == NOT_CALLED == "not called for these inputs"
    assert infos["rare"].order == -1
    assert "rare" not in read(model, inputs, infos.values())
    assert "usual" not in read(model, torch.full((2, 5), 1e7), infos.values())


def test_three_hundred_layers_in_order() -> None:
    infos = listed(zoo.deep_300(), torch.randn(2, 8))
    assert [info.order for info in infos.values()] == list(range(300))
    assert [key for key, info in infos.items() if info.output] == ["598"]


def test_packed_sequences_come_with_their_lengths() -> None:
    model = zoo.lstm_text("LSTM", packed=True, bidirectional=True)
    tap = read(model, IDS, listed(model, IDS).values())["rnn"]
    assert tap.lengths is not None
    assert tap.lengths.tolist() == [3, 2, 5]
    assert tap.values.shape == (3, 10, 5)
    alone, _ = model.rnn(model.embedding(IDS[1:2, :2]))
    torch.testing.assert_close(tap.values[1, :, :2], alone[0].T)
    assert not tap.values[1, :, 2:].any()


def test_padding_that_is_only_masked_is_told_from_outside() -> None:
    model = zoo.lstm_text(packed=False)
    infos = listed(model, IDS)
    with torch.no_grad(), Taps(model, infos.values()) as taps:
        taps.begin(3, lengths=torch.tensor([3, 2, 5]), padded=5)
        model(IDS)
        found = taps.take()
    assert found["rnn"].lengths is not None
    assert found["rnn"].lengths.tolist() == [3, 2, 5]
    assert found["head"].lengths is None


def test_time_before_the_instances_and_frames_within_them() -> None:
    model, inputs = zoo.time_first(), torch.randn(3, 7, 3)
    taps = read(model, inputs, listed(model, inputs).values())
    torch.testing.assert_close(
        taps["step"].values, model.step(model.rnn(inputs.movedim(1, 0))[0]).movedim((1, 2), (0, 1))
    )
    model, inputs = zoo.frames(), torch.randn(3, 4, 1, 8, 8)
    infos = listed(model, inputs)
    tap = read(model, inputs, infos.values())["conv"]
    torch.testing.assert_close(tap.values[2, :, 3], model.conv(inputs[2, 3]))
    with torch.no_grad(), Taps(model, infos.values()) as unaware:
        model(inputs)
        torch.testing.assert_close(unaware.take()["conv"].values, tap.values)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_half_and_double_precision_are_read_as_float32(dtype: torch.dtype) -> None:
    model, inputs = zoo.cnn_1d().to(dtype), torch.randn(2, 2, 64, dtype=dtype)
    for tap in read(model, inputs, listed(model, inputs).values()).values():
        assert tap.values.dtype == torch.float32


def test_channels_last_memory_is_read_alike() -> None:
    model, inputs = zoo.resnet_small(), torch.randn(2, 3, 16, 16)
    expected = read(model, inputs, listed(model, inputs).values())
    model = model.to(memory_format=torch.channels_last)
    inputs = inputs.to(memory_format=torch.channels_last)
    for key, tap in read(model, inputs, listed(model, inputs).values()).items():
        torch.testing.assert_close(tap.values, expected[key].values)
        assert tap.values.is_contiguous()


def test_reducing_keeps_only_what_it_returns() -> None:
    model, inputs = zoo.inplace_relu(), torch.randn(2, 1, 10, 10)
    infos = listed(model, inputs)
    full = read(model, inputs, infos.values())
    found = read(model, inputs, infos.values(), reduce=lambda info, tap: (info.key, tap.values.amin()))
    assert found == {key: (key, tap.values.amin()) for key, tap in full.items()}


def test_an_interrupted_pass_leaves_nothing_behind() -> None:
    model, inputs = zoo.reused_module(), torch.randn(2, 1, 12, 12)
    infos = listed(model, inputs)
    expected = read(model, inputs, infos.values())
    with torch.no_grad(), Taps(model, infos.values(), inputs=True) as taps:
        broken = model.fc.register_forward_pre_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model(inputs)
        broken.remove()
        taps.begin(2)
        model(inputs)
        found = taps.take()
    assert all(torch.equal(tap.values, expected[key].values) for key, tap in found.items())


def test_any_module_can_be_asked_for_by_name() -> None:
    model, inputs = zoo.resnet_small(), torch.randn(2, 3, 16, 16)
    infos = listed(model, inputs, ["blocks.*", "relu"])
    assert infos["relu"].kind == "other"
    assert infos["relu"].filters == 8
    assert (read(model, inputs, infos.values())["relu"].values >= 0).all()
    with pytest.raises(RecordingError, match="matches no module"):
        listed(model, inputs, ["block"])


def test_a_model_without_usual_layers_lists_its_innermost_modules() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x * self.weight)

    assert list(listed(nn.Sequential(Scale(), Scale()), torch.randn(2, 4))) == ["0", "1"]
    assert list(listed(nn.Linear(3, 2), torch.randn(2, 3))) == ["linear"]


def test_what_cannot_be_read_has_its_reason() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"x": x}

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair, self.fc = Pair(), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.pair(x)["x"])[:1].expand(2, -1)

    infos = listed(Net(), torch.randn(2, 4), ["pair", "fc"])
    assert infos["pair"].reason == "it yields a dict, not a tensor"
    rows = listed(nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (3, 4)), nn.Linear(4, 2)), torch.randn(2, 6))
    assert rows["2"].reason == "it yields 3 rows for 2 instances"


def test_rectifiers() -> None:
    values = torch.randn(2, 3, 4)
    assert torch.equal(rectify(values, "relu"), values.relu())
    assert torch.equal(rectify(values, "abs"), values.abs())
    torch.testing.assert_close(rectify(values, "softmax").sum(1), torch.ones(2, 4))
