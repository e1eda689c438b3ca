"""Weights as pictures: only of convolutions that see an image themselves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from torch import nn

from analysis.errors import NotFound
from analysis.layers.weights import weights


def session(model: nn.Module) -> Any:
    """Just enough of a session: every name is a layer's key."""
    return SimpleNamespace(model=model, infos=lambda keys: [SimpleNamespace(name=key) for key in keys])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_layer_of_an_image_net_is_a_picture(channels: int) -> None:
    model = nn.Sequential(nn.Conv2d(channels, 5, 3), nn.Conv2d(5, 5, 3))
    said, arrays = weights(session(model), None, layer="0")
    np.testing.assert_array_equal(arrays["weights"], model[0].weight.detach().numpy())
    assert said["channels"] == channels
    assert (said["low"], said["high"]) == (arrays["weights"].min(), arrays["weights"].max())


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(2, 4, 3), nn.Conv1d(1, 4, 3), nn.Linear(3, 4), nn.ReLU()]
)
def test_other_weights_are_no_picture(layer: nn.Module) -> None:
    with pytest.raises(NotFound, match="no picture"):
        weights(session(nn.Sequential(layer)), None, layer="0")
