"""The page in a real browser, behind the gate and its content security policy."""

import threading

import dash
import dash_ag_grid as dag
import dash_mantine_components as dmc
import plotly.graph_objects as go
import pytest
from dash import ClientsideFunction, Input, Output, dcc, html
from werkzeug.serving import make_server

from dashboard import gate
from dashboard.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
TOKEN = "correct-horse-battery"
SCRIPT = (
    "window.dash_clientside = Object.assign({}, window.dash_clientside, {tiny: {upper: x => (x || '').toUpperCase()}});"
)


def layout():
    return dmc.MantineProvider(
        [
            dmc.TextInput(id="in", label="Name"),
            html.Div(id="server"),
            html.Div(id="client"),
            html.Div(id="inline"),
            dcc.Graph(id="graph", figure=go.Figure(go.Scattergl(x=[1, 2], y=[3, 4]))),
            dcc.Graph(id="graph3", figure=go.Figure(go.Scatter3d(x=[1, 2], y=[3, 4], z=[5, 6]))),
            dag.AgGrid(id="grid", columnDefs=[{"field": "a"}], rowData=[{"a": "first cell"}], getRowId="params.data.a"),
        ]
    )


@pytest.fixture(params=["/", "/cutaway/"])
def served(tmp_path, request):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "tiny.js").write_text(SCRIPT)
    server = make_server("127.0.0.1", 0, None, threaded=True)
    settings = Settings((), tmp_path, port=server.port, token=TOKEN, path_prefix=request.param)
    app = dash.Dash("tiny", assets_folder=str(tmp_path / "assets"), url_base_pathname=request.param)
    app.layout = layout
    app.callback(Output("server", "children"), Input("in", "value"))(lambda value: f"server {value}")
    app.clientside_callback(ClientsideFunction("tiny", "upper"), Output("client", "children"), Input("in", "value"))
    app.clientside_callback("x => 'inline ' + x", Output("inline", "children"), Input("in", "value"))
    gate.install(app, settings)
    server.app = app.server
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}{request.param}"
    server.shutdown()
    thread.join()


def test_the_page_works_under_its_policy(served, browser):
    page = browser.new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "response", lambda answer: problems.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
    )
    page.goto(f"{served}?token={TOKEN}&layer=conv1")
    page.wait_for_selector("#graph .js-plotly-plot .main-svg")
    page.wait_for_selector("#graph3 canvas")
    page.get_by_text("first cell").wait_for()
    assert page.url == f"{served}?layer=conv1"
    page.fill("#in", "ada")
    page.get_by_text("server ada").wait_for()
    page.get_by_text("ADA", exact=True).wait_for()
    page.get_by_text("inline ada").wait_for()
    assert problems == []  # a violation of the policy is an error on the console
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert len(cookies) == 2
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies.values())
    page.close()


def test_a_script_put_into_the_page_does_not_run(served, browser):
    page = browser.new_page()
    page.goto(f"{served}?token={TOKEN}")
    page.wait_for_selector("#in")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hurt = 1\">');"
        "const s = document.createElement('script'); s.textContent = 'window.hurt = 2'; document.body.append(s);"
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.hurt") is None
    page.close()


def test_without_the_token_the_browser_shows_what_to_do(served, browser):
    page = browser.new_page()
    assert page.goto(served).status == 401
    assert page.get_by_role("heading").inner_text() == "This Cutaway needs its token"
    page.close()
