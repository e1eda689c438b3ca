"""Makes the app: one call, no globals, so that two apps in one process do not meet."""

from __future__ import annotations

from pathlib import Path

import dash

from analysis.demos import registry
from dashboard import (
    attribution_exports,
    exports,
    feedback_exports,
    gate,
    instance_exports,
    layer_exports,
    map_exports,
    neuron_exports,
    pictures,
    sequence_exports,
    services,
    shell,
    shell_callbacks,
)
from dashboard.settings import Settings
from dashboard.views.registry import VIEWS

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{%title%}</title>{%favicon%}{%css%}
</head>
<body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body>
</html>"""
ASSETS = Path(__file__).resolve().parent.parent / "assets"


def create_app(settings: Settings) -> dash.Dash:
    """A Dash app with its services, routes, gate and callbacks; nothing runs yet.

    Raises ParameterError when settings.demo names no demo, or one whose packages are missing.
    """
    app = dash.Dash(
        "cutaway",
        title="Cutaway",
        update_title="",
        assets_folder=str(ASSETS),
        url_base_pathname=settings.path_prefix,
        serve_locally=True,
        index_string=PAGE,
        compress=True,
        # The table of runs and the buttons of demos and jobs come with callbacks.
        suppress_callback_exceptions=True,
        add_log_handler=False,
    )
    found = services.install(app.server, settings)
    exports.install(app.server, settings.path_prefix)
    pictures.install(app.server, settings.path_prefix)
    layer_exports.install(app.server, settings.path_prefix)
    map_exports.install(app.server, settings.path_prefix)
    attribution_exports.install(app.server, settings.path_prefix)
    feedback_exports.install(app.server, settings.path_prefix)
    sequence_exports.install(app.server, settings.path_prefix)
    neuron_exports.install(app.server, settings.path_prefix)
    instance_exports.install(app.server, settings.path_prefix)
    app.layout = shell.layout(subject=bool(settings.subject_name))
    shell_callbacks.register(app)
    for view in VIEWS:
        view.register(app)
    gate.install(app, settings)
    if settings.subject_name:
        services.submit_subject(found)
    if settings.demo is not None and registry.get(settings.demo).module:
        services.submit_demo(found, settings.demo, "server")
    return app
