"""Planted truths, from a real model through the recorder and the store to the words on the page."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import torch
from torch import nn

from analysis.recording import Recorder
from dashboard.app import create_app
from dashboard.settings import Settings
from dashboard.views.training import health_callbacks, inspector, layer_callbacks

from .test_training import places, text_of

DEAD, ALWAYS, TWINS = 2, 5, (3, 6)


def record(directory: Path) -> str:
    """A small CNN whose first layer has one dead, one always-on and two equal filters; twelve records of it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    with torch.no_grad():
        conv = model[0]
        conv.weight[DEAD], conv.bias[DEAD] = 0, -1
        conv.weight[ALWAYS], conv.bias[ALWAYS] = 0, 3
        conv.weight[TWINS[1]], conv.bias[TWINS[1]] = conv.weight[TWINS[0]], conv.bias[TWINS[0]]
    images, labels = torch.randn(64, 1, 8, 8), torch.arange(64) % 4
    with Recorder(directory, name="Planted", every=1, budget=None) as recorder:
        recorder.watch(model, probe=(images, labels), class_names=list("abcd"))
        for step in range(12):
            recorder.log({"train/loss": 1.0}, step=step)
    return str(directory)


def test_planted_filters_are_named_on_the_page(tmp_path: Path) -> None:
    record(tmp_path / "runs" / "planted")
    app = create_app(Settings(roots=(tmp_path / "runs",), workspace=tmp_path / "ws"))
    with app.server.test_request_context("/"):
        run_id = app.server.extensions["cutaway"].index.list()[0].id
        body, _ = health_callbacks.draw_health(None, None, None, None, None, f"?runs={run_id}")
        words = text_of(body)
        assert f"Filter {DEAD} of layer 0 (Conv2d) did not activate" in words
        assert f"Filter {ALWAYS} of layer 0 (Conv2d) is on for almost every patch" in words
        assert f"{TWINS[0]} and {TWINS[1]} of layer 0 (Conv2d)" in words
        assert {"layer": "0", "filter": DEAD} in places(body)
        figure, *_ = layer_callbacks.draw_heatmap(
            None, None, None, None, None, None, "light", f"?runs={run_id}&layer=0&mode=frequency"
        )
        trace = figure["data"][0]
        cells = dict(zip(chain(*trace["customdata"]), chain(*trace["z"]), strict=True))
        assert cells[DEAD] == 0
        assert cells[ALWAYS] == 1
        card = text_of(
            inspector.draw_inspector(None, None, None, None, None, None, f"?runs={run_id}&layer=0&filter={TWINS[0]}")
        )
        assert f"filter {TWINS[1]}: phi 1.000" in card
