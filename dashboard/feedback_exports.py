"""Downloads of verdicts on explanations: all of them as JSON, and the regions that should not matter as masks."""

from __future__ import annotations

import flask

from analysis.errors import NotFound
from dashboard import asking
from dashboard.views.attribution import feedback_data


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    for name, answer in (("feedback.json", verdicts), ("feedback-masks.npz", masks)):
        endpoint = "export_" + name.replace("-", "_").replace(".", "_")
        server.add_url_rule(f"{prefix}export/{name}", endpoint, answer, methods=["GET"])


def verdicts() -> flask.Response:
    """Every verdict on the subject's explanations: {'subject', 'verdicts'}."""
    return _file(_kept().export(), "application/json", "feedback.json")


def masks() -> flask.Response:
    """A boolean array for each wrong explanation with a marked region, true where it should not matter."""
    return _file(_kept().masks(), "application/octet-stream", "feedback-masks.npz")


def _kept() -> feedback_data.Feedback:
    try:
        return feedback_data.kept(asking.described())
    except asking.NotReady as nothing:
        raise NotFound(nothing.reason, nothing.remedy or "Try again when the page shows it.") from nothing


def _file(content: bytes, kind: str, name: str) -> flask.Response:
    response = flask.Response(content, mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
