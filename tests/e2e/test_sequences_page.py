"""The Sequences view in a browser: a valve that one unit remembers (texts), and a tone in one channel (series)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Server, Watch, start, until, visit
from .cue_subjects import memory, tones
from .test_training_page import axe

pytestmark = pytest.mark.e2e
JOB = 120_000  # ms that an answer may take on a busy machine


@pytest.fixture(scope="module")
def valve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = served(str(memory.__file__), tmp_path_factory.mktemp("valve"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def microphones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = served(str(tones.__file__), tmp_path_factory.mktemp("microphones"))
    yield server
    server.stop()


def served(file: str, workspace: Path) -> Server:
    return start(["serve", "--subject", file, "--workspace", str(workspace), "--device", "cpu", "--port", "0"])


def look(page: Page, server: Server, **selection: object) -> None:
    """Go there, and wait for clusters, memory and the first glyphs."""
    chosen = {"view": "sequences", **selection}
    page.goto(f"{server.url}?" + "&".join(f"{name}={value}" for name, value in chosen.items()))
    page.wait_for_selector("#sq-clusters-picture .sq-unit", timeout=JOB)
    page.wait_for_selector("#sq-glyphs-rows .sqg-cell", timeout=JOB)
    expect(page.locator("#sq-memory-survival-said")).to_contain_text("kept in the mean", timeout=JOB)


def chosen(page: Page, name: str) -> str:
    """A parameter of the address, '' if it is not there."""
    return str(page.evaluate("name => new URLSearchParams(location.search).get(name) || ''", name))


def test_the_unit_that_remembers_is_found_tested_and_followed(valve: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, valve.url) as page:
        look(page, valve, instances=3)
        page.locator(f"#sq-clusters-picture .sq-word[aria-label^='{memory.OPEN}:']").click()
        until(page, "location.search.includes('word=')")
        expect(page.locator("#sq-word-chips")).to_contain_text(memory.OPEN, timeout=JOB)
        # The cluster of the unit is pinned, and tested when the button is pressed: with the keyboard.
        box = page.locator(f".sq-box:has([data-sq-unit='{memory.UNIT}'])")
        name = box.get_attribute("data-box")
        box.locator(".sq-pin").click()
        until(page, "name => location.search.includes('cluster=' + name)", arg=name)
        expect(page.locator("#sq-causes-subtitle")).to_contain_text("cluster U", timeout=JOB)
        page.locator("#sq-causes-body .sqm-offer [data-sq-want]").press("Enter", timeout=JOB)
        expect(page.locator("#sq-causes-body")).to_contain_text("from 100.0 % to 50.0 %", timeout=JOB)
        expect(page.locator("#sq-causes-body .sq-table").first).to_contain_text(memory.OPEN)
        # Steps that are typed are searched for; a moment opens its sequence.
        page.locator("#sq-similar-from").fill("5")
        page.locator("#sq-similar-to").fill("9")
        until(page, "location.search.includes('sspan=4-8')")
        expect(page.locator("#sq-similar-body")).to_contain_text(f"{memory.UNIT} +", timeout=JOB)
        page.locator(".sqm-moment").nth(1).click()
        until(page, "!location.search.includes('instances=3&')")
        assert chosen(page, "sspan")
        expect(page.locator("#sq-similar-subtitle")).to_contain_text(
            f"of instance {chosen(page, 'instances')}", timeout=JOB
        )


def test_texts_are_typed_glyphs_go_by_keys_and_states_are_compared(
    valve: Server, browser: Browser, watch: Watch
) -> None:
    with visit(browser, watch, valve.url, scheme="dark") as page:
        look(page, valve, instances=3, cluster="u0", sspan="4-8", scompare="state:cell")
        page.locator("#sq-glyphs-text").fill("open hum nonsense close")
        page.locator("#sq-glyphs-text").press("Enter")
        expect(page.locator("#sq-glyphs-rows .sqg-row")).to_have_count(2, timeout=JOB)
        assert chosen(page, "stext") == "open hum nonsense close"
        cell = page.locator("#sq-glyphs-rows .sqg-cell[tabindex='0']").first
        cell.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        until(page, "location.search.includes('word=')")
        expect(page.locator("#sq-compare-body")).to_contain_text("Words: ", timeout=JOB)
        expect(page.locator("#sq-compare-subtitle")).to_have_text("lstm, hidden state beside lstm, cell state")
        page.wait_for_selector("#sq-compare-picture svg")
        expect(page.locator(".sqm-moment").first).to_be_visible(timeout=JOB)
        assert axe(page) == []


def test_what_cannot_be_is_said_in_the_panel(valve: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, valve.url) as page:
        page.goto(f"{valve.url}?view=sequences&instances=3&sspan=3-999&sk=20&scompare=layer:none&cluster=u99")
        expect(page.locator("#sq-similar-body")).to_contain_text("has no steps 4 to 1,000", timeout=JOB)
        expect(page.locator("#sq-clusters-state .failed")).to_be_visible(timeout=JOB)
        expect(page.locator("#sq-compare-state")).to_contain_text("There is no layer", timeout=JOB)
        expect(page.locator("#sq-causes-body")).to_contain_text("Nothing is chosen", timeout=JOB)
        page.goto(f"{valve.url}?view=sequences&instances=99999")
        expect(page.locator("#sq-glyphs-state")).to_contain_text("There is no instance 99,999", timeout=JOB)
        assert axe(page) == []


def test_series_have_motifs_for_words_and_moments_with_their_curves(
    microphones: Server, browser: Browser, watch: Watch
) -> None:
    with visit(browser, watch, microphones.url) as page:
        look(page, microphones, instances=3, sspan="10-14", swords="motifs")
        expect(page.locator("#sq-controls-subtitle")).to_contain_text("motifs", timeout=JOB)
        page.locator("#sq-clusters-picture .sq-word").first.click()
        until(page, "location.search.includes('word=')")
        expect(page.locator("#sq-memory-probe-said")).to_contain_text("R²", timeout=JOB)
        expect(page.locator("#sq-similar-subtitle")).to_contain_text("steps 11 to 15 of instance 3", timeout=JOB)
        page.wait_for_selector("#sq-similar-body .sqm-curve, #sq-similar-body .failed", timeout=JOB)
        expect(page.locator("#sq-word-chips")).to_contain_text(re.compile(r"[Mm]otif"), timeout=JOB)
