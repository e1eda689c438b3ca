"""A tiny Dash app behind the gate."""

from types import SimpleNamespace

import dash
import flask
import pytest
from dash import ALL, MATCH, Input, Output, State, dcc, html

from analysis.errors import NotFound, ParameterError
from dashboard import gate
from dashboard.settings import Settings

TOKEN = "correct-horse-battery"


def layout():
    return html.Div(
        [
            dcc.Input(id="in", value=""),
            html.Div(id="out"),
            html.Div(id="two"),
            html.Button("x", id={"kind": "button", "row": 1}),
            html.Div(id={"kind": "label", "row": 1}),
        ]
    )


def register(app, calls):
    def echo(value, _state):
        calls.append(value)
        if value == "crash":
            raise ZeroDivisionError("secret detail")
        if value == "refuse":
            raise ParameterError("Too large.", "Take less.")
        return value

    app.callback(Output("out", "children"), Input("in", "value"), State("two", "children"))(echo)
    app.callback(Output("two", "children"), Input({"kind": "button", "row": ALL}, "n_clicks"))(lambda clicks: clicks)
    app.callback(
        Output({"kind": "label", "row": MATCH}, "children"), Input({"kind": "button", "row": MATCH}, "n_clicks")
    )(lambda clicks: clicks)
    app.clientside_callback("function (x) { return x; }", Output("two", "title"), Input("in", "value"))


def add_routes(app, prefix):
    def boom():
        raise RuntimeError("secret detail")

    def missing():
        raise NotFound("No such run.", "Look at the list.")

    def wrong():
        raise ParameterError("9 is too large.", "Take less.")

    def named():
        return gate.visitor()

    def tag():
        return flask.Response("data", headers={"Cache-Control": "private, max-age=60"})

    for view in (boom, missing, wrong, named, tag):
        app.server.add_url_rule(f"{prefix}{view.__name__}", view.__name__, view)
    app.server.add_url_rule(f"{prefix}take", "take", lambda: flask.request.get_data()[:3], methods=["POST"])


@pytest.fixture
def make(tmp_path):
    """Makes an app from settings: a name space of app, client, calls."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "style.css").write_text("body { margin: 0 }")
    (tmp_path / "secret.txt").write_text("CANARY")
    (assets / "link.txt").symlink_to(tmp_path / "secret.txt")
    (assets / "up").symlink_to(tmp_path)

    def build(**values):
        settings = Settings(**{"roots": (), "workspace": tmp_path, **values})
        app = dash.Dash("tiny", assets_folder=str(assets), url_base_pathname=settings.path_prefix)
        app.layout = layout()
        calls = []
        register(app, calls)
        add_routes(app, settings.path_prefix)
        gate.install(app, settings)
        return SimpleNamespace(app=app, client=app.server.test_client(), calls=calls, settings=settings)

    return build


@pytest.fixture
def open_gate(make):
    return make()


@pytest.fixture
def locked(make):
    return make(token=TOKEN)


def body(value="hello"):
    """A well-formed request of the first callback."""
    return {
        "output": "out.children",
        "outputs": {"id": "out", "property": "children"},
        "inputs": [{"id": "in", "property": "value", "value": value}],
        "state": [{"id": "two", "property": "children", "value": None}],
        "changedPropIds": ["in.value"],
        "parsedChangedPropsIds": ["in.value"],
    }


@pytest.fixture
def well_formed():
    return body
