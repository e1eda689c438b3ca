"""The Training view where a run was restarted, a layer fell silent, or nothing changed since the last poll."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dash import no_update

from analysis.records import LayerMeta
from analysis.store.writer import RunWriter
from dashboard.app import create_app
from dashboard.settings import Settings
from dashboard.views.training import curve_callbacks, data, health_callbacks, inspector, layer_callbacks
from dashboard.views.training.perplexity_figures import LayerFrame, perplexity_figure, share

from .conftest import record
from .test_training import text_of

pytestmark = pytest.mark.usefixtures("request_context")


def restarted(path: Path) -> RunWriter:
    """A run of steps 1..30 that was restarted from step 10 with other values, still open."""
    for steps, value in ((range(1, 31), 5.0), (range(10, 16), 1.0)):
        writer = RunWriter(path)
        for step in steps:
            writer.scalars({"train/loss": value, "odd\ttag": value}, step, 1_700_000_000.0 + step)
        if value == 5.0:
            writer.close()
    return writer


def test_a_restart_is_no_line_back_in_time(tmp_path: Path) -> None:
    writer = restarted(tmp_path / "runs" / "again")
    app = create_app(Settings(roots=(tmp_path / "runs",), workspace=tmp_path / "ws"))
    with app.server.test_request_context("/"):
        search = f"?runs={writer.run_id}&smooth=0.5&tag=loss&tag=odd%09tag"
        figure, cursors, subtitle, *_ = curve_callbacks.draw_curves(None, None, None, search)
        assert len(figure["data"]) == 4
        for trace in figure["data"]:
            gap = trace["y"].index(None)
            assert trace["x"][gap - 1 : gap + 2] == [30, 10, 10]
        assert "up to 30" in subtitle
        writer.scalars({"train/loss": 1.0, "odd\ttag": 1.0}, 16, 1_700_000_016.0)
        delta, stale = curve_callbacks.extend_curves(None, cursors, search)
        assert stale is no_update
        assert [trace["x"] for trace in delta["traces"]] == [[16.0]] * 4  # nothing of the first segment's step 16
        assert [trace["y"] for trace in delta["traces"]] == [[1.0]] * 4
        # A step back within a segment, and another segment, cannot be appended to a line.
        writer.scalars({"train/loss": 1.0}, 12, 1_700_000_017.0)
        writer.scalars({"train/loss": 1.0}, 11, 1_700_000_018.0)
        assert curve_callbacks.extend_curves(None, cursors, search)[1] is not no_update
        writer.close()
        _, cursors, *_ = curve_callbacks.draw_curves(None, None, None, search)
        RunWriter(tmp_path / "runs" / "again").close()
        assert curve_callbacks.extend_curves(None, cursors, search)[1] is not no_update


def test_axes_follow_the_run_though_the_metrics_stay(ids: dict[str, str]) -> None:
    names, axes = curve_callbacks.offer_metrics(None, None, None, f"?runs={ids['Wide']}")
    assert not axes[1]["disabled"]
    again, axes = curve_callbacks.offer_metrics(None, None, names, f"?runs={ids['Wide']}")
    assert again is no_update
    assert axes[1]["value"] == "epoch"


def test_bars_and_their_change_count_the_same_patches() -> None:
    meta = LayerMeta("conv1", "conv", "Conv2d", 6, 0)
    rng = np.random.default_rng(0)
    first, last = (record(meta, step, 0.0, rng) for step in (0, 1))
    last = replace(last, histogram=last.histogram // 2, silent=64 - int((last.histogram // 2).sum()))
    silent = replace(last, histogram=0 * last.histogram, silent=64)
    for now in (last, silent):
        figure = perplexity_figure([LayerFrame(meta, now, first)], None)
        bars, change = (np.array(trace["y"], float) for trace in figure["data"])
        np.testing.assert_allclose(change, bars - share(first), atol=1e-3)
        assert (change <= 1e-3).any()


def test_nothing_is_judged_twice(ids: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    search = f"?runs={ids['Wide']},{ids['Narrow']}&limit=0.123"
    first = text_of(health_callbacks.draw_health(None, None, None, None, None, search))
    for name in ("layer_findings", "layer_summary", "curve_findings"):
        monkeypatch.setattr(data, name, lambda *_: pytest.fail("computed again"))
    assert text_of(health_callbacks.draw_health(None, None, None, None, None, search)) == first
    layer_callbacks.draw_stability(None, None, None, None, None, None, search)
    inspector.draw_inspector(None, None, None, None, None, None, search + "&layer=conv1")
