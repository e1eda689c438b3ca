"""A small page behind the gate, served as the real one is. Usage: server_app.py JSON-of-settings."""

import json
import os
import sys
import threading
from pathlib import Path

import dash
from dash import Input, Output, dcc, html

from analysis.jobs import Jobs
from dashboard import gate
from dashboard.server import serve
from dashboard.settings import Settings


def create(settings):
    app = dash.Dash("tiny", url_base_pathname=settings.path_prefix, serve_locally=True)
    app.layout = html.Div([dcc.Input(id="in"), html.Div(id="out")])
    app.callback(Output("out", "children"), Input("in", "value"))(str)
    app.server.add_url_rule(f"{settings.path_prefix}pid", "pid", lambda: str(os.getpid()))
    app.server.add_url_rule(f"{settings.path_prefix}threads", "threads", threads)
    app.server.add_url_rule(f"{settings.path_prefix}long", "long", lambda: "x" * 5000)
    gate.install(app, settings)
    if settings.demo:  # as the real page does
        Jobs(settings.jobs_dir).submit("demo", {"name": settings.demo, "directory": "x"}, name="Demo")
    return app


barrier = threading.Barrier(3)


def threads():
    barrier.wait(5)  # passes only when three requests are answered at the same time
    return "together"


if __name__ == "__main__":
    values = json.loads(sys.argv[1])
    roots = tuple(Path(root) for root in values.pop("roots", []))
    sys.exit(serve(Settings(roots=roots, workspace=Path(values.pop("workspace")), **values), create))
