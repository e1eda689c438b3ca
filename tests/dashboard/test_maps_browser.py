"""What the browser makes of maps and lassos (assets/layers.js), in a page of its own: no server, no figures."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from dashboard.pictures import draw
from dashboard.widgets import lasso

SCRIPT = Path(__file__).parents[2] / "assets" / "layers.js"
PAGE = """<div id="maps-sheet-box" style="width:600px"><canvas id="maps-sheet" tabindex="0"></canvas></div>
<div id="maps-figure-outer"></div>
<div id="maps-input-box"><canvas id="maps-input"></canvas><p id="maps-input-note"></p></div>
<div id="maps-readout"></div><div id="view-layers"></div>
<script>
  window.went = [];
  window.query = new URLSearchParams("layer=conv");
  window.dash_clientside = { no_update: null };
  window.cutaway = { navigate: (changes) => window.went.push(changes), params: () => window.query };
</script>"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    found = browser.new_page(viewport={"width": 800, "height": 600})
    found.set_content(PAGE)
    found.add_script_tag(path=SCRIPT)
    yield found
    found.close()


def went(page: Page, expression: str, argument: Any = None) -> dict[str, Any]:
    """The last change of the address that a call made; {} without one."""
    page.evaluate("window.went.length = 0")
    page.evaluate(expression, argument)
    found: list[dict[str, Any]] = page.evaluate("window.went")
    return found[-1] if found else {}


def test_a_long_lasso_keeps_its_shape_in_64_corners(page: Page) -> None:
    turn = np.linspace(0, 2 * np.pi, 3000)
    radius = 2 + np.cos(9 * turn) + np.random.default_rng(0).normal(0, 0.004, 3000)
    x, y = radius * np.cos(turn), radius * np.sin(turn)
    selected = {"lassoPoints": {"x": x.tolist(), "y": y.tolist()}}
    said = went(page, "(given) => dash_clientside.layers.lasso(given, true)", selected)
    corners = [float(part) for part in said["lasso"].split(",")]
    assert 6 < len(corners) <= 128
    points = np.random.default_rng(1).uniform(-3, 3, (4000, 2))
    whole = lasso.inside(np.stack([x, y], 1).ravel().tolist(), points)
    assert (whole == lasso.inside(corners, points)).mean() > 0.98


def test_a_box_is_a_lasso_too_and_a_click_is_none(page: Page) -> None:
    said = went(page, "() => dash_clientside.layers.lasso({range: {x: [0, 1], y: [2, 3]}}, true)")
    assert said == {"lasso": "0,2,1,2,1,3,0,3"}
    for nothing in ("null", "{points: []}", "{lassoPoints: {x: [1], y: [1]}}"):
        assert went(page, f"() => dash_clientside.layers.lasso({nothing}, true)") == {}
    assert went(page, "() => dash_clientside.layers.lasso({range: {x: [0, 1], y: [2, 3]}}, false)") == {}


def test_lassoed_filters_are_written_as_ranges_and_keep_the_rest_of_the_selection(page: Page) -> None:
    choose = (
        "(ids) => dash_clientside.layers.lassoFilters({range: {}, points: ids.map((i) => ({customdata: i}))}, 'conv')"
    )
    assert went(page, choose, [7, 1, 2, 5, 6, 9, 2]) == {"filters": "1,2,5-7,9"}
    many = went(page, choose, list(range(0, 4096, 2)))["filters"]
    assert 2900 < len(many) < 3100
    page.evaluate("window.query = new URLSearchParams('lasso=1,2,3&filter=4')")
    assert went(page, choose, [1]) == {"layer": "conv", "filter": "4", "filters": "1", "lasso": "1,2,3", "drill": None}
    page.evaluate("window.query = new URLSearchParams('layer=conv')")


def test_maps_are_coloured_and_reached_by_keyboard(page: Page) -> None:
    maps = np.zeros((6, 4, 4), "f4")
    maps[1], maps[2, 0, 0] = 1.0, np.nan
    grey = draw.greys(maps, low=0.0, high=1.0)
    sheet = draw.Sheet.of(6, 4, 4)
    source = "data:image/png;base64," + base64.b64encode(draw.png(draw.mosaic(list(grey), sheet))).decode()
    spec = {"layer": "conv", "word": "filter", "filters": 6, "instance": 3, "picture": None, "source": source}
    spec |= {"columns": sheet.columns, "width": 4, "height": 4, "tops": [0, 1, None, 0, 0, 0], "signed": False}
    page.evaluate("(spec) => dash_clientside.layers.maps(spec, 'light')", spec)
    page.wait_for_timeout(200)
    colour = """(at) => [...document.getElementById("maps-sheet").getContext("2d").getImageData(at, 8, 1, 1).data]"""
    side = 32 + 3  # eight times a tile of four pixels, and the gap
    assert page.evaluate(colour, 10) == [253, 231, 37, 255]
    assert page.evaluate(colour, side + 10) == [68, 1, 84, 255]
    page.focus("#maps-sheet")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#maps-readout") == "filter 1 · largest activation 1"
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert went(page, "() => 0") == {}
    page.keyboard.press("Enter")
    assert page.evaluate("window.went") == [{"filter": 5}]
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#maps-readout").endswith("not finite")
    page.evaluate("(spec) => dash_clientside.layers.maps(spec, 'dark')", spec)
    assert page.evaluate(colour, side + 10) == [253, 231, 37, 255]


def test_four_thousand_maps_fit_the_box(page: Page) -> None:
    spec = {"layer": "wide", "word": "filter", "filters": 4096, "instance": 0, "picture": None, "source": "data:,"}
    spec |= {"columns": 64, "width": 7, "height": 7, "tops": [0] * 4096, "signed": False}
    page.evaluate("(spec) => dash_clientside.layers.maps(spec, 'light')", spec)
    width, height = page.evaluate(
        "(() => { const c = document.getElementById('maps-sheet'); return [c.width, c.height]; })()"
    )
    assert width <= 600
    assert 200 < height < 600
