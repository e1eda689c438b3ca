"""Callbacks of the shell: the pulse that keeps a page live, the pickers, jobs, theme and help."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import dash
from dash import ClientsideFunction, Input, Output, State, ctx, html, no_update

from analysis.errors import CutawayError
from analysis.layers.rules import meta_of
from analysis.training.findings import noun
from dashboard import chips, jobs_panel, notices, services, shell, subjects
from dashboard.selection import GROUPS, Selection
from dashboard.views.registry import VIEWS, View, by_slug

PICKERS = ("runa", "runb", "layer", "checkpoint")
# Listing a thousand runs costs more than asking one: the list is renewed every few ticks.
LIST_EVERY = 3
BUSY_MS = 700  # between two polls while an answer is on its way


def register(app: dash.Dash) -> None:
    """Attach the callbacks of the shell."""
    _register_selection(app)
    _register_page(app)
    app.callback(
        Output("pulse-runs", "data"),
        Output("pulse-selected", "data"),
        Output("pulse-jobs", "data"),
        Output("banner", "children"),
        Output("pulse-answers", "data"),
        Output("tick", "interval"),
        Input("tick", "n_intervals"),
        Input("sel-runs", "data"),
        State("pulse-runs", "data"),
        State("pulse-selected", "data"),
        State("pulse-jobs", "data"),
        State("pulse-answers", "data"),
        State("url", "data"),
    )(pulse)
    app.callback(
        Output("ctl-runa", "data"),
        Output("ctl-runb", "data"),
        Input("pulse-runs", "data"),
    )(offer_runs)
    app.callback(
        Output("ctl-layer", "data"),
        Output("ctl-checkpoint", "data"),
        Output("chips", "children"),
        Input("pulse-selected", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-curves", "data"),
        Input("sel-instance", "data"),
        Input("sel-filters", "data"),
        Input("sel-view", "data"),
        Input("sel-subset", "data"),
        Input("sel-plasso", "data"),
        Input("pulse-answers", "data"),
        State("ctl-layer", "data"),
        State("url", "data"),
    )(offer_parts)
    jobs_panel.register(app)
    notices.register(app)


def _register_selection(app: dash.Dash) -> None:
    app.clientside_callback(
        ClientsideFunction("selection", "start"), Output("url", "data"), Input("sel-groups", "data")
    )
    app.clientside_callback(
        ClientsideFunction("selection", "groups"),
        [Output(f"sel-{name}", "data") for name in GROUPS],
        Input("url", "data"),
        State("sel-groups", "data"),
        *[State(f"sel-{name}", "data") for name in GROUPS],
    )
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(f"ctl-{name}", "value") for name in PICKERS],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(f"ctl-{name}", "value") for name in PICKERS],
        Input("sel-runs", "data"),
        Input("sel-layer", "data"),
        Input("sel-checkpoint", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("selection", "show"),
        [Output(f"open-{view.slug}", "data") for view in VIEWS],
        Input("sel-view", "data"),
        Input("sel-runs", "data"),
    )
    for view in VIEWS:
        # The inspector's part first: callbacks of the view write there.
        app.callback(
            Output(f"beside-{view.slug}", "children"),
            Output(f"view-{view.slug}", "children"),
            Input(f"open-{view.slug}", "data"),
            prevent_initial_call=True,
        )(partial(opened, view))
    app.clientside_callback(
        ClientsideFunction("selection", "arrive"),
        Output("main", "data-arrived"),
        Input("pulse-runs", "data"),
        State("url", "data"),
    )


def _register_page(app: dash.Dash) -> None:
    app.clientside_callback(
        ClientsideFunction("theme", "apply"),
        Output("mantine", "forceColorScheme"),
        Output("scheme", "data"),
        Input("theme-choice", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("theme", "next"),
        Output("theme-choice", "data"),
        Input("theme-button", "n_clicks"),
        State("theme-choice", "data"),
        prevent_initial_call=True,
    )
    for button, dialog in (("jobs-open", "jobs-drawer"), ("help-open", "help")):
        app.clientside_callback(
            ClientsideFunction("page", "open"),
            Output(dialog, "opened"),
            Input(button, "n_clicks"),
            prevent_initial_call=True,
        )


def opened(view: View, wanted: Any) -> tuple[Any, Any]:
    """The view's page and inspector, at its first visit."""
    return shell.opened(view) if wanted else (no_update, no_update)


def pulse(
    ticks: int | None,
    _runs: Any,
    runs_before: Any,
    selected_before: Any,
    jobs_before: Any,
    answers_before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """What changed since the last poll, as small as it can be: nothing, in most polls."""
    found = services.current()
    selection = Selection.parse(search)
    listing: Any = no_update
    if not runs_before or not isinstance(ticks, int) or ticks % LIST_EVERY == 0 or ctx.triggered_id == "sel-runs":
        listing = _listing(found)
        listing = no_update if listing == runs_before else listing
    selected, missing = _selected(found, selection)
    listed = found.jobs.list(limit=30)
    jobs = [jobs_panel.job_state(job) for job in listed]
    answers = subjects.pulse()
    busy = any(job.active and job.queue for job in listed)
    return (
        listing,
        no_update if selected == selected_before else selected,
        no_update if jobs == jobs_before else jobs,
        _banner(found, selection, missing),
        no_update if answers == answers_before else answers,
        BUSY_MS if busy else shell.TICK_MS,
    )


def _listing(found: services.Services) -> dict[str, Any]:
    infos = found.index.list()
    readable = [info for info in infos if info.status != "unreadable"]
    newest = max(readable, key=lambda info: (info.status == "running", info.updated), default=None)
    return {
        "runs": [[info.id, info.name, info.status] for info in infos[::-1]],
        "arrive": newest.id if newest else None,
        "subject": bool(found.settings.subject_name),
    }


def _selected(found: services.Services, selection: Selection) -> tuple[list[Any], list[str]]:
    state: list[Any] = []
    missing = []
    for run_id in selection.runs:
        try:
            info = found.index.open(run_id).info
            state.append([run_id, info.status, info.updated, info.segments])
        except CutawayError as error:
            state.append([run_id, "missing", 0, 0])
            missing.append(f"{error.message} {error.remedy}")
    return state, missing


def _banner(found: services.Services, selection: Selection, missing: list[str]) -> Any:
    problems = list(selection.problems)
    if selection.view and selection.view not in {view.slug for view in VIEWS}:
        problems.append(f"view = {selection.view}")
    lines = [f"The link asks for something unknown: {'; '.join(problems)}."] if problems else []
    lines += missing
    about = subjects.described()
    # The Subject view tells the whole of it.
    if about.state == "failed" and about.job and about.job.error and selection.view != "subject":
        first, _, rest = str(about.job.error.get("message") or "").strip().partition("\n")
        first = f"{first} …" if rest and not first.endswith((".", ":", "!", "?")) else first
        lines.append(f"The model cannot be shown. {first} The Subject view says more.")
    for run_id in selection.runs:
        try:
            run = found.index.open(run_id)
            info = run.info
        except CutawayError:
            continue
        if info.status == "stopped updating":
            ago = max(0, time.time() - info.updated)
            lines.append(
                f"{info.name} stopped updating {_ago(ago)} ago without being closed. What it recorded is shown."
            )
        elif info.status == "interrupted":
            lines.append(f"{info.name} was interrupted before its end. What it recorded is shown.")
        elif info.status == "failed":
            segments = run.segments()
            lines.append(f"{info.name} ended with {segments[-1].reason if segments else 'an error'}.")
    if found.curves.problem:
        lines.append(found.curves.problem)
    return [html.P(line, className="banner-line") for line in lines]


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{int(seconds)} s"


def offer_runs(listing: Any) -> tuple[Any, Any]:
    """What the two run pickers offer."""
    rows = listing.get("runs") if isinstance(listing, dict) else None
    rows = [row for row in rows if isinstance(row, list) and len(row) == 3] if isinstance(rows, list) else []
    options = [{"value": str(run_id), "label": f"{name} ({status})"} for run_id, name, status in rows]
    counts: dict[str, int] = {}
    for option in options:
        counts[option["label"]] = counts.get(option["label"], 0) + 1
    for option in options:
        if counts[option["label"]] > 1:  # runs of one name are told apart by their id
            option["label"] += f" {option['value'][:6]}"
    return options, options


def offer_parts(*given: Any) -> tuple[Any, Any, list[Any]]:
    """Layers and checkpoints of run A and of the subject, and the chips of what is selected beyond the pickers.
    given: as ``register`` lists them.
    """
    before, search = given[-2:]
    selection = Selection.parse(search)
    try:
        run = services.open_runs(selection.runs[:1])[0] if selection.runs else None
    except CutawayError:
        run = None
    about = subjects.described().data or {}
    watched = run.layers() if run else []
    own, recorded = [info.key for info in subjects.layers()], [meta.name for meta in watched]
    of_model = by_slug(selection.view).needs == "subject"
    names = dict.fromkeys([*own, *recorded] if of_model else [*recorded, *own])
    layers = [{"value": name, "label": name} for name in names]
    # A name may be there twice: the subject's checkpoint is the one that is asked about.
    saved = {item["name"]: _offer(item) for item in about.get("checkpoints", [])}
    for item in run.checkpoints() if run else []:
        saved.setdefault(item.name, {"value": item.name, "label": f"step {item.step:,}"})
    offered = list(saved.values())
    known = {meta.name: meta for meta in watched} | {info.key: meta_of(info) for info in subjects.layers()}
    word = noun(known[selection.layer], 1, capital=True) if selection.layer in known else "Filter"
    return (no_update if layers == before else layers), offered, chips.chips(selection, word, about)


def _offer(item: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of the subject as the picker takes it; one that cannot be used cannot be chosen."""
    name = str(item["name"])
    if item.get("problem"):
        return {"value": name, "label": f"{name} (cannot be used)", "disabled": True}
    return {"value": name, "label": name}
