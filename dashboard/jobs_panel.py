"""The jobs drawer: what runs and waits, how far it is, how to cancel it, why it failed."""

from __future__ import annotations

import math
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ALL, Input, Output, ctx, html, no_update

from analysis.errors import CutawayError
from analysis.jobs.queue import Job
from dashboard import gate, services, subjects
from dashboard.widgets.attributes import attributes
from dashboard.widgets.progress import progress_text, share_done
from dashboard.widgets.states import empty


def register(app: dash.Dash) -> None:
    """Attach the callbacks of the drawer."""
    app.callback(Output("jobs-body", "children"), Output("jobs-label", "children"), Input("pulse-jobs", "data"))(
        draw_jobs
    )
    app.callback(
        Output("pulse-jobs", "data", allow_duplicate=True),
        Input({"type": "job-cancel", "id": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )(cancel_job)
    app.callback(
        Output("pulse-jobs", "data", allow_duplicate=True),
        Output("pulse-answers", "data", allow_duplicate=True),
        Input("job-command", "data"),
        prevent_initial_call=True,
    )(command)


# What ``job_state`` tells, and the types of it.
STATE: dict[str, Any] = {
    "id": str,
    "name": str,
    "state": str,
    "mine": bool,
    "position": int | None,
    "progress": dict | None,
    "error": dict | None,
    "note": str,
}


def drawer() -> dmc.Drawer:
    """The drawer itself, closed at first."""
    return dmc.Drawer(
        html.Div(id="jobs-body"),
        id="jobs-drawer",
        title="Jobs",
        position="right",
        size="380px",
        keepMounted=True,
        closeButtonProps={"aria-label": "Close jobs"},
    )


def job_state(job: Job) -> dict[str, Any]:
    """What the page is told of a job."""
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "mine": job.owner in ("server", gate.visitor()),
        "position": job.position,
        "progress": job.progress,
        "error": job.error,
        "note": job.note,
    }


def draw_jobs(listed: Any) -> tuple[Any, str]:
    """The drawer's content, and the button's text. listed: from the browser, items of ``job_state``."""
    jobs = [job for job in listed if _is_state(job)] if isinstance(listed, list) else []
    if not jobs:
        return empty("Jobs", "Nothing is running or waiting.", "Start a demo from the Runs view."), "Jobs"
    active = [job for job in jobs if job["state"] in ("queued", "running")]
    label = "Jobs"
    if active:
        share = share_done(active[0]["progress"])
        label = f"Jobs: {len(active)}" + (f", {share:.0f} %" if share is not None else "")
    return [_job_card(job) for job in jobs], label


def _is_state(job: Any) -> bool:
    if not isinstance(job, dict) or not job.keys() >= STATE.keys():
        return False
    progress = job["progress"] or {}
    return all(isinstance(job[name], kinds) for name, kinds in STATE.items()) and all(
        value is None or (isinstance(value, int | float) and math.isfinite(value))
        for value in map(progress.get, ("done", "total", "rate", "eta_s"))
    )


def _job_card(job: dict[str, Any]) -> html.Div:
    state, progress, error = job["state"], job["progress"] or {}, job["error"]
    parts: list[Any] = [
        html.Div([html.Strong(job["name"]), html.Span(state, className=f"job-state {state}")], className="job-head")
    ]
    share = share_done(progress)
    if state == "running" and share is not None:
        parts.append(dmc.Progress(value=share, size="sm", **attributes({"aria-label": f"Progress of {job['name']}"})))
    if state == "queued":
        parts.append(html.P(f"Number {job['position']} in the queue", className="quiet"))
    if progress and state in ("running", "cancelled", "failed"):
        parts.append(html.P(progress_text(progress), className="quiet"))
    if job["note"]:
        parts.append(html.P(job["note"], className="quiet"))
    if error:
        parts.append(html.P(f"{error.get('message', '')} {error.get('remedy', '')}".strip(), className="damage"))
        if error.get("tail"):
            parts.append(
                html.Details([html.Summary("Last lines of its log"), html.Pre(error["tail"], className="code")])
            )
    if state in ("queued", "running") and job["mine"]:
        button = html.Button(
            "Cancel", id={"type": "job-cancel", "id": job["id"]}, className="bar-button", type="button", n_clicks=0
        )
        parts.append(button)
    if state in ("failed", "cancelled", "lost"):
        again = attributes({"data-job-retry": job["id"]})
        parts.append(html.Button("Try again", className="bar-button", type="button", **again))
    return html.Div(parts, className="job")


def cancel_job(clicks: list[int | None]) -> Any:
    """Cancel the job whose button was pressed, if it is this visitor's."""
    pressed = ctx.triggered_id
    if not pressed or not any(clicks):
        return no_update
    found = services.current()
    try:
        found.jobs.cancel(str(pressed["id"]), gate.visitor())
    except CutawayError:
        return no_update  # it is not there any more, or not this visitor's: the next poll shows what is
    return [job_state(job) for job in found.jobs.list(limit=30)]


def command(sent: Any) -> tuple[Any, Any]:
    """Cancel a job of this visitor's, or submit one again: what a panel's button asked for."""
    found = services.current()
    wanted, job_id = (sent.get("do"), sent.get("id")) if isinstance(sent, dict) else (None, None)
    if wanted not in ("cancel", "retry"):
        return no_update, no_update
    try:
        if wanted == "cancel":
            found.jobs.cancel(str(job_id), gate.visitor())
        else:
            found.jobs.retry(str(job_id), gate.visitor())
    except CutawayError:
        return no_update, no_update
    return [job_state(job) for job in found.jobs.list(limit=30)], subjects.pulse()
