"""What a panel shows while its answer is computed, and when the computation failed."""

from __future__ import annotations

import json
from typing import Any

import dash_mantine_components as dmc
from dash import html

from analysis.jobs.queue import Job
from dashboard import gate
from dashboard.widgets.attributes import attributes
from dashboard.widgets.progress import progress_text, share_done


def waiting_box(job: Job | None, what: str) -> html.Div:
    """What is being computed, how far it is, and a button that cancels it. job: None while it is not queued yet."""
    parts: list[Any] = [html.P(what, className="empty-title")]
    share = share_done(job.progress) if job else None
    if job is None or job.state == "queued":
        place = job.position if job else None
        parts.append(html.P(f"Waiting: number {place} in the queue." if place and place > 1 else "Starting ..."))
    elif job.progress:
        parts.append(html.P(progress_text(job.progress), className="quiet"))
    else:
        parts.append(html.P("Working ...", className="quiet"))
    if share is not None:
        parts.append(dmc.Progress(value=share, size="sm", **attributes({"aria-label": f"Progress: {what}"})))
    if job is not None and job.note:
        parts.append(html.P(job.note, className="quiet"))
    if job is not None and mine(job):
        parts.append(_button("Cancel", "cancel", job))
    return html.Div(parts, className="empty waiting", role="status")


def failed_box(job: Job | None, what: str, retry_nav: dict[str, Any] | None = None) -> html.Div:
    """Why an answer is missing, the last lines of its log, and a button that asks again.

    retry_nav: changes of the selection that a second button offers, as ``data-nav`` takes them.
    """
    cancelled = job is not None and job.state == "cancelled"
    parts: list[Any] = [html.P(f"{what}." if cancelled else f"{what} failed.", className="empty-title")]
    error = (job.error if job else None) or {}
    if cancelled:
        parts.append(html.P("It was cancelled."))
    else:
        parts += [html.P(text) for text in (error.get("message"), error.get("remedy")) if text]
    if error.get("tail"):
        parts.append(html.Details([html.Summary("Last lines of its log"), html.Pre(error["tail"], className="code")]))
    if job is not None:
        parts.append(_button("Try again", "retry", job))
    if retry_nav:
        nav = attributes({"data-nav": json.dumps(retry_nav)})
        parts.append(html.Button("Go back", className="bar-button", type="button", **nav))
    return html.Div(parts, className="empty failed", role="alert")


def mine(job: Job) -> bool:
    """Whether the current visitor may cancel the job."""
    return job.owner in ("server", gate.visitor())


def _button(text: str, command: str, job: Job) -> html.Button:
    # No ids: several panels may wait for the same job. assets/page.js turns a click into a command.
    return html.Button(text, className="bar-button", type="button", **attributes({f"data-job-{command}": job.id}))
