"""Receptive fields against brute force: change one column of the input, see which positions react."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analysis.models.inventory import inventory
from analysis.models.receptive import receptive_fields
from analysis.models.taps import Taps
from tests.models import zoo


def smooth(model: nn.Module) -> nn.Module:
    """A copy of the structure whose activations react to every change: in double precision, without flat parts."""
    for name, module in list(model.named_children()):
        if isinstance(module, (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.GELU)):
            setattr(model, name, nn.Softplus())
        elif isinstance(module, nn.MaxPool2d):
            setattr(model, name, nn.AvgPool2d(module.kernel_size, module.stride, module.padding))
        elif isinstance(module, nn.MaxPool1d):
            setattr(model, name, nn.AvgPool1d(module.kernel_size, module.stride, module.padding))
        else:
            smooth(module)
    return model.double()


def brute_force(model: nn.Module, example: Tensor, infos: list[Any], axes: tuple[int, ...]) -> dict[str, Any]:
    """Intervals by key and axis: each column in turn is changed; in double precision no influence is too small."""
    example = example[:1].double()
    found: dict[str, Any] = {}

    def reduce(_info: Any, tap: Any) -> Tensor:
        return tap.values.clone()

    def run(inputs: Tensor) -> dict[str, Tensor]:
        taps.begin(len(inputs))
        model(inputs)
        return taps.take()

    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), Taps(model, infos, reduce=reduce) as taps:
            for i, axis in enumerate(axes):
                size = example.shape[axis]
                inputs = example.repeat(size + 1, *[1] * (example.dim() - 1))
                for column in range(size):
                    part = inputs[column + 1].select(axis - 1, column)
                    part += 1 + torch.rand(part.shape)
                for key, values in run(inputs).items():
                    reacts = (values[1:] != values[:1]).any(1)
                    others = [d for d in range(1, reacts.dim()) if d != i + 1]
                    reacts = reacts.any(others) if others else reacts
                    columns = [reacts[:, p].nonzero().flatten() for p in range(reacts.shape[1])]
                    spans = [[int(c.min()), int(c.max()) + 1] if len(c) else [0, 0] for c in columns]
                    found.setdefault(key, []).append(np.array(spans, np.int32))
    finally:
        torch.set_default_dtype(torch.float32)
    return found


def conv(inside: int, outside: int, *args: Any, **kwargs: Any) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, *args, **kwargs)


class Branches(nn.Module):
    """Two paths of different reach, concatenated, then grouped: filters of one layer see different things."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = conv(1, 4, 1), conv(1, 4, 5, padding=2)
        self.grouped, self.mixed = conv(8, 4, 3, groups=2, padding=1), conv(4, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.near(x), self.far(x)], 1)
        return self.mixed(self.grouped(both).relu_()).mean((2, 3))


class Decoder(nn.Module):
    """Down and up again, with a skip connection, a transposed convolution and resampling."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = conv(1, 4, 3, 2, 1), nn.ConvTranspose2d(4, 4, 3, 2, 1, output_padding=1)
        self.wide, self.last = conv(4, 4, 3, dilation=3, padding=3), conv(5, 2, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        low = self.down(x)
        low = F.interpolate(F.avg_pool2d(self.wide(low), 2), scale_factor=2.0, mode="nearest") + low
        return self.last(torch.cat([self.up(low), x], 1)).mean((2, 3))


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "strided": (lambda: nn.Sequential(conv(1, 3, 3, 2), nn.ReLU(), conv(3, 4, 5, 3)), (1, 23, 19)),
    "padded": (lambda: nn.Sequential(conv(1, 3, 5, padding=2), nn.ReLU(), conv(3, 3, 3, padding="same")), (1, 9, 11)),
    "only padding": (lambda: nn.Sequential(conv(1, 2, 1, padding=2), conv(2, 2, 1)), (1, 5, 6)),
    "circular": (lambda: nn.Sequential(conv(1, 3, 3, padding=1, padding_mode="circular"), conv(3, 2, 3)), (1, 9, 8)),
    "dilated": (lambda: nn.Sequential(conv(1, 3, 3, dilation=3), nn.GELU(), conv(3, 3, 2, dilation=2)), (1, 18, 15)),
    "uneven": (lambda: nn.Sequential(conv(2, 3, (1, 5), (2, 1)), nn.Tanh(), conv(3, 3, (4, 1))), (2, 16, 12)),
    "pooled": (
        lambda: nn.Sequential(conv(1, 3, 3), nn.MaxPool2d(3, 2, 1), nn.ReLU(), conv(3, 4, 3), nn.AvgPool2d(2)),
        (1, 20, 17),
    ),
    "adaptive": (lambda: nn.Sequential(conv(1, 3, 3), nn.AdaptiveAvgPool2d(5), conv(3, 3, 2)), (1, 18, 14)),
    "residual": (zoo.resnet_small, (3, 20, 16)),
    "depthwise": (zoo.depthwise, (3, 20, 20)),
    "gated": (lambda: zoo.depthwise(gate=True), (3, 20, 20)),
    "branches": (Branches, (1, 12, 10)),
    "decoder": (Decoder, (1, 16, 12)),
    "series": (zoo.cnn_1d, (2, 64)),
    "normalised": (lambda: nn.Sequential(conv(1, 4, 3), nn.GroupNorm(2, 4), nn.SiLU(), conv(4, 3, 3)), (1, 9, 9)),
}


def compare(model: nn.Module, shape: tuple[int, ...]) -> None:
    """The fields of the model equal those that brute force finds on its smooth twin."""
    example = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    infos = inventory(model, lambda: model(example), 2)
    axes = tuple(range(2, 1 + len(shape)))
    fields = receptive_fields(model, model, example, infos, axes)
    expected = brute_force(smooth(model), example, [i for i in infos if i.spatial], axes)
    assert set(fields) == {info.key for info in infos}
    assert expected
    for info in infos:
        if info.spatial:
            for found, truth in zip(fields[info.key], expected[info.key], strict=True):
                np.testing.assert_array_equal(found, truth, err_msg=info.key)
        else:
            assert [f.tolist() for f in fields[info.key]] == [[[0, size]] for size in shape[1:]]


@pytest.mark.parametrize("name", NETS)
def test_fields_equal_brute_force(name: str) -> None:
    make, shape = NETS[name]
    torch.manual_seed(0)
    compare(make().eval(), shape)


@pytest.mark.parametrize("seed", range(6))
def test_fields_of_random_nets_equal_brute_force(seed: int) -> None:
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    channels = 2
    for _ in range(generator.integers(2, 5)):
        groups = int(generator.choice([1, 2]))
        kernel, dilation = int(generator.integers(1, 4)), int(generator.integers(1, 3))
        stride, padding = int(generator.integers(1, 3)), int(generator.integers(0, 3))
        layers.append(conv(channels, 4, kernel, stride, padding, dilation, groups))
        channels = 4
        layers += [nn.ReLU(inplace=True)] if generator.random() < 0.5 else [nn.BatchNorm2d(4)]
        if generator.random() < 0.4:
            layers.append(nn.MaxPool2d(2, 1, int(generator.integers(0, 2))))
    compare(nn.Sequential(*layers).eval(), (2, 33, 30))


def test_weights_of_zero_and_dead_filters_do_not_hide_what_is_seen() -> None:
    model = nn.Sequential(conv(1, 4, 3), nn.ReLU(), conv(4, 2, 3)).eval()
    before = fields_of(model, torch.randn(1, 1, 9, 9))
    for parameter in model.parameters():
        parameter.data.zero_()
    assert [a.tolist() for a in fields_of(model, torch.randn(1, 1, 9, 9))["2"]] == [a.tolist() for a in before["2"]]


def fields_of(model: nn.Module, example: Tensor) -> dict[str, list[np.ndarray]]:
    infos = inventory(model, lambda: model(example), len(example))
    return receptive_fields(model, model, example, infos, (2, 3))


def test_weights_that_diverged_do_not_matter() -> None:
    model = nn.Sequential(conv(1, 2, 3), nn.BatchNorm2d(2), conv(2, 2, 3)).eval()
    model[0].weight.data.fill_(torch.nan)
    assert fields_of(model, torch.randn(1, 1, 9, 9))["2"][0].tolist() == [[i, i + 5] for i in range(5)]


class Swallows(nn.Module):
    """Hides NaN from what follows, by comparing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = conv(1, 2, 3), conv(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.second(torch.where(x > -1e9, x, torch.zeros_like(x))).mean((2, 3))


def test_a_model_that_hides_nan_gets_the_whole_input_rather_than_too_little() -> None:
    fields = fields_of(Swallows().eval(), torch.randn(2, 1, 8, 8))
    assert fields["first"][0].tolist() == [[i, i + 3] for i in range(6)]
    assert fields["second"][0].tolist() == [[0, 8]] * 6


class Picky(nn.Module):
    """Writes into what a layer yields, looks at its memory, and takes only two instances."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = conv(1, 2, 3, padding=1), conv(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        h[:, :1] *= 2
        h.add_(x)
        return self.second(h.view(2, 2, -1).view(2, 2, 8, 8)).mean((2, 3))


def test_a_model_that_writes_into_its_activations_and_fixes_the_number_of_instances() -> None:
    fields = fields_of(Picky().eval(), torch.randn(2, 1, 8, 8))
    assert fields["second"][1].tolist() == [[max(i - 2, 0), min(i + 3, 8)] for i in range(8)]


def test_recurrent_layers_see_the_past() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.rnn = nn.Conv1d(2, 3, 3, padding=1), nn.LSTM(3, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(self.conv(x).transpose(1, 2))[0][:, -1]

    model = Net().eval()
    example = torch.randn(2, 2, 7)
    infos = inventory(model, lambda: model(example), 2)
    fields = receptive_fields(model, model, example, infos, (2,))
    assert fields["rnn"][0].tolist() == [[0, min(i + 2, 7)] for i in range(7)]


def test_the_model_is_as_before_and_progress_is_told() -> None:
    model = zoo.resnet_small().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    told: list[tuple[int, int]] = []
    example = torch.randn(1, 3, 16, 16)
    infos = inventory(model, lambda: model(example.repeat(2, 1, 1, 1)), 2)
    receptive_fields(model, model, example, infos, (2, 3), lambda done, total: told.append((done, total)))
    assert told[-1] == (32, 32)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_half_precision_and_channels_last() -> None:
    model = zoo.depthwise().bfloat16()
    example = torch.randn(2, 3, 20, 20).bfloat16().to(memory_format=torch.channels_last)
    expected = fields_of(zoo.depthwise(), example.float())
    found = fields_of(model, example)
    assert {k: [a.tolist() for a in v] for k, v in found.items()} == {
        k: [a.tolist() for a in v] for k, v in expected.items()
    }


def test_running_out_of_memory_is_not_taken_for_seeing_everything() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    example = torch.rand(1, 1, 16, 16)
    infos = inventory(model, lambda: model(example.repeat(2, 1, 1, 1)), 2)
    oracle = receptive_fields(model, model, example, infos, (2, 3))
    for most in (8, 0):  # rows that there is memory for

        def limited(inputs: torch.Tensor, most: int = most) -> torch.Tensor:
            if len(inputs) > most:
                raise RuntimeError("CUDA out of memory")
            return model(inputs)

        if most:
            found = receptive_fields(model, limited, example, infos, (2, 3))
            assert all(np.array_equal(a, b) for key in oracle for a, b in zip(oracle[key], found[key], strict=True))
        else:
            with pytest.raises(RuntimeError, match="out of memory"):
                receptive_fields(model, limited, example, infos, (2, 3))
