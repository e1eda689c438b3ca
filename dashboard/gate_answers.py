"""What the gate says: short answers without a traceback, and the headers of every response."""

from __future__ import annotations

import json
import logging
import secrets
import threading

import dash
from dash.exceptions import DependencyException, InvalidResourceError
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from analysis.errors import CutawayError
from analysis.errors import NotFound as NotFoundError

log = logging.getLogger("cutaway.web")

UNAUTHORISED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Cutaway: token needed</title></head>
<body><h1>This Cutaway needs its token</h1>
<p>Open the link that the server printed when it started: it ends in <code>?token=...</code>.</p>
<p>A program sends the header <code>Authorization: Bearer TOKEN</code>.</p></body></html>
"""
POLICY = (
    "default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
YEAR = 365 * 24 * 3600


class Headers:
    """Security and caching headers, set on every response. The policy is made at the first one: by then Dash knows all
    its inline scripts."""

    def __init__(self, app: dash.Dash) -> None:
        self._app = app
        self._policy = ""
        self._lock = threading.Lock()

    def __call__(self, response: Response) -> Response:
        headers = response.headers
        headers["Content-Security-Policy"] = self._get_policy()
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["X-Frame-Options"] = "DENY"
        self._cache(response)
        return response

    def _get_policy(self) -> str:
        with self._lock:
            if not self._policy:
                self._policy = POLICY.format(hashes=" ".join(dict.fromkeys(self._app.csp_hashes())))
        return self._policy

    def _cache(self, response: Response) -> None:
        if response.status_code >= 400 or response.status_code == 302:
            response.headers["Cache-Control"] = "no-store"
        elif response.status_code in (200, 304) and self._has_version():
            response.headers["Cache-Control"] = f"private, max-age={YEAR}, immutable"
        elif "Cache-Control" not in response.headers:
            # Scripts that Dash loads later (Plotly, 4 MB) have no version in their address, but a tag to ask with.
            bundle = f"{self._app.config.routes_pathname_prefix}_dash-component-suites/"
            response.headers["Cache-Control"] = "private, no-cache" if request.path.startswith(bundle) else "no-store"

    def _has_version(self) -> bool:
        """Dash writes the time of the last change into the address of an asset."""
        config = self._app.config
        assets = f"{config.routes_pathname_prefix}{config.assets_url_path.strip('/')}/"
        return request.path.startswith(assets) and "m" in request.args


def unauthorised() -> Response:
    """401, with what to do about it."""
    return Response(UNAUTHORISED, 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/html")


def register(server: Flask) -> None:
    """Answer every error of every route in a few words."""
    server.register_error_handler(HTTPException, _http)
    server.register_error_handler(CutawayError, _cutaway)
    server.register_error_handler(Exception, _unexpected)
    # Dash answers these with the address that was asked for, as HTML.
    for kind in (InvalidResourceError, DependencyException):
        server.register_error_handler(kind, _not_found)


def _answer(status: int, message: str, remedy: str = "") -> Response:
    """JSON for programs, plain text for people; never HTML, so nothing in it can run."""
    if "text/html" in request.headers.get("Accept", ""):
        return Response(f"{message} {remedy}".strip() + "\n", status, mimetype="text/plain")
    return Response(json.dumps({"message": message, "remedy": remedy}), status, mimetype="application/json")


def _http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400 or error.response is not None:
        return error  # a redirection
    # Flask's own texts may repeat the request; ours (set by the gate) do not.
    default = type(error).description
    message = error.description if error.description and error.description != default else f"{error.name}."
    answer = _answer(error.code, message if error.code in (400, 403) else f"{error.name}.")
    for name, value in error.get_headers():
        if name == "Allow":
            answer.headers[name] = value
    return answer


def _cutaway(error: CutawayError) -> Response:
    return _answer(404 if isinstance(error, NotFoundError) else 400, error.message, error.remedy)


def _not_found(_error: Exception) -> Response:
    return _answer(404, "Not Found.")


def _unexpected(error: Exception) -> Response:
    number = secrets.token_hex(4)
    log.error("Error %s at %s %s", number, request.method, request.path, exc_info=error)
    return _answer(500, f"The server met an unexpected error ({number}).", "Its log says more under this number.")
