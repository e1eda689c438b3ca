"""Extraction equals a slow, obvious loop over single instances, for all the weird but ordinary models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from analysis.extraction.extract import extract
from analysis.extraction.reader import Extraction
from analysis.layerinfo import LayerInfo
from analysis.models.outputs import logits_of
from tests.extraction.standin import StandIn
from tests.models import zoo

N = 11  # the last batch is a short one


def images(channels: int, side: int) -> Tensor:
    return torch.randn(N, channels, side, side)


def sentences(shortest: int = 2) -> list[Tensor]:
    return [torch.randint(1, 20, (int(length),)) for length in torch.randint(shortest, 9, (N,))]


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any], int]] = {
    "residual": (zoo.resnet_small, partial(images, 3, 16), 4),
    "depthwise": (zoo.depthwise, partial(images, 3, 20), 4),
    "squeeze and excitation": (partial(zoo.depthwise, gate=True), partial(images, 3, 20), 4),
    "functional": (zoo.functional_relu, partial(images, 1, 20), 3),
    "reused": (zoo.reused_module, partial(images, 1, 12), 3),
    "deep": (zoo.deep_300, partial(torch.randn, N, 8), 3),
    "series": (zoo.cnn_1d, partial(torch.randn, N, 2, 64), 3),
    "LSTM, packed": (zoo.lstm_text, sentences, 2),
    "GRU, packed": (partial(zoo.lstm_text, "GRU"), sentences, 2),
    "bidirectional": (partial(zoo.lstm_text, bidirectional=True), sentences, 2),
    "padded": (partial(zoo.lstm_text, packed=False), sentences, 2),
    "in-place": (zoo.inplace_relu, partial(images, 1, 10), 3),
    "tied": (zoo.tied, partial(torch.randint, 0, 12, (N, 4)), 12),
    "skipping": (zoo.skipping, partial(torch.randn, N, 5), 3),
    "frames": (zoo.frames, partial(torch.randn, N, 4, 1, 8, 8), 3),
    "time first": (zoo.time_first, partial(torch.randn, N, 6, 3), 2),
    "dict": (zoo.dict_output, partial(torch.randn, N, 5), 3),
    "dataclass": (partial(zoo.dict_output, "dataclass"), partial(torch.randn, N, 5), 3),
}


def activations(model: nn.Module, info: LayerInfo, instance: Tensor) -> np.ndarray:
    """Rectified activations of one layer for one instance alone, (F, *places), float64."""
    outputs: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        output = output[0] if isinstance(output, tuple) and not isinstance(output, PackedSequence) else output
        outputs.append((output.data[:, None] if isinstance(output, PackedSequence) else output).clone())

    handle = model.get_submodule(info.read_after).register_forward_hook(hook)
    with torch.no_grad():
        model(instance[None])
    handle.remove()
    value = outputs[info.call]
    if info.kind == "conv":
        own = value[0] if len(value) == 1 else value.movedim(1, 0)
    elif len(value) == 1:
        own = value[0].movedim(-1, 0)
    else:
        own = value[:, 0].movedim(-1, 0)  # time comes first
    own = own.double()
    rectified = {"relu": own.relu(), "abs": own.abs(), "softmax": own.softmax(0)}[info.rectifier]
    return rectified.numpy()


@pytest.mark.parametrize("name", CASES)
def test_statistics_equal_a_loop_over_single_instances(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    make, data, classes = CASES[name]
    session = StandIn(make(), data(), np.arange(N) % classes, classes=classes)
    extract(session, tmp_path / "e", indices=range(N), layers=session.layers, batch_size=4, shard=8)
    found = Extraction(tmp_path / "e")
    assert found.complete
    assert [info.key for info in found.layers] == [info.key for info in session.layers if not info.reason]
    layers = found.layers[::40] if name == "deep" else found.layers
    for index in range(N):
        instance = torch.as_tensor(session.instances[index])
        for info in layers:
            own = activations(session.model, info, instance).reshape(info.filters, -1)
            assert found.maximum(info.key)[index] == pytest.approx(own.max(1), abs=1e-5)
            assert found.mean(info.key)[index] == pytest.approx(own.mean(1), abs=1e-5)
            where = found.where(info.key)[index]
            assert own[np.arange(info.filters), where] == pytest.approx(own.max(1), abs=1e-5)
        with torch.no_grad():
            logits = logits_of(session.model(instance[None]))
        assert found.logits[index] == pytest.approx(logits[0].numpy(), abs=1e-5)
        loss = nn.functional.cross_entropy(logits, torch.tensor([index % classes]))
        assert found.loss[index] == pytest.approx(loss.item(), abs=1e-5)


def test_a_layer_that_is_not_reached_says_so(tmp_path: Path) -> None:
    session = StandIn(zoo.skipping(), torch.randn(N, 5))
    extract(session, tmp_path / "e", indices=range(N), layers=session.layers, batch_size=4)
    found = Extraction(tmp_path / "e")
    assert [(info.key, info.reason) for info in found.left_out] == [("rare", "not called for these inputs")]
    assert "rare" not in [info.key for info in found.layers]


def test_a_layer_that_some_batches_do_not_reach_has_no_values_there(tmp_path: Path) -> None:
    values = torch.randn(12, 5)
    session = StandIn(zoo.skipping(), values)
    session.instances = torch.cat([values[:8], torch.full((4, 5), 1e7)])
    layers = [LayerInfo(**{**vars(info), "reason": "", "filters": info.filters or 6}) for info in session.layers]
    extract(session, tmp_path / "e", indices=range(12), layers=layers, batch_size=4)
    found = Extraction(tmp_path / "e")
    assert found.unreached == {"rare": 8, "usual": 4}
    assert np.isnan(found.maximum("rare")).all(1).tolist() == [True] * 8 + [False] * 4
    assert not np.isnan(found.maximum("stem")).any()


@pytest.mark.parametrize("name", ["LSTM, packed", "padded"])
def test_lengths_are_kept_where_sequences_are_padded(name: str, tmp_path: Path) -> None:
    make, data, classes = CASES[name]
    session = StandIn(make(), data(), kind="text", classes=classes)
    extract(session, tmp_path / "e", indices=range(N), layers=session.layers, batch_size=4, shard=8)
    found = Extraction(tmp_path / "e")
    assert found.lengths("rnn").tolist() == [len(instance) for instance in session.instances]
    assert found.lengths("head") is None
    assert found.tokens(3) == session.tokens(3)


def test_half_precision_is_summed_in_single(tmp_path: Path) -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 1).bfloat16()

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x.bfloat16()).mean((2, 3)).float()

    session = StandIn(Half(), torch.rand(4, 1, 40, 40) + 1, classes=4)
    session.model.conv.bias.data.fill_(3)
    extract(session, tmp_path / "e", indices=range(4), layers=session.infos(["conv"]), batch_size=4)
    with torch.no_grad():
        exact = session.model.conv(session.instances.bfloat16()).double().relu().mean((2, 3))
    assert Extraction(tmp_path / "e").mean("conv") == pytest.approx(exact.numpy(), rel=1e-6)
