"""The Instances view in a browser, on the planted network: a class that was never trained on is always wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Server, Watch, until, visit
from .planted_subject import CLASSES, COUNT, WITHHELD
from .test_training_page import axe

pytestmark = pytest.mark.e2e
JOB = 120_000  # ms that an answer may take on a busy machine
ATTEMPTS = (
    "__import__('os').system('touch pwned')",
    "label.__class__.__bases__",
    "(lambda: 1)()",
    "exec('1')",
    "9 ** 9 ** 9 > 1",
    "<img src=x onerror=alert(1)>",
    "${window.pwned = 1}",
    "eval('window.pwned = 1')",
)


def look(page: Page, server: Server, **selection: Any) -> None:
    """Go to the Instances view with this selection, and wait for the whole sample and its columns."""
    query = "&".join(f"{name}={quote(str(value))}" for name, value in {"view": "instances", **selection}.items())
    page.goto(f"{server.url}?{query}")
    expect(page.locator("#in-table-subtitle")).to_contain_text(f"of {COUNT} instances ·", timeout=JOB)
    expect(page.locator("#in-table-subtitle")).not_to_contain_text("being computed", timeout=JOB)


def shown(page: Page, name: str) -> int:
    """How many instances a panel is about."""
    found = re.match(r"([\d,]+) of", page.locator(f"#{name}-subtitle").inner_text())
    assert found
    return int(found[1].replace(",", ""))


def ask(page: Page, text: str) -> None:
    """Type an expression, and press Enter."""
    page.locator("#in-subset-text").fill(text)
    page.locator("#in-subset-text").press("Enter")


def test_an_expression_is_shown_or_refused_with_its_place(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, planted.url) as page:
        look(page, planted)
        error, address = page.locator("#in-subset-error"), page.url
        ask(page, "lable == 'checks'")
        expect(error).to_contain_text("There is no column 'lable' (at character 1). Similar names: label.")
        expect(page.locator(".in-place")).to_have_text("lable == 'checks'\n^")
        for text in ATTEMPTS:
            ask(page, text)
            until(page, "document.querySelector('#in-subset-error').textContent.length > 20")
            # What was typed stays, what was shown stays.
            expect(page.locator("#in-subset-text")).to_have_value(text)
            assert page.url == address
            expect(page.locator("#in-subset-error img")).to_have_count(0)
        assert page.evaluate("window.pwned === undefined")
        assert not (Path(__file__).parents[2] / "pwned").exists()
        ask(page, "label == 'checks' and wrong")
        expect(page.locator("#in-subset-subtitle")).to_contain_text(f"200 of {COUNT} instances", timeout=JOB)
        expect(error).to_be_empty()
        expect(page.locator(".in-compare")).to_contain_text("the rest")
        for name in ("in-confusion", "in-members", "in-scores", "in-table"):
            expect(page.locator(f"#{name}-subtitle")).to_contain_text(f"200 of {COUNT}", timeout=JOB)
        with visit(browser, watch, page.url) as second:
            expect(second.locator("#in-subset-text")).to_have_value("label == 'checks' and wrong", timeout=JOB)
            expect(second.locator("#in-members-subtitle")).to_contain_text(f"200 of {COUNT}", timeout=JOB)
        # An address that holds what is none: it is told, nothing is run, and a shortcut leads out.
        page.goto(f"{planted.url}?view=instances&subset={quote(ATTEMPTS[0])}")
        until(
            page,
            "(document.querySelector('#in-subset-error') || {textContent: ''}).textContent.length > 20",
            timeout=JOB,
        )
        expect(page.locator("#in-members-state")).to_contain_text("cannot be read", timeout=JOB)
        page.locator(".in-row").get_by_role("button", name="all", exact=True).click()
        expect(page.locator("#in-members-subtitle")).to_contain_text(f"{COUNT} of {COUNT}", timeout=JOB)


def test_cells_open_the_instances_they_count(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, planted.url) as page:
        look(page, planted)
        cells = page.locator("#in-confusion-body td .in-cell")
        expect(cells.first).to_be_visible(timeout=JOB)
        counts = [int(text) for text in cells.all_inner_texts()]
        assert sum(counts) == COUNT
        for place in range(len(counts)):
            page.locator("#in-confusion-body td .in-cell").nth(place).click()
            expect(page.locator("#in-table-subtitle")).to_contain_text(f"{counts[place]:,} of {COUNT}", timeout=JOB)
            # The matrix stays, so that the next cell can be looked at.
            expect(page.locator("#in-confusion-body td .in-cell")).to_have_count(len(counts))
            expect(page.locator("#in-confusion-body td.chosen")).to_have_count(1, timeout=JOB)
        page.go_back()
        expect(page.locator("#in-table-subtitle")).to_contain_text(f"{counts[-2]:,} of {COUNT}", timeout=JOB)
        page.locator("#in-confusion-body td.chosen .in-cell").click()
        expect(page.locator("#in-table-subtitle")).to_contain_text(f"{COUNT} of {COUNT}", timeout=JOB)


def test_the_table_filters_sorts_and_follows_the_address(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, planted.url) as page:
        look(page, planted, subset="wrong")
        wrong = shown(page, "in-table")
        rows = page.locator("#in-table-grid .ag-center-cols-container .ag-row")
        expect(rows.first).to_contain_text(CLASSES[WITHHELD], timeout=JOB)
        expect(page.locator("#in-table-grid .in-cell-picture").first).to_be_visible(timeout=JOB)
        page.locator('#in-table-grid [col-id="confidence"] .ag-header-cell-label').click()
        page.locator('#in-table-grid [col-id="confidence"] .ag-header-cell-label').click()
        expect(page.locator('#in-table-grid [col-id="confidence"][aria-sort="descending"]')).to_have_count(1)
        page.wait_for_timeout(1500)
        values = page.locator('#in-table-grid .ag-row [col-id="confidence"]').all_inner_texts()
        numbers = [float(text) for text in values if text]
        assert len(numbers) > 3
        first = page.locator("#in-table-grid .ag-center-cols-container .ag-row[row-index='0']")
        first.locator('[col-id="label"]').click()
        until(page, "new URLSearchParams(location.search).get('instances') !== null")
        index = page.evaluate("new URLSearchParams(location.search).get('instances')")
        expect(page.locator("#in-inspector")).to_contain_text(f"Instance {index}", timeout=JOB)
        expect(page.locator(f'#in-members-drawn .in-square.chosen[data-index="{index}"]')).to_have_count(1)
        # A tick adds to it.
        page.locator("#in-table-grid .ag-row[row-index='1'] input[type=checkbox]").check()
        until(page, "(new URLSearchParams(location.search).get('instances') || '').split(',').length === 2")
        # The filter of a column, made the subset.
        page.locator('#in-table-grid .ag-header-cell[col-id="prediction"] .ag-header-cell-filter-button').click()
        page.locator(".ag-filter input[type=text]").first.fill("diag")
        expect(page.locator("#in-table-note")).to_contain_text(f"of {wrong:,} instances pass", timeout=JOB)
        kept = int(page.locator("#in-table-note").inner_text().split()[0].replace(",", ""))
        page.keyboard.press("Escape")
        page.locator("#in-table-use").click()
        expect(page.locator("#in-subset-text")).to_have_value(re.compile("prediction == 'diagonal'"), timeout=JOB)
        expect(page.locator("#in-members-subtitle")).to_contain_text(f"{kept:,} of {COUNT}", timeout=JOB)


def test_names_combinations_and_keys(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, planted.url) as page:
        look(page, planted, subset="class:3")
        page.locator("#in-save-name").fill("never trained")
        page.locator("#in-save-name").press("Enter")
        expect(page.locator("#in-subset-status")).to_have_text("Saved as 'never trained'.", timeout=JOB)
        page.locator("#in-subset-book-summary").click()
        expect(page.locator("#in-subset-saved")).to_contain_text("never trained", timeout=JOB)
        page.locator("#in-compare-keep").click()
        page.get_by_role("button", name="wrong", exact=True).click()
        expect(page.locator(".in-compare thead")).to_contain_text("instances labelled checks", timeout=JOB)
        page.locator("#in-combine-with").click()
        page.get_by_role("option", name="never trained").click()
        page.get_by_role("button", name="and not", exact=True).click()
        expect(page.locator("#in-subset-text")).to_have_value(
            re.compile(r"not \(subset\('never trained'\)\)"), timeout=JOB
        )
        look(page, planted)
        # The squares are one stop of Tab; arrow keys move, Enter chooses.
        until(page, "document.querySelectorAll('#in-members-drawn .in-square').length === 800", timeout=JOB)
        page.locator("#in-members-drawn .in-square[tabindex='0']").focus()
        expect(page.locator(".in-tip")).to_contain_text("score")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        index = page.evaluate("document.activeElement.dataset.index")
        page.keyboard.press("Enter")
        until(page, "(index) => new URLSearchParams(location.search).get('instances') === index", arg=index)
        expect(page.locator("#in-inspector")).to_contain_text(f"Instance {index}", timeout=JOB)
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440


def test_it_is_readable_on_a_small_dark_screen(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, planted.url, scheme="dark", width=1024, height=768) as page:
        look(page, planted, subset="wrong and confidence > 0.5", instances=0)
        page.locator("#in-subset-help-summary").click()
        page.locator("#in-scores-table > summary").click()
        expect(page.locator("#in-scores-words")).to_contain_text("Expected calibration error", timeout=JOB)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1024
        assert axe(page) == []
