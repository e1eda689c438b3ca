"""What the browser makes of the matrix (assets/matrix*.js), in a page of its own: no server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from dashboard import theme
from dashboard.views.model import matrix_codes

ASSETS = Path(__file__).parents[2] / "assets"
GUTTER = 168
PAGE = """<style>:root { --panel: #ffffff; --ink: #1d2430; --ink-2: #515c6b; --line: #d9dee5; --accent: #1c64c8; }
body { margin: 0; font: 13px/1.45 sans-serif; }</style>
<div style="width:800px"><div id="md-matrix-data" hidden></div><div id="md-matrix-picture" class="mx-picture"></div>
<div id="md-matrix-told"></div><div id="md-matrix-legend"></div></div>
<script>
  window.went = [];
  window.query = new URLSearchParams("layer=fc");
  window.asked = [];
  window.dash_clientside = { no_update: null, callback_context: { outputs_list: { id: "md-matrix-add" } } };
  window.fetch = async (address) => {
    window.asked.push(address);
    return { ok: false, status: 404, json: async () => null, arrayBuffer: async () => new ArrayBuffer(0) };
  };
  window.cutaway = {
    navigate: (changes) => window.went.push(changes), params: () => window.query,
    DEFAULTS: { xscale: "neuron", xsort: "index" },
    svg: (name, attributes, parent) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const key in attributes) node.setAttribute(key, attributes[key]);
      if (parent) parent.appendChild(node);
      return node;
    },
  };
</script>"""
MEANS = np.array([[0.0, 1.0, 2.0, 4.0], [0.0, 2.0, 1.0, 1.0], [np.nan] * 4, [0.0, 0.5, 2.0, 3.0]], np.float32)
ROWS = [
    [0, "class:0", "labelled <b>a</b>", 5, None, "●", "#0072b2", "", "class"],
    [1, "wrong", "wrongly predicted", 7, None, "", "", "wrong", "further"],
    [2, "loss > 9", "loss > 9", 0, None, "", "", "", "subset"],
    [3, "", "instance 17", 1, 17, "■", "#0072b2", "", "instance"],
]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    found = browser.new_page(viewport={"width": 900, "height": 700})
    found.on("pageerror", lambda error: pytest.fail(str(error)))
    found.set_content(PAGE)
    found.add_style_tag(path=ASSETS / "matrix.css")
    for name in ("matrix.js", "matrix_guest.js", "matrix_moves.js", "matrix_parts.js"):
        found.add_script_tag(path=ASSETS / name)
    yield found
    found.close()


def show(page: Page, means: np.ndarray = MEANS, rows: Any = None, order: Any = None, **more: Any) -> None:
    """Draw a matrix of one layer."""
    signed = bool(more.get("gradient"))
    block = {
        "layer": "fc",
        "noun": "unit",
        "filters": means.shape[1],
        "order": None if order is None else base64.b64encode(np.array(order, "<u4").tobytes()).decode(),
        "ends": list(matrix_codes.ends(means, signed)),
        "head": "4 units",
        "score": 0.8,
        "chance": 0.1,
        "key": str(more.get("key", "k")),
        "data": base64.b64encode(matrix_codes.packed(means, signed)).decode(),
    }
    value = {
        "gradient": signed,
        "of": "mean activation",
        "rows": ROWS if rows is None else rows,
        "sorted": None,
        "sort": "",
        "own": "fc",
        "ramp": {scheme: [stop[1] for stop in theme.sequential(scheme)] for scheme in ("light", "dark")},
        "signs": [theme.LOWERS, theme.RAISES],
        "blocks": [block],
        "cell": "/data/model/cell.json?",
    } | {name: part for name, part in more.items() if name != "key"}
    page.evaluate("(text) => { document.getElementById('md-matrix-data').textContent = text; }", json.dumps(value))
    page.locator(".mx-row").first.wait_for()
    page.wait_for_timeout(80)


def pixels(page: Page, x: float, y: float, wide: int = 1, tall: int = 1) -> np.ndarray:
    """A part of the canvas of the cells, (tall, wide, 4)."""
    script = """([x, y, w, h]) => Array.from(
      document.querySelector('.mx-pane canvas:last-child').getContext('2d').getImageData(x, y, w, h).data)"""
    data = page.evaluate(script, [int(x), int(y), wide, tall])
    return np.array(data, np.uint8).reshape(tall, wide, 4)


def centre(page: Page, row: int, column: int) -> tuple[float, float]:
    """Middle of a cell, in px of the canvas."""
    cw, rh = page.evaluate("[cutawayMatrix.shown.blocks[0].cw, cutawayMatrix.shown.view.rh]")
    return (column + 0.5) * cw, (row + 0.5) * rh


def colour(share: float) -> np.ndarray:
    stops = [stop[1] for stop in theme.sequential("light")]
    rgb = np.array([[int(text[at : at + 2], 16) for at in (1, 3, 5)] for text in stops], float)
    place = share * (len(stops) - 1)
    return np.array([np.interp(place, np.arange(len(stops)), rgb[:, part]) for part in range(3)])


def at(page: Page, row: int, column: int) -> np.ndarray:
    found: np.ndarray = pixels(page, *centre(page, row, column))[0, 0]
    return found


def test_a_cell_has_the_colour_of_its_share_of_the_neurons_largest(page: Page) -> None:
    show(page)
    for row, column, share in ((0, 3, 1.0), (1, 1, 1.0), (0, 1, 0.5), (3, 3, 0.75), (0, 0, 0.0)):
        assert np.allclose(at(page, row, column)[:3], colour(share), atol=3), (row, column)


def test_an_empty_subset_is_hatched_and_never_looks_like_0(page: Page) -> None:
    show(page)
    x, y = centre(page, 2, 1)
    seen = {tuple(pixel) for pixel in pixels(page, x - 9, y - 5, 18, 10).reshape(-1, 4).tolist()}
    assert seen == {(0, 0, 0, 0), (217, 222, 229, 255)}
    page.mouse.move(GUTTER + x, page.locator(".mx-pane").bounding_box()["y"] + 18 + y)  # type: ignore[index]
    assert "no value" in page.locator("#md-matrix-told").inner_text()


def test_neurons_stand_in_the_order_given_and_only_those(page: Page) -> None:
    show(page, order=[3, 1])
    assert np.allclose(at(page, 0, 0)[:3], colour(1.0), atol=3)
    assert np.allclose(at(page, 0, 1)[:3], colour(0.5), atol=3)
    assert page.evaluate("cutawayMatrix.value(cutawayMatrix.shown.blocks[0], 3, 0)") == pytest.approx(3, abs=0.02)


def test_rows_stand_in_the_order_given(page: Page) -> None:
    show(page, rows=[ROWS[at] for at in (3, 1, 0, 2)])
    assert np.allclose(at(page, 0, 3)[:3], colour(0.75), atol=3)
    labels = page.locator(".mx-label > span:nth-child(2)").all_inner_texts()
    assert labels == ["instance 17", "wrongly predicted", "labelled <b>a</b>", "loss > 9"]


def test_on_the_scale_of_the_layer_colours_compare_neurons(page: Page) -> None:
    show(page)
    page.evaluate("window.query.set('xscale', 'layer'); dash_clientside.matrix.paint()")
    page.wait_for_timeout(80)
    assert np.allclose(at(page, 0, 1)[:3], colour(0.25), atol=3)
    assert np.allclose(at(page, 0, 3)[:3], colour(1.0), atol=3)
    assert "4" in page.locator("#md-matrix-legend").inner_text()


def test_signs_have_two_hues_with_the_paper_at_0(page: Page) -> None:
    show(page, np.array([[0.0, -2.0], [1.0, 2.0]], np.float32), ROWS[:2], gradient=True)
    assert np.allclose(at(page, 0, 0)[:3], 255, atol=1)
    assert at(page, 0, 1)[2] > 180 > at(page, 0, 1)[0]  # blue
    assert at(page, 1, 1)[0] > 180 > at(page, 1, 1)[2]  # orange


def click(page: Page, row: int, column: int) -> dict[str, Any]:
    box = page.locator(".mx-pane").bounding_box()
    assert box is not None
    x, y = centre(page, row, column)
    page.evaluate("window.went.length = 0")
    page.mouse.click(box["x"] + x, box["y"] + 18 + y)
    changes: dict[str, Any] = page.evaluate("window.went.at(-1)")
    return changes


def test_a_click_keeps_the_neuron_and_its_row_and_takes_no_row_away(page: Page) -> None:
    show(page, order=[3, 1, 0, 2])
    page.evaluate("window.query.set('xrows', '[\"wrong\"]')")
    kept = '["wrong","loss > 9"]'
    assert click(page, 0, 1) == {"filter": "1", "subset": "class:0", "xrows": kept}
    assert click(page, 2, 0) == {"filter": "3", "subset": "loss > 9"}
    page.evaluate("window.query.set('instances', '5,17'); window.query.set('layer', 'conv')")
    assert click(page, 3, 0) == {"filter": "3", "layer": "fc", "instances": "17,5"}


def test_names_of_rows_sort_and_crosses_take_out(page: Page) -> None:
    show(page)
    page.evaluate("window.query.set('xrows', '[\"wrong\", \"all\"]'); window.query.set('instances', '5,17')")
    page.evaluate("dash_clientside.matrix.paint()")
    page.wait_for_timeout(80)
    labels = page.locator(".mx-label")
    assert json.loads(str(labels.nth(1).get_attribute("data-nav"))) == {"xsort": "row:1"}
    crosses = [json.loads(str(one.get_attribute("data-nav"))) for one in page.locator(".mx-x").all()]
    assert crosses == [{"xrows": '["all"]'}, {"subset": None}, {"instances": "5"}]


def test_keys_move_a_cursor_choose_and_sort(page: Page) -> None:
    show(page)
    page.locator(".mx-pane").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "End", "ArrowRight"):  # the first shows where the cursor is
        page.keyboard.press(key)
    assert "Unit 3 of fc on wrongly predicted (n = 7)" in page.locator("#md-matrix-told").inner_text()
    page.keyboard.press("Enter")
    assert page.evaluate("window.went.at(-1).filter") == "3"
    page.keyboard.press("s")
    assert page.evaluate("window.went.at(-1)") == {"xsort": "row:1"}


def test_a_subset_picked_becomes_a_row_once(page: Page) -> None:
    show(page)
    page.evaluate("window.query.set('xrows', '[\"wrong\"]')")
    assert page.evaluate("dash_clientside.matrix.add(' loss > 1 ')") is None
    assert page.evaluate("window.went.at(-1)") == {"xrows": '["wrong","loss > 1"]'}
    page.evaluate("window.went.length = 0; dash_clientside.matrix.add('wrong')")
    assert page.evaluate("window.went.length") == 0


def test_layers_that_only_followed_the_address_do_not_change_it(page: Page) -> None:
    page.evaluate("window.query.set('xlayers', 'a,b')")
    assert page.evaluate("dash_clientside.matrix.stacked()") == ["a", "b"]
    page.evaluate("window.query.delete('xlayers'); dash_clientside.matrix.stack(['a', 'b'])")  # late
    assert page.evaluate("window.went.length") == 0
    page.evaluate("dash_clientside.matrix.stack(['a'])")
    assert page.evaluate("window.went.at(-1)") == {"xlayers": "a"}


def test_of_10000_neurons_a_pixel_is_the_mean_of_its_cells(page: Page) -> None:
    rng = np.random.default_rng(0)
    means = rng.random((200, 10_000), np.float32)
    rows = [[at, "", f"instance {at}", 1, at, "", "", "", "each"] for at in range(200)]
    show(page, means, rows)
    assert page.locator(".mx-over").is_visible()
    assert page.locator(".mx-row").count() < 60  # only those in sight
    page.locator("[data-mx-zoom=all]").click()
    page.wait_for_timeout(400)
    assert "mean of about" in page.locator(".mx-head").inner_text()
    script = "Array.from(cutawayMatrix.level(cutawayMatrix.shown.blocks[0], 8, 2).data.slice(0, 50))"
    low, high = means.min(0), means.max(0)
    assert (low >= 0).all()
    codes = np.rint(254 * means / high).astype(float)
    wanted = codes[:2, :400].reshape(2, 50, 8).mean((0, 2))
    assert np.abs(np.array(page.evaluate(script)) - wanted).max() <= 2.5  # each halving rounds up
    page.locator("[data-mx-zoom=reset]").click()
    page.locator(".mx-pane").focus()
    page.keyboard.press("End")
    page.keyboard.press("End")
    page.wait_for_timeout(100)
    assert "Unit 9999 of fc" in page.locator("#md-matrix-told").inner_text()
    assert page.evaluate("cutawayMatrix.shown.blocks[0].x0") > 9000


def test_an_instance_pointed_at_in_the_projection_is_a_row_on_the_same_scale_until_it_is_left(page: Page) -> None:
    show(page)
    values = np.array([0, 2, 9, np.nan], "<f4")
    told = {"title": "instance 40, a", "values": base64.b64encode(values.tobytes()).decode()}
    page.evaluate(
        """(told) => { window.fetch = async (address) => {
            window.asked.push(address); return { ok: true, status: 200, json: async () => told }; }; }""",
        told,
    )
    point = "(detail) => document.dispatchEvent(new CustomEvent('cutaway-point', { detail }))"
    before = page.locator(".mx-block").bounding_box()
    page.evaluate(point, {"row": 12})
    page.wait_for_timeout(300)
    assert page.evaluate("window.asked.at(-1)") == "/data/model/instance.json?&layer=fc&row=12"
    assert page.locator(".mx-guest span").inner_text() == "instance 40, a"
    assert page.locator(".mx-block").bounding_box() == before  # nothing moves under the pointer
    script = """([x, y]) => Array.from(
      document.querySelector('.mx-guest canvas').getContext('2d').getImageData(x, y, 1, 1).data)"""
    for column, share in ((0, 0.0), (1, 1.0), (2, 1.0)):  # what lies beyond the scale is at its end
        assert np.allclose(page.evaluate(script, [int(centre(page, 0, column)[0]), 8])[:3], colour(share), atol=3)
    assert page.evaluate(script, [int(centre(page, 0, 3)[0]), 8])[:3] == [217, 222, 229]
    page.evaluate(point, None)
    assert "pointed at" in page.locator(".mx-guest span").inner_text()
