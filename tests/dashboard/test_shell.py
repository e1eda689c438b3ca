"""The shell: pulse, jobs, exports; and that two apps in one process do not meet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dash
import pytest
from dash import html, no_update

from dashboard import jobs_panel, shell, shell_callbacks
from dashboard.app import create_app
from dashboard.settings import Settings
from dashboard.views.registry import VIEWS
from dashboard.views.training import curve_callbacks, health_callbacks, inspector, layer_callbacks
from dashboard.views.training.about import ABOUT

from .conftest import STEPS, write_run
from .test_training import text_of


def components(node: Any) -> list[Any]:
    children = getattr(node, "children", None)
    below = children if isinstance(children, list | tuple) else [children] if children is not None else []
    return [node, *(found for child in below for found in components(child))]


def page() -> list[Any]:
    """Everything there is once all views were visited."""
    visited = [part for view in VIEWS for part in shell.opened(view)]
    whole = [shell.layout(subject=True), *(part for part in visited if part is not no_update)]
    return [item for part in whole for item in components(html.Div(part))]


def test_no_callback_names_an_unknown_component(app: dash.Dash) -> None:
    """suppress_callback_exceptions hides typing errors; this does not."""
    made_later = {"runs-grid", "runs-compare"}
    known = {item.id for item in page() if isinstance(getattr(item, "id", None), str)} | made_later
    for entry in app._callback_list:
        wanted = [part["id"] for part in [*entry["inputs"], *(entry["state"] or [])]]
        for name in wanted:
            assert name.startswith("{") or name in known, (name, entry["output"])
        for output in entry["output"].strip(".").split("..."):
            # A callback without outputs goes by a hash, without a property.
            name = output.rpartition(".")[0]
            assert not name or name.startswith("{") or name in known, entry["output"]


def test_callbacks_without_an_output_are_told_apart(app: dash.Dash) -> None:
    """Dash names them by their inputs: of two with the same ones, one never runs."""
    names = [entry["output"] for entry in app._callback_list]
    assert len(names) == len(set(names))


def test_a_callback_is_about_one_view_and_one_that_tells_nothing_does_not_listen_to_the_shell(app: dash.Dash) -> None:
    """A view is not in the page before its first visit: what mixes it with others would name what is not there."""
    home = {
        item.id: view.slug
        for view in VIEWS
        for part in shell.opened(view)
        if part is not no_update
        for item in components(html.Div(part))
        if isinstance(getattr(item, "id", None), str)
    }
    for entry in app._callback_list:
        told = [] if entry["no_output"] else [one.rpartition(".")[0] for one in entry["output"].strip(".").split("...")]
        read = [one["id"] for one in [*entry["inputs"], *(entry["state"] or [])] if not one["id"].startswith("{")]
        views = {home[name] for name in [*told, *read] if name in home}
        assert len(views) <= 1, entry["output"]
        if views and not any(name.startswith("{") for name in told):
            outside = [name for name in (told or read) if name not in home and "grid" not in name]
            assert not outside or (told and all(name in ("jobs-drawer",) for name in outside)), (
                outside,
                entry["output"],
            )


def test_ids_are_unique() -> None:
    found = [item.id for item in page() if isinstance(getattr(item, "id", None), str)]
    assert len(found) == len(set(found))


def test_every_panel_explains_itself() -> None:
    panels = [item for item in page() if str(getattr(item, "id", "")).endswith("-panel")]
    assert {item.id[:-6] for item in panels} >= set(ABOUT)
    for item in panels:
        assert "How it is computed" in text_of(item)
        assert "Formula" in text_of(item)
    for about in ABOUT.values():
        assert all(len(text) > 20 for text in (about.what, about.how, about.formula, about.source))


def test_views_have_slugs_of_their_own() -> None:
    assert len({view.slug for view in VIEWS}) == len(VIEWS)


def test_the_pulse_is_silent_when_nothing_changed(app: dash.Dash, ids: dict[str, str]) -> None:
    search = f"?runs={ids['Wide']}"
    with app.server.test_request_context("/"):
        context = dash._callback_context.context_value
        token = context.set(dash._utils.AttributeDict(triggered_inputs=[{"prop_id": "tick.n_intervals", "value": 1}]))
        try:
            listing, selected, jobs, banner, answers, _ = shell_callbacks.pulse(1, None, None, None, None, None, search)
            again = shell_callbacks.pulse(2, None, listing, selected, jobs, answers, search)
        finally:
            context.reset(token)
    assert {run[1] for run in listing["runs"]} == {"Wide", "Narrow"}
    assert selected[0][:2] == [ids["Wide"], "finished"]
    assert again[:3] == (no_update, no_update, no_update)
    assert again[4] is no_update
    assert banner == []


def test_runs_of_one_name_are_told_apart() -> None:
    options, _ = shell_callbacks.offer_runs({"runs": [["aaaaaaaa", "x", "finished"], ["bbbbbbbb", "x", "finished"]]})
    assert len({option["label"] for option in options}) == 2


def test_jobs_are_drawn_with_progress_and_error() -> None:
    job = {"id": "1", "name": "Demo", "mine": True, "position": None, "error": None, "state": "running", "note": ""}
    job["progress"] = {"done": 30, "total": 60, "unit": "steps", "message": "LeNet", "rate": 12.0, "eta_s": 2.5}
    failed = job | {"id": "2", "state": "failed", "error": {"message": "It died.", "remedy": "Try again.", "tail": "x"}}
    body, label = jobs_panel.draw_jobs([job, failed])
    words = text_of(body)
    assert label == "Jobs: 1, 50 %"
    assert "30 of 60 steps" in words
    assert "12 steps/s" in words
    assert "about 2 s left" in words
    assert "It died. Try again." in words


def test_export_holds_every_record(app: dash.Dash, ids: dict[str, str]) -> None:
    client = app.server.test_client()
    answer = client.get(f"/export/scalars.csv?runs={ids['Wide']},{ids['Narrow']}&tag=train/loss&tag=epoch")
    lines = answer.get_data(as_text=True).splitlines()
    assert lines[0] == "run,tag,step,wall_time,value,segment"
    assert len(lines) == 1 + 4 * STEPS
    assert lines[1].startswith("Wide,train/loss,1,")
    assert "attachment" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    "address",
    [
        "scalars.csv",
        "scalars.csv?runs=nothing&tag=a",
        "filters.csv?runs=..%2f..%2fetc",
        "histograms.csv?runs=%00",
        "filters.csv?runs=x&layer=y",
    ],
)
def test_a_bad_export_is_refused_in_words(app: dash.Dash, address: str) -> None:
    answer = app.server.test_client().get(f"/export/{address}")
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.get_data(as_text=True)
    assert json.loads(answer.get_data())["message"]


def test_filters_and_histograms_are_exported(app: dash.Dash, ids: dict[str, str]) -> None:
    client = app.server.test_client()
    rows = client.get(f"/export/filters.csv?runs={ids['Wide']}&layer=conv1").get_data(as_text=True).splitlines()
    assert len(rows) == 1 + 6
    rows = client.get(f"/export/histograms.csv?runs={ids['Wide']}&step=100").get_data(as_text=True).splitlines()
    assert len(rows) == 1 + 2 * 32
    assert rows[1].split(",")[1] == "100"


def test_a_name_that_looks_like_a_formula_is_defused(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "x", "=1+1", steps=20)
    app = create_app(Settings(roots=(tmp_path / "runs",), workspace=tmp_path / "ws"))
    run_id = app.server.extensions["cutaway"].index.list()[0].id
    text = app.server.test_client().get(f"/export/scalars.csv?runs={run_id}&tag=epoch").get_data(as_text=True)
    assert text.splitlines()[1].startswith("'=1+1,")


def test_two_apps_in_one_process_do_not_meet(app: dash.Dash, tmp_path: Path) -> None:
    other = create_app(Settings(roots=(tmp_path,), workspace=tmp_path / "ws"))
    assert other.server.extensions["cutaway"].index.list() == []
    assert len(app.server.extensions["cutaway"].index.list()) == 2
    assert set(other.callback_map) == set(app.callback_map)


def test_the_web_process_imports_no_torch() -> None:
    code = "import sys, dashboard.app; print([m for m in ('torch', 'captum', 'umap', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_looking_at_a_run_never_changes_it(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "x", "Watched", steps=60, close=False)

    def state() -> dict[str, tuple[int, int, bytes]]:
        files = [path for path in sorted((tmp_path / "runs").rglob("*")) if path.is_file()]
        return {str(p): (p.stat().st_size, p.stat().st_mtime_ns, p.read_bytes()) for p in files}

    before = state()
    app = create_app(Settings(roots=(tmp_path / "runs",), workspace=tmp_path / "ws"))
    with app.server.test_request_context("/"):
        run_id = app.server.extensions["cutaway"].index.list()[0].id
        search = f"?runs={run_id}&layer=conv1&filter=1&smooth=0.9"
        curve_callbacks.draw_curves(None, None, None, search)
        layer_callbacks.draw_perplexity(None, None, None, None, None, None, False, search)
        layer_callbacks.draw_stability(None, None, None, None, None, None, search)
        layer_callbacks.draw_heatmap(None, None, None, None, None, None, "light", search)
        health_callbacks.draw_health(None, None, None, None, None, search)
        inspector.draw_inspector(None, None, None, None, None, None, search)
    app.server.test_client().get(f"/export/scalars.csv?runs={run_id}&tag=epoch").get_data()
    assert state() == before


def test_a_run_of_a_later_version_says_which_is_needed(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "runs" / "x", "Later", steps=20)
    place = tmp_path / "runs" / "x" / "run.json"
    place.write_text(
        place.read_text()
        .replace('"schema_version": 1', '"schema_version": 99')
        .replace('"schema_version":1', '"schema_version":99')
    )
    app = create_app(Settings(roots=(tmp_path / "runs",), workspace=tmp_path / "ws"))
    with app.server.test_request_context("/"):
        found = app.server.extensions["cutaway"].index.list()
        assert found[0].status == "unreadable"
        figure = curve_callbacks.draw_curves(None, None, None, f"?runs={found[0].id or writer.run_id}")[0]
    assert "99" in figure["layout"]["annotations"][0]["text"]


def test_damage_is_told_with_its_place_and_the_rest_is_shown(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "runs" / "x", "Damaged", steps=60)
    file = sorted((tmp_path / "runs").rglob("scalars/*.tfrecord"))[0]
    content = bytearray(file.read_bytes())
    content[40 * 30 + 15] ^= 1  # record 30 of the first tag
    file.write_bytes(content)
    app = create_app(Settings(roots=(tmp_path / "runs",), workspace=tmp_path / "ws"))
    with app.server.test_request_context("/"):
        _, _, _, note, _ = curve_callbacks.draw_curves(None, None, None, f"?runs={writer.run_id}")
        body, _ = health_callbacks.draw_health(None, None, None, None, None, f"?runs={writer.run_id}")
    assert "record 30" in note
    assert "record 30" in text_of(body)
