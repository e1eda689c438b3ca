"""The first ten minutes: no runs, a demo started from the page, watched while it learns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .conftest import SLOW, Watch, settled, start, until, visit

pytestmark = pytest.mark.e2e
DEMO = 300_000  # ms; about a minute on an idle machine


def test_the_demo_from_the_first_page_to_the_comparison(tmp_path: Path, browser: Browser, watch: Watch) -> None:
    empty = tmp_path / "runs"
    empty.mkdir()
    server = start(["serve", str(empty), "--workspace", str(tmp_path / "ws"), "--port", "0"])
    try:
        with visit(browser, watch, server.url) as page:
            expect(page.locator("#runs-intro")).to_contain_text("See inside a PyTorch model", timeout=SLOW)
            expect(page.locator("#rail-training")).to_have_attribute("aria-disabled", "true")
            page.get_by_role("button", name="Start: Handwritten digits").click()
            expect(page.locator("#jobs-label")).to_contain_text("%", timeout=SLOW)
            until(page, "location.search.includes('view=training')")
            settled(page)
            # It learns while one looks: more records, and a later step, without a reload. Where the page was slow, the
            # first network has learnt already; test_training_page.py watches a run that grows for as long as it takes.
            expect(page.locator("#ctl-runa")).to_have_value(re.compile("LeNet"), timeout=SLOW)
            if "running" in page.locator("#ctl-runa").input_value():
                before = page.locator("#perplexity-subtitle").inner_text()
                until(
                    page,
                    "(t) => document.querySelector('#perplexity-subtitle').textContent !== t",
                    arg=before,
                    timeout=DEMO,
                )
            if page.locator("#jobs-label").inner_text() != "Jobs":
                page.locator("#jobs-open").click()
                expect(page.locator("#jobs-body")).to_contain_text(re.compile("s left|Handwritten"), timeout=SLOW)
                page.keyboard.press("Escape")
            expect(page.locator("#jobs-label")).to_have_text("Jobs", timeout=DEMO)
            # Both networks are there, and the page offers to compare them.
            page.get_by_role("button", name=re.compile("Compare")).click(timeout=SLOW)
            expect(page.locator("#curves-subtitle")).to_contain_text("2 runs", timeout=SLOW)
            expect(page.locator("#health-body table.layers")).to_have_count(2, timeout=SLOW)
            accuracy = page.evaluate(
                "Math.max(...document.querySelector('#curves .js-plotly-plot').data"
                ".filter((t) => t.name.includes('validation') && t.yaxis === 'y2').map((t) => t.y[t.y.length - 1]))"
            )
            assert accuracy > 0.9
            # A second start has nothing left to compute.
            page.goto(server.url + "?view=runs")
            page.get_by_role("button", name="Complete: Handwritten digits").click()
            page.locator("#jobs-open").click()
            expect(page.locator(".job-state.done")).to_have_count(2, timeout=60_000)
    finally:
        server.stop()
