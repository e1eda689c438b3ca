"""The Training view in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import DEAD, STEPS, write_run

from .conftest import SLOW, Server, Watch, settled, start, until, visit

pytestmark = pytest.mark.e2e
expect.set_options(timeout=SLOW)


def axe(page: Page) -> list[str]:
    """Violations, each in a line with the elements it is about."""
    found = Axe().run(page).response["violations"]
    return [f"{item['id']}: {[node['target'] for node in item['nodes']][:4]}" for item in found]


def both(page: Page) -> str:
    """Selects both runs by the pickers and returns the address."""
    settled(page)
    page.locator("#ctl-runa").click()
    page.get_by_role("option", name="Wide (finished)").click()
    page.locator("#ctl-runb").click()
    page.get_by_role("option", name="Narrow (finished)").click()
    expect(page.locator("#curves-subtitle")).to_contain_text("2 runs")
    return page.url


def test_the_first_visit_shows_a_run_with_every_panel_filled(server: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, server.url) as page:
        settled(page)
        assert "view=training" in page.url
        assert page.locator("#perplexity .bars .point").count() > 20
        expect(page.locator("#health-body")).to_contain_text(f"Filter {DEAD} of conv1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    server: Server, browser: Browser, watch: Watch, scheme: str, width: int, height: int
) -> None:
    with visit(browser, watch, server.url, width=width, height=height, scheme=scheme) as page:
        address = both(page)
        page.goto(address + "&layer=conv1&filter=1")
        settled(page)
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.goto(server.url + "?view=runs")
        page.wait_for_selector(".ag-row")
        assert axe(page) == []


@pytest.mark.parametrize("width", [1024, 1280, 1920, 2560])
def test_no_panel_leaves_the_page(server: Server, browser: Browser, watch: Watch, width: int) -> None:
    with visit(browser, watch, server.url, width=width) as page:
        settled(page)
        wide = page.evaluate(
            "[...document.querySelectorAll('#view-training .panel, .topbar > *')].filter((e) => {"
            " const b = e.getBoundingClientRect(); return b.width && (b.right > innerWidth + 1 || b.left < -1); })"
            ".map((e) => e.id || e.className)"
        )
        assert wide == []


def test_a_link_gives_another_visitor_the_same_view(server: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, server.url) as page:
        both(page)
        page.get_by_role("button", name="conv1", exact=True).first.click()
        expect(page.locator("#heatmap-subtitle")).to_contain_text("conv1")
        page.get_by_text("frequency", exact=True).first.click()
        page.get_by_text("log", exact=True).click()
        page.locator('.finding[data-rule="dead"]').first.click()
        expect(page.locator("#inspector-body h2").first).to_have_text(f"Filter {DEAD} of conv1")
        slider = page.locator("#ctl-frame [role=slider]")
        slider.focus()
        for _ in range(4):
            page.keyboard.press("ArrowLeft")
        expect(page.locator("#perplexity-subtitle")).to_contain_text(f"step {STEPS - 80}")
        until(page, f"location.search.includes('step={STEPS - 80}')")
        address, shown = page.url, _shown(page)
        for part in ("runs=", "layer=conv1", f"filter={DEAD}", "mode=frequency", "scale=log", f"step={STEPS - 80}"):
            assert part in address
        with visit(browser, watch, address) as second:
            settled(second)
            expect(second.locator("#perplexity-subtitle")).to_contain_text(f"step {STEPS - 80}")
            expect(second.locator("#frame-text")).to_contain_text(f"{STEPS - 80} · record 6 of 10")
            assert _shown(second) == shown
            # What one visitor does stays with that visitor.
            second.keyboard.press("Escape")
            until(second, "!location.search.includes('filter=')")
        assert page.url == address
        page.reload()
        settled(page)
        expect(page.locator("#frame-text")).to_contain_text(f"{STEPS - 80} · record 6 of 10")
        assert _shown(page) == shown


def _shown(page: Page) -> dict[str, str]:
    names = ("curves-subtitle", "perplexity-subtitle", "heatmap-subtitle", "stability-subtitle", "inspector-body")
    texts = {name: page.locator(f"#{name}").inner_text() for name in names}
    pickers = {name: page.locator(f"#ctl-{name}").input_value() for name in ("runa", "runb", "layer", "base")}
    chosen = page.locator("#ctl-mode [data-active=true], #ctl-scale [data-active=true]").all_inner_texts()
    return texts | pickers | {"chosen": "|".join(chosen)}


def test_back_and_forward_undo_a_selection(server: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, server.url) as page:
        settled(page)
        page.get_by_role("button", name="conv1", exact=True).first.click()
        expect(page.locator("#inspector-body h2").first).to_have_text("Layer conv1")
        page.get_by_role("button", name="fc", exact=True).first.click()
        expect(page.locator("#inspector-body h2").first).to_have_text("Layer fc")
        page.go_back()
        expect(page.locator("#inspector-body h2").first).to_have_text("Layer conv1")
        expect(page.locator("#ctl-layer")).to_have_value("conv1")
        page.go_forward()
        expect(page.locator("#inspector-body h2").first).to_have_text("Layer fc")


def test_a_picker_that_follows_late_does_not_undo_the_next_step(server: Server, browser: Browser, watch: Watch) -> None:
    """A slow page lets the pickers follow the address after the next navigation."""
    with visit(browser, watch, server.url) as page:
        settled(page)
        page.evaluate(
            """() => {
                for (const layer of ["conv1", "fc", "conv1", "fc"]) window.cutaway.navigate({ layer });
                window.history.back();
            }"""
        )
        expect(page.locator("#inspector-body h2").first).to_have_text("Layer conv1")
        expect(page.locator("#ctl-layer")).to_have_value("conv1")
        page.wait_for_timeout(500)
        expect(page.locator("#inspector-body h2").first).to_have_text("Layer conv1")
        assert "layer=conv1" in page.url


def test_a_click_in_a_figure_moves_every_panel(server: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, server.url) as page:
        settled(page)
        page.locator("#perplexity .annotation", has_text="fc").first.click()
        expect(page.locator("#heatmap-subtitle")).to_contain_text("fc · 3 units")
        page.locator("#heatmap").scroll_into_view_if_needed()
        box = page.locator("#heatmap .nsewdrag").bounding_box()
        assert box
        page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
        expect(page.locator("#inspector-body h2").first).to_have_text("Unit 0 of fc")
        assert "filter=" in page.url


def test_a_zoom_is_in_the_link_and_a_double_click_ends_it(server: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, server.url) as page:
        settled(page)
        box = page.locator("#curves .nsewdrag").first.bounding_box()
        assert box
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * 0.25, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=5)
        page.mouse.up()
        until(page, "location.search.includes('range=')")
        page.wait_for_timeout(500)
        page.mouse.dblclick(box["x"] + box["width"] * 0.4, y)
        until(page, "!location.search.includes('range=')")


def test_keyboard(server: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, server.url) as page:
        address = both(page)
        page.goto(address + "&layer=conv1&filter=2")
        settled(page)
        page.keyboard.press("ArrowRight")
        expect(page.locator("#inspector-body h2").first).to_have_text("Filter 3 of conv1")
        for gone in ("filter=", "layer=", "%2C"):
            page.keyboard.press("Escape")
            until(page, f"!location.search.includes('{gone}')")
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#perplexity-subtitle")).to_contain_text(f"step {STEPS - 20}")
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "ctl-layer"
        page.keyboard.press("Escape")
        page.locator("#main").focus()
        before = page.evaluate("document.documentElement.dataset.theme")
        page.keyboard.press("t")  # system -> light
        expect(page.locator("#theme-button")).to_have_attribute("aria-label", "Theme: light")
        page.keyboard.press("t")  # light -> dark
        until(page, "document.documentElement.dataset.theme === 'dark'")
        assert before == "light"
        colour = page.evaluate("getComputedStyle(document.querySelector('#curves .xtick text')).fill")
        assert colour == "rgb(230, 233, 238)"
        page.reload()
        settled(page)
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_every_control_has_focus_to_be_seen_and_a_name(server: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, server.url) as page:
        settled(page)
        names = page.evaluate(
            "[...document.querySelectorAll('button, a[href], input, [role=slider]')].filter((e) => e.offsetParent"
            " && !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.textContent || e.title"
            " || (e.labels && e.labels.length))).map((e) => e.outerHTML.slice(0, 160))"
        )
        assert names == []


def test_the_csv_holds_every_record(server: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, server.url) as page:
        settled(page)
        page.locator("summary[aria-label='Menu of Training curves']").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="All points (CSV)").click()
        lines = Path(download.value.path()).read_text().splitlines()
        assert len(lines) == 1 + 2 * STEPS + 2 * (STEPS // 40)


def test_names_are_text_never_markup(tmp_path: Path, browser: Browser, watch: Watch) -> None:
    hostile = "<img src=x onerror=alert(1)>$\\href{javascript:alert(1)}{x}$ %{y} __proto__"
    write_run(tmp_path / "runs" / "x", hostile, steps=60)
    server = start(["serve", str(tmp_path / "runs"), "--workspace", str(tmp_path / "ws"), "--port", "0"])
    try:
        with visit(browser, watch, server.url) as page:
            dialogs: list[str] = []
            page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
            settled(page)
            expect(page.locator("#inspector-body h2").first).to_contain_text("<img src=x onerror=alert(1)>$\\href")
            assert "<img src=x onerror=alert(1)>$\\href" in page.locator("#curves .legend").first.text_content()
            assert page.locator("#main img[src=x], #curves a").count() == 0
            assert dialogs == []
    finally:
        server.stop()


def test_a_growing_run_is_drawn_while_it_grows_and_not_while_hidden(
    tmp_path: Path, browser: Browser, watch: Watch
) -> None:
    writer = write_run(tmp_path / "runs" / "live", "Live", steps=100, close=False)
    server = start(["serve", str(tmp_path / "runs"), "--workspace", str(tmp_path / "ws"), "--port", "0"])
    try:
        with visit(browser, watch, server.url) as page:
            settled(page)
            sent: list[int] = []
            page.on("response", lambda r: sent.append(len(r.body())) if "_dash-update" in r.url else None)
            for step in range(101, 121):
                writer.scalars({"train/loss": 0.5, "train/accuracy": 0.5}, step, 1_700_000_000.0 + step)
            last = "document.querySelector('#curves .js-plotly-plot').data[0].x.at(-1)"
            until(page, f"{last} === 120")
            assert max(sent) < 60_000
            # Hidden: no request at all but what was under way.
            page.evaluate(
                "Object.defineProperty(document, 'hidden', {get: () => window.__hidden, configurable: true});"
                "window.__hidden = true; document.dispatchEvent(new Event('visibilitychange'))"
            )
            page.wait_for_timeout(3000)
            sent.clear()
            writer.scalars({"train/loss": 0.4, "train/accuracy": 0.6}, 121, 1_700_000_121.0)
            page.wait_for_timeout(5000)
            assert sent == []
            page.evaluate("window.__hidden = false; document.dispatchEvent(new Event('visibilitychange'))")
            until(page, f"{last} === 121")
    finally:
        writer.close()
        server.stop()


def test_a_restarted_server_finds_its_page_again(tmp_path: Path, runs_dir: Path, browser: Browser) -> None:
    quiet = Watch()  # a server that is away is complained of, rightly
    arguments = ["serve", str(runs_dir), "--workspace", str(tmp_path / "ws")]
    first = start([*arguments, "--port", "0"])
    port = first.url.rstrip("/").rsplit(":", 1)[1]
    try:
        with visit(browser, quiet, first.url) as page:
            settled(page)
            address = page.url
            first.stop()
            expect(page.locator("#connection")).to_contain_text("reconnecting")
            first = start([*arguments, "--port", port])
            expect(page.locator("#connection")).to_contain_text("connected")
            page.get_by_role("button", name="conv1", exact=True).first.click()
            expect(page.locator("#inspector-body h2").first).to_have_text("Layer conv1")
            assert page.url.startswith(address)
    finally:
        first.stop()
