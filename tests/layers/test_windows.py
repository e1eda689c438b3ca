"""What a layer gets at a position, against the layer's own arithmetic; positions and components against slow ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from analysis.layers.patches import shares
from analysis.layers.principal import principal
from analysis.layers.windows import windows
from analysis.models.taps import Tap

CONVOLUTIONS: list[tuple[type[nn.Module], dict[str, Any], tuple[int, ...]]] = [
    (nn.Conv2d, {"kernel_size": 3}, (9, 7)),
    (nn.Conv2d, {"kernel_size": (3, 5), "stride": (2, 1), "padding": (1, 2)}, (9, 8)),
    (nn.Conv2d, {"kernel_size": 3, "dilation": 2, "padding": 3}, (9, 9)),
    (nn.Conv2d, {"kernel_size": 4, "padding": "same"}, (8, 9)),
    (nn.Conv2d, {"kernel_size": 3, "padding": 1, "padding_mode": "reflect", "stride": 2}, (8, 8)),
    (nn.Conv2d, {"kernel_size": 3, "padding": (1, 2), "padding_mode": "circular"}, (8, 8)),
    (nn.Conv2d, {"kernel_size": 3, "padding": 1, "padding_mode": "replicate"}, (6, 8)),
    (nn.Conv1d, {"kernel_size": 5, "stride": 3, "padding": 2}, (20,)),
    (nn.Conv3d, {"kernel_size": (1, 2, 3), "padding": (0, 1, 1)}, (4, 5, 6)),
]


@pytest.mark.parametrize(("kind", "options", "size"), CONVOLUTIONS, ids=lambda v: str(v)[:50])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_window_times_the_weights_is_the_activation(
    kind: type[nn.Module], options: dict[str, Any], size: tuple[int, ...], groups: int
) -> None:
    torch.manual_seed(0)
    conv = kind(4, 6, groups=groups, **options)
    given = torch.randn(5, 4, *size)
    values = conv(given).detach()
    rows = torch.randint(0, 5, (40,))
    places = [torch.randint(0, n, (40,)) for n in values.shape[2:]]
    found = windows(conv, Tap(values, None, given), rows, places)
    assert found.what == "window"
    assert found.shape == (4, *conv.kernel_size)
    parts = found.values.reshape(40, *found.shape)
    wanted = values[(rows, slice(None), *places)]
    for f in range(6):
        half = 4 // groups
        own = slice((f // (6 // groups)) * half, (f // (6 // groups) + 1) * half)
        answer = (parts[:, own] * conv.weight[f]).flatten(1).sum(1) + conv.bias[f]
        assert torch.allclose(answer, wanted[:, f], atol=1e-5)


def test_other_layers_give_the_vector_at_the_position_or_the_mean() -> None:
    rows, step = torch.tensor([0, 2, 2]), torch.tensor([1, 0, 3])
    values, given = torch.randn(3, 6, 4), torch.randn(3, 5, 4)
    at = windows(nn.Linear(5, 6), Tap(values, None, given), rows, [step])
    assert at.what == "vector"
    assert torch.equal(at.values, torch.stack([given[n, :, t] for n, t in zip(rows, step, strict=True)]))
    flat = windows(nn.Linear(5, 6), Tap(values[..., 0], None, given[..., 0]), rows, [])
    assert torch.equal(flat.values, given[rows, :, 0])
    pooled = windows(nn.Identity(), Tap(values, None, torch.randn(3, 5, 7)), rows, [step])
    assert pooled.what == "pooled"
    none = windows(nn.Embedding(5, 6), Tap(values, None, None), rows, [step])
    assert none.what == "output"


def test_a_convolution_on_instances_folded_into_rows() -> None:
    conv = nn.Conv1d(2, 3, 3, padding=1)
    given = torch.randn(4, 2, 5, 8)  # four instances of five parts of eight steps
    values = torch.stack([conv(given[:, :, part]) for part in range(5)], 2).detach()
    found = windows(conv, Tap(values, None, given), torch.tensor([3]), [torch.tensor([2]), torch.tensor([0])])
    assert torch.allclose((found.values.reshape(2, 3) * conv.weight[1]).sum() + conv.bias[1], values[3, 1, 2, 0])


@pytest.mark.parametrize(("rows", "count", "places"), [(10, 25, 100), (10, 7, 100), (10, 50, 1), (3, 100, 4)])
def test_patches_are_spread_evenly_over_instances(rows: int, count: int, places: int) -> None:
    wanted = shares(rows, count, places, np.arange(rows) % 2, 0)
    assert wanted.sum() == min(count, rows * places)
    assert wanted.max() - wanted.min() <= 1


@pytest.mark.parametrize("shape", [(300, 40), (40, 300), (700, 900), (50, 50)])
def test_principal_components_are_those_of_the_exact_decomposition(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    values = (
        rng.normal(size=shape) * (1.3 ** -np.arange(shape[1])) @ np.linalg.qr(rng.normal(size=(shape[1],) * 2))[0] + 3
    )
    scores, variance = principal(values, 10)
    centred = values - values.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    assert np.allclose(variance, (sizes**2 / (sizes**2).sum())[:10], atol=2e-3)
    for k in range(4):
        assert abs(np.corrcoef(scores[:, k], left[:, k])[0, 1]) > 0.999
        assert scores[np.abs(scores[:, k]).argmax(), k] > 0
    assert np.array_equal(principal(values, 10)[0], scores)


def test_components_of_nothing_and_of_one_point() -> None:
    assert principal(np.ones((5, 3)), 2)[0].tolist() == [[0, 0]] * 5
    assert principal(np.ones((1, 3)), 2)[0].shape == (1, 1)
