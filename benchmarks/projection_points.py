"""What a large projection costs: its bytes and colours, a lasso, a draft map, in the server; the drawing in a browser.

Usage: python benchmarks/projection_points.py [--points 100000 1000000] [--rounds 9] [--browser] [--draft]

Points are normal in ten clusters. Each way takes turns with the plain one; times are wall clock of one process with one
thread, medians over the rounds.

- bytes: ``encoded`` of places (n, 2) to two bytes an axis. JSON: the same places with five digits, as figures have it.
- colours: a byte a point of a label in ten classes.
- lasso: which points lie in an outline of 64 corners around a fifth of the map. plain: every edge for every point;
  matplotlib: ``Path.contains_points``, which the server does not import.
- draft (``--draft``): UMAP by 2,000 landmarks of 50 components, with its figures: what the worker does.
- browser (``--browser``, wants Playwright and Chromium): assets/projection.js in a page of its own, 900 x 480 pixels:
  from bytes to points with their index, one drawing of all, one with a lasso, the point nearest to the pointer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dashboard.pictures import points
from dashboard.widgets import lasso

ROOT = Path(__file__).resolve().parents[1]
CLUSTERS, CORNERS, COMPONENTS = 10, 64, 50


def planted(count: int, wide: int = 2) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Points (count, wide) and their clusters."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLUSTERS, count)
    values = rng.normal(size=(CLUSTERS, wide)).astype(np.float32)[labels] * 4
    return values + rng.standard_normal((count, wide), np.float32), labels


def outline(xy: NDArray[np.float32]) -> list[float]:
    """A wavy outline of 64 corners around the middle."""
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    radius = np.ptp(xy, axis=0).min() / 5 * (1 + 0.2 * np.cos(7 * turn))
    corners = np.median(xy, axis=0) + np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1)
    return [float(value) for value in corners.ravel()]


def plain_inside(corners: list[float], xy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The ray rule, every edge for every point."""
    edges = np.asarray(corners).reshape(-1, 2)
    x, y = xy.astype(np.float64).T
    odd = np.zeros(len(x), bool)
    for (ax, ay), (bx, by) in zip(edges, np.roll(edges, -1, axis=0), strict=True):
        if ay != by:
            odd ^= ((ay <= y) != (by <= y)) & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return odd


def ways(count: int) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    from matplotlib.path import Path as Outline

    xy, labels = planted(count)
    corners = outline(xy)
    closed = Outline(np.asarray(corners).reshape(-1, 2))
    assert np.array_equal(lasso.inside(corners, xy), plain_inside(corners, xy))
    return {
        "bytes of the places": lambda: points.encoded(xy),
        "JSON of the places": lambda: json.dumps(np.round(xy.astype(np.float64), 5).tolist()),
        "bytes of the colours": lambda: points._classes(labels, "Label").codes.tobytes(),
        "lasso": lambda: lasso.inside(corners, xy),
        "lasso, plain": lambda: plain_inside(corners, xy),
        "lasso, matplotlib": lambda: closed.contains_points(xy),
    }


def measure(count: int, rounds: int = 9) -> list[dict[str, Any]]:
    """For each way: name, seconds (median, lowest, highest), and bytes of what it made where it is sent."""
    calls = ways(count)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    sizes: dict[str, int] = {}
    with threadpool_limits(1):
        for name, call in calls.items():
            made = call()
            sizes[name] = len(made) if isinstance(made, bytes | str) else 0
        for _ in range(rounds):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - began)
    return [
        {
            "name": f"{count:,} points: {name}",
            "median_s": statistics.median(found),
            "low_s": min(found),
            "high_s": max(found),
            "bytes": sizes[name],
        }
        for name, found in seconds.items()
    ]


def draft(count: int) -> list[dict[str, Any]]:
    """The draft map of so many instances and its figures, once each."""
    from analysis.neurons import projection_landmarks, projection_methods, projection_quality, projection_space

    values, labels = planted(count, COMPONENTS)
    rows = []

    def timed(name: str, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        made = call()
        rows.append({"name": f"{count:,} instances x {COMPONENTS}: {name}", "median_s": time.perf_counter() - began})
        return made

    space = timed("standardised", lambda: projection_space.space(values))
    timed("PCA", lambda: projection_space.plane(space))
    reduced, _ = projection_space.reduced(space)
    task = projection_methods.Task(reduced, None, 0, lambda *_: None)
    xy, _ = timed("UMAP by landmarks", lambda: projection_landmarks.lay_out(projection_methods.get("umap"), task))
    judged = projection_quality.judged(count, 0)
    found = timed("figures", lambda: projection_quality.quality(space.values, xy, labels, judged))
    said = f"trustworthiness {found.trustworthiness:.3f}, recall {found.recall:.3f} at {len(judged)} instances"
    rows[-1]["note"] = said
    timed("10 nearest of one", lambda: projection_space.neighbours(reduced, 0, 10))
    return rows


PAGE = """<div id="md-projection-box" style="position:relative;width:900px;height:480px">
<canvas id="md-projection-canvas"></canvas><canvas id="md-projection-over"></canvas></div>
<script>window.dash_clientside = {}; window.cutaway = { simplified: (points) => points, navigate() {} };</script>"""
SCRIPT = """(given) => {
  const api = window.cutawayProjection, { state } = api, times = {};
  const timed = (name, call) => { const began = performance.now(); call(); times[name] = performance.now() - began; };
  const spec = { groups: given.groups, ramp: null, subset: "", lasso: [], near: [], chosen: null, axes: ["a", "b"] };
  document.documentElement.style.setProperty("--panel", "#ffffff");
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const buffer = bytes(given.places).buffer;
  state.codes = bytes(given.codes);
  timed("bytes to points", () => { state.map = api.decode(buffer); });
  Object.assign(state, { spec, pointsOf: "x" });
  api.fit();
  timed("first drawing", () => api.draw());
  timed("drawing", () => api.draw());
  timed("drawing, zoomed in 8 times", () => { state.view.scale *= 8; api.draw(); state.view.scale /= 8; });
  spec.lasso = given.lasso;
  timed("drawing with a new lasso", () => api.draw());
  timed("drawing with a lasso", () => api.draw());
  timed("point at the pointer, 100 times", () => { for (let i = 0; i < 100; i++) api.nearest(9 * i, 240, 12); });
  timed("next point by arrow key", () => api.toward(1, 0));
  return times;
}"""


def browser(count: int) -> list[dict[str, Any]]:
    """What the page does with so many points, once each."""
    import base64

    from playwright.sync_api import sync_playwright

    xy, labels = planted(count)
    made = points._classes(labels, "Label")
    given = {
        "places": base64.b64encode(points.encoded(xy)).decode(),
        "codes": base64.b64encode(made.codes.tobytes()).decode(),
        "groups": [[group.colour, group.symbol, group.name] for group in made.groups],
        "lasso": outline(xy),
    }
    with sync_playwright() as found:
        opened = found.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = opened.new_page(viewport={"width": 1000, "height": 600})
        page.set_content(PAGE)
        for name in ("projection.js", "projection_moves.js"):
            page.add_script_tag(path=ROOT / "assets" / name)
        times = page.evaluate(SCRIPT, given)
        opened.close()
    return [{"name": f"{count:,} points in a browser: {name}", "median_s": ms / 1e3} for name, ms in times.items()]


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--draft", action="store_true")
    given = parser.parse_args(arguments)
    for count in given.points:
        rows = measure(count, given.rounds)
        with threadpool_limits(1):
            rows += draft(count) if given.draft else []
        rows += browser(count) if given.browser else []
        for row in rows:
            size = f"{row['bytes'] / 1e6:8.2f} MB" if row.get("bytes") else ""
            spread = f"[{1e3 * row['low_s']:.1f}, {1e3 * row['high_s']:.1f}]" if "low_s" in row else ""
            print(
                f"{row['name']:62} {1e3 * row['median_s']:9.1f} ms {spread:18} {size}  {row.get('note', '')}",
                flush=True,
            )


if __name__ == "__main__":
    main()
