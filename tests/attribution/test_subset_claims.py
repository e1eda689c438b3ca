"""What is said of many explanations: of places that there are, by methods that fit, of scores that are the model's."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis.attribution import registry
from analysis.attribution.faults import AttributionError
from analysis.errors import NotFound
from dashboard.views.attribution import subset_parts
from tests.attribution import fakes
from tests.attribution.conftest import drawn
from tests.attribution.test_subset import Weighted, over, picture_session
from tests.attribution.test_trust import Unsteady
from tests.layers.desk import open_desk


def test_a_mark_across_the_grid_s_lines_is_confirmed_by_a_block_of_regions(tmp_path: Path) -> None:
    weight = 0.02 * drawn(1, 14, 14, seed=1)
    weight[0, 5:7, 7:9] += 1  # a quarter in each of four regions
    weight[0, 4:8, 6:10] = weight[0, 5:7, 7:9].mean()
    data = [(image, number % 2) for number, image in enumerate(drawn(60, 1, 14, 14, seed=2).abs())]
    found, arrays = over(open_desk(Weighted(weight), data, tmp_path, kind="image"))
    top = found["concentration"]
    assert arrays["regions"].max() < 0.35
    assert top["concentrated"]
    assert top["place"] == [2, 3]
    assert "x 6 to 10, y 4 to 8" in top["sentence"]
    assert top["even"] == pytest.approx(4 / 49)
    assert top["share"] == pytest.approx(arrays["regions"][2:4, 3:5].sum(), abs=1e-5)


class LoudChannel(nn.Module):
    """(n, 3, steps) -> (n, 2): the largest response of filters that see channel 2 only."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.out = nn.Conv1d(3, 4, 5, padding=2, bias=False), nn.Linear(4, 2)
        self.conv.weight.data[:, :2] = 0
        self.conv.weight.data.abs_()
        self.out.weight.data.abs_()
        self.out.weight.data[1] *= -1

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.conv(x).relu().amax(2))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("layer_grad_cam", {}),
        ("feature_ablation", {"channels": "all"}),
        ("occlusion", {"channels": "all"}),
    ],
)
def test_a_map_without_channels_is_said_to_lie_on_steps_and_on_no_channel(
    tmp_path: Path, name: str, params: dict[str, Any]
) -> None:
    waves = 0.1 * drawn(24, 3, 64)
    waves[:, 2, 20:30] += 2
    data = [(wave, number % 2) for number, wave in enumerate(waves)]
    for rate, words in ((None, r"[Ss]teps \d+ to \d+"), (8.0, r"[Ss]econds [\d.]+ to [\d.]+")):
        session = open_desk(LoudChannel().eval(), data, tmp_path / str(rate), kind="series", sampling_rate=rate)
        fitting = {
            key: value for key, value in params.items() if key in {one.name for one in registry.get(name).parameters}
        }
        found, arrays = over(session, name, target="0", params=fitting)
        assert arrays["mean_absolute"].shape == (1, 64)
        assert found["channels"] == []
        assert re.match(words, found["concentration"]["sentence"])
        assert "channel" not in found["concentration"]["sentence"]
        assert "channel" not in found["concentration"]["name"]
    each, arrays = over(session, target="0")
    assert arrays["mean_absolute"].shape == (3, 64)
    assert each["concentration"]["name"].startswith("channel 2")


def test_one_row_is_drawn_where_maps_do_not_tell_channels_apart() -> None:
    shown = SimpleNamespace(description={"feature_names": ["left", "right", "up"]})
    for channels, names in (([], ["all channels"]), ([{"channel": 0}], ["left"])):
        answer = SimpleNamespace(json={"n": 5, "channels": channels}, array=lambda _name: np.ones((1, 8)))
        title, box = subset_parts.signal(shown, answer, "light").children  # type: ignore[arg-type]
        figure = box.children.figure
        assert len(figure["data"][0]["z"]) == 1
        assert figure["layout"]["yaxis"]["ticktext"] == names
        assert ("channel" in title.children) is bool(channels)


def test_what_the_preflight_refuses_is_refused_for_many_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = picture_session(tmp_path, 1.0)
    unfit = replace(fakes.method("unfit", lambda case: case.inputs), applies=lambda _structure: "It needs a filter.")
    fakes.install(monkeypatch, unfit)
    monkeypatch.delattr(session, "ask")
    with pytest.raises(AttributionError, match="Unfit does not fit: It needs a filter"):
        over(session, "unfit")


def test_a_score_that_does_not_follow_from_the_input_is_not_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [(row, number % 3) for number, row in enumerate(3 + drawn(6, 5, seed=9))]
    session = open_desk(Unsteady(), data, tmp_path, kind="table")
    monkeypatch.delattr(session, "ask")  # the pre-flight would find something too
    with pytest.raises(NotFound, match="from its input alone"):
        over(session, "feature_ablation")
