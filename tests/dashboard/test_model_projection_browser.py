"""What the browser makes of points (assets/projection.js, projection_moves.js), in a page of its own: no server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from dashboard import theme
from dashboard.pictures import points
from dashboard.widgets import lasso

ASSETS = Path(__file__).parents[2] / "assets"
WIDE, TALL = 700, 420
PAGE = f"""<style>:root {{ --panel: #ffffff; --ink: #1d2430; --ink-2: #515c6b; --accent: #1c64c8; }}
canvas {{ position: absolute; left: 0; top: 0; width: {WIDE}px; height: {TALL}px; }}</style>
<div id="md-projection-data" hidden></div>
<div id="md-projection-box" style="position:relative;width:{WIDE}px;height:{TALL}px">
<canvas id="md-projection-canvas" tabindex="0"></canvas><canvas id="md-projection-over" style="pointer-events:none">
</canvas><div id="md-projection-card" hidden></div>
<button id="md-projection-in"></button><button id="md-projection-out"></button><button id="md-projection-fit"></button>
</div><p id="md-projection-tip"></p>
<script>
  window.went = [];
  window.dash_clientside = {{ no_update: null }};
  window.cutaway = {{ navigate: (changes) => window.went.push(changes), simplified: (path) => path }};
</script>"""
LOAD = """(given) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const answers = { points: bytes(given.points).buffer, codes: bytes(given.codes).buffer };
  window.fetch = async (address) => ({
    ok: true,
    arrayBuffer: async () => answers[address.split("#")[0]],
    json: async () => ({ index: 1000 + Number(address.split("=")[1]), label: 1, prediction: 2, confidence: 0.5 }),
  });
  document.getElementById("md-projection-data").textContent = JSON.stringify(given.spec);
}"""
STATE = "window.cutawayProjection.state"


def spec(**changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = {
        "points": "points#1",
        "colours": "codes#1",
        "point": "point=",
        "groups": [["#ff0000", "circle", "red"], ["#0000ff", "square", "blue"]],
        "ramp": None,
        "low": 0,
        "high": 1,
        "unit": "",
        "title": "Label",
        "own": True,
        "subset": "",
        "lasso": [],
        "chosen": None,
        "near": [],
        "axes": ["PC 1", "PC 2"],
        "names": ["zero", "<b>one</b>", "two"],
        "label": "PCA",
        "hint": "hint",
        "ready": True,
        "revision": "1",
    }
    return value | changes


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    found = browser.new_page(viewport={"width": 900, "height": 600})
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    found.set_content(PAGE)
    for name in ("projection.js", "projection_moves.js"):
        found.add_script_tag(path=ASSETS / name)
    yield found
    found.close()
    assert errors == []


def load(page: Page, xy: np.ndarray, codes: np.ndarray, **changes: Any) -> None:
    given = {
        "points": base64.b64encode(points.encoded(xy)).decode(),
        "codes": base64.b64encode(codes.astype(np.uint8).tobytes()).decode(),
        "spec": spec(**changes),
    }
    page.evaluate(LOAD, given)
    # Places and colours are fetched, then drawn in the next frame.
    page.locator(f"#md-projection-box[data-drawn='{np.isfinite(xy).all(1).sum()}']").wait_for(state="attached")


def cross(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds: code 0 to the left, code 1 to the right."""
    rng = np.random.default_rng(0)
    codes = np.arange(count) % 2
    xy = rng.normal(0, 0.4, (count, 2)) + np.where(codes, 5, -5)[:, None] * [1, 0]
    return xy.astype(np.float32), codes


def pixel(page: Page, x: float, y: float) -> list[int]:
    found: list[int] = page.evaluate(
        "([x, y]) => [...document.getElementById('md-projection-canvas').getContext('2d')"
        ".getImageData(x, y, 1, 1).data]",
        [round(x), round(y)],
    )
    return found


def at(page: Page, row: int) -> tuple[float, float]:
    """Where the point of a row lies on the canvas."""
    x, y = page.evaluate(
        f"(row) => {{ const s = {STATE}, a = window.cutawayProjection, i = s.map.place[row];"
        " return [a.across(s.map.x[i]), a.down(s.map.y[i])]; }",
        row,
    )
    return x, y


@pytest.mark.parametrize("count", [400, 30_000])
def test_points_lie_where_they_should_in_the_colour_of_their_code(page: Page, count: int) -> None:
    xy, codes = cross(count)
    xy[3] = np.nan
    load(page, xy, codes)
    page.wait_for_timeout(100)
    lowest, highest = int(np.nanargmin(xy[:, 0])), int(np.nanargmax(xy[:, 0]))
    left, right = at(page, lowest), at(page, highest)
    assert 0 < left[0] < right[0] < WIDE
    assert pixel(page, *left)[:3] == [255, 0, 0]
    assert pixel(page, *right)[:3] == [0, 0, 255]
    assert page.evaluate(f"{STATE}.map.place[3]") == -1
    above, below = at(page, int(np.nanargmax(xy[:, 1]))), at(page, int(np.nanargmin(xy[:, 1])))
    assert above[1] < below[1]  # up is up
    order = page.evaluate(f"[...{STATE}.map.row.slice(0, 50)]")
    assert order != sorted(order)  # in random order: no class lies on top


def test_numbers_have_the_colours_of_the_ramp_and_none_is_grey(page: Page) -> None:
    xy = np.array([[0, 0], [10, 0], [20, 0]], np.float32)
    ramp = {scheme: [stop[1] for stop in theme.sequential(scheme)] for scheme in ("light", "dark")}
    load(page, xy, np.array([0, 1, 255]), groups=[], ramp=ramp)
    page.wait_for_timeout(100)
    ends = [[int(ramp["light"][end][i : i + 2], 16) for i in (1, 3, 5)] for end in (0, -1)]
    assert [pixel(page, *at(page, row))[:3] for row in range(3)] == [[138, 148, 163], *ends]


def test_what_a_lasso_or_a_subset_leaves_out_is_faded(page: Page) -> None:
    xy, codes = cross()
    outline = [-9.0, -9, 0, -9, 0, 9, -9, 9]
    load(page, xy, codes, lasso=outline)
    page.wait_for_timeout(100)
    full = np.array(page.evaluate(f"[...{STATE}.full]"))
    rows = np.array(page.evaluate(f"[...{STATE}.map.row]"))
    assert np.array_equal(full.astype(bool), lasso.inside(outline, xy)[rows])
    inside, outside = int(np.argmin(xy[:, 0])), int(np.argmax(xy[:, 0]))
    assert pixel(page, *at(page, inside))[:3] == [255, 0, 0]
    assert min(pixel(page, *at(page, outside))[:2]) > 150
    mask = codes == 1
    bits = base64.b64encode(np.packbits(mask).tobytes()).decode()
    load(page, xy, codes, lasso=outline, subset=bits, revision="2")
    page.wait_for_timeout(100)
    full = np.array(page.evaluate(f"[...{STATE}.full]"))
    assert np.array_equal(full.astype(bool), mask[rows])


def test_a_row_of_the_matrix_that_is_pointed_at_stands_out_until_it_is_left(page: Page) -> None:
    xy, codes = cross()
    load(page, xy, codes)
    page.wait_for_timeout(100)
    mask = codes == 0
    tell = "(bits) => document.dispatchEvent(new CustomEvent('cutaway-row', { detail: bits && { bits } }))"
    page.evaluate(tell, np.packbits(mask).tolist())
    page.wait_for_timeout(100)
    rows = np.array(page.evaluate(f"[...{STATE}.map.row]"))
    assert np.array_equal(np.array(page.evaluate(f"[...{STATE}.full]")).astype(bool), mask[rows])
    page.evaluate(tell, None)
    page.wait_for_timeout(100)
    assert page.evaluate(f"{STATE}.full") is None


def test_the_nearest_point_is_found_as_a_scan_finds_it(page: Page) -> None:
    xy, codes = cross(5000)
    load(page, xy, codes)
    page.wait_for_timeout(100)
    places = np.array([at(page, row) for row in range(0, 5000, 25)])
    rows = np.array(page.evaluate(f"[...{STATE}.map.row]"))
    everywhere = np.array(
        page.evaluate(
            f"(() => {{ const a = window.cutawayProjection, m = {STATE}.map;"
            " return Array.from(m.row, (_, i) => [a.across(m.x[i]), a.down(m.y[i])]); })()"
        )
    )
    for x, y in np.random.default_rng(1).uniform([0, 0], [WIDE, TALL], (60, 2)).tolist() + places[:20].tolist():
        apart = np.hypot(*(everywhere - [x, y]).T)
        found = page.evaluate("([x, y]) => window.cutawayProjection.nearest(x, y, 12)", [x, y])
        if apart.min() > 12:
            assert found == -1
        else:
            assert apart[found] == pytest.approx(apart.min(), abs=1e-6)
    assert len(rows) == 5000


def test_a_drag_is_a_lasso_a_click_chooses_and_shift_moves(page: Page) -> None:
    xy, codes = cross()
    load(page, xy, codes)
    page.wait_for_timeout(100)
    box = page.locator("#md-projection-canvas").bounding_box()
    assert box is not None
    corners = [(4, 40), (345, 40), (345, 380), (4, 380)]
    page.mouse.move(box["x"] + 4, box["y"] + 40)
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    [said] = page.evaluate("window.went")
    outline = [float(part) for part in said["plasso"].split(",")]
    assert np.array_equal(lasso.inside(outline, xy), codes == 0)
    page.evaluate("window.went.length = 0")
    x, y = at(page, 8)
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_timeout(200)
    [chosen] = page.evaluate("window.went")
    assert chosen["instances"] >= 1000
    before = at(page, 8)
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 330, box["y"] + 190, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    after = at(page, 8)
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((30, -10), abs=0.5)
    page.mouse.dblclick(box["x"] + 5, box["y"] + 5)
    assert at(page, 8) == pytest.approx(before, abs=0.5)


def test_a_map_that_stands_in_takes_no_lasso(page: Page) -> None:
    xy, codes = cross()
    load(page, xy, codes, ready=False)
    page.mouse.move(60, 60)
    page.mouse.down()
    page.mouse.move(300, 60, steps=4)
    page.mouse.move(300, 300, steps=4)
    page.mouse.up()
    assert page.evaluate("window.went") == []


def test_keys_go_from_point_to_point_and_zoom(page: Page) -> None:
    xy = np.array([[0, 0], [1, 0], [2, 0], [2, 1]], np.float32)
    load(page, xy, np.zeros(4))
    page.wait_for_timeout(100)
    page.focus("#md-projection-canvas")
    rows = []
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
        rows.append(page.evaluate(f"{STATE}.map.row[{STATE}.hover]"))
    assert rows[-3:-1] == [2, 3] or rows[2:4] == [2, 3]
    page.wait_for_timeout(200)
    assert "label <b>one</b>" in page.inner_text("#md-projection-tip")  # as text, never as markup
    assert page.locator("#md-projection-card b").count() == 0
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    assert page.evaluate("window.went")[-1]["instances"] >= 1000
    whole = page.evaluate(f"{STATE}.view.scale")
    page.keyboard.press("+")
    assert page.evaluate(f"{STATE}.view.scale") == pytest.approx(1.5 * whole)
    page.keyboard.press("0")
    assert page.evaluate(f"{STATE}.view.scale") == pytest.approx(whole)


def test_new_colours_keep_the_zoom_and_another_map_shows_all(page: Page) -> None:
    xy, codes = cross()
    load(page, xy, codes)
    page.wait_for_timeout(100)
    page.evaluate("window.cutawayProjection.zoom(4, 100, 100)")
    zoomed = page.evaluate(f"{STATE}.view.scale")
    load(page, xy, 1 - codes, colours="codes#2")
    page.wait_for_timeout(100)
    assert page.evaluate(f"{STATE}.view.scale") == zoomed
    load(page, xy * 3, codes, points="points#2", revision="2")
    page.wait_for_timeout(100)
    assert page.evaluate(f"{STATE}.view.scale") < zoomed


@pytest.mark.parametrize("count", [0, 1])
def test_no_point_and_one_point_are_drawn(page: Page, count: int) -> None:
    load(page, np.zeros((count, 2), np.float32), np.zeros(count))
    page.keyboard.press("ArrowRight")
    assert page.evaluate("window.cutawayProjection.nearest(350, 210, 12)") == (0 if count else -1)
