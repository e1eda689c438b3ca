"""A hundred thousand instances in a browser: a lasso becomes a subset, a table and a row of the matrix."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Server, Watch, start, until, visit
from .large_subject import COUNT, SITES

pytestmark = pytest.mark.e2e
SUBJECT = Path(__file__).with_name("large_subject.py")
JOB = 300_000  # ms that reading a hundred thousand instances may take on a busy machine
SAMPLE = f"{COUNT:,} instances"
CELLS = "#in-table-grid .ag-center-cols-container .ag-row"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the large subject, without runs."""
    workspace = tmp_path_factory.mktemp("large")
    found = start(["serve", "--subject", str(SUBJECT), "--workspace", str(workspace), "--device", "cpu", "--port", "0"])
    yield found
    found.stop()


def number(text: str, pattern: str) -> int:
    """The number in a sentence."""
    found = re.search(pattern, text)
    assert found, text
    return int(found[1].replace(",", ""))


def pull_lasso(page: Page) -> None:
    """A rectangle around the middle of the map, by the mouse."""
    canvas = page.locator("#md-projection-canvas")
    canvas.scroll_into_view_if_needed()
    area = canvas.bounding_box()
    assert area
    middle, across = area["x"] + area["width"] / 2, 0.15 * area["width"]
    top, bottom = area["y"] + 0.2 * area["height"], area["y"] + 0.8 * area["height"]
    page.mouse.move(middle - across, top)
    page.mouse.down()
    for x, y in ((middle + across, top), (middle + across, bottom), (middle - across, bottom)):
        page.mouse.move(x, y, steps=4)
    page.mouse.move(middle - across, top + 2, steps=4)
    page.mouse.up()
    until(page, "location.search.includes('plasso=')")


def column(page: Page, name: str) -> list[str]:
    """Cells of a column as they stand in the table, from the top."""
    rows = page.locator(CELLS).evaluate_all(
        "(rows, name) => rows.map((row) => [Number(row.getAttribute('row-index')),"
        " (row.querySelector(`[col-id=\"${name}\"]`) || {}).textContent || ''])",
        name,
    )
    return [text for _, text in sorted(rows) if text]


def check_table(page: Page, count: int) -> None:
    """The table of the subset has its instances and no others, and can be sorted and filtered."""
    expect(page.locator("#in-table-subtitle")).to_contain_text(f"{count:,} of {SAMPLE}", timeout=JOB)
    expect(page.locator("#in-table-subtitle")).not_to_contain_text("being computed", timeout=JOB)
    expect(page.locator("#in-table-grid .ag-header-cell[col-id='site']")).to_have_count(1, timeout=JOB)
    with page.expect_download() as download:
        page.evaluate("document.querySelector('#in-table-csv').click()")
    with Path(download.value.path()).open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == count == len({line["index"] for line in lines})
    until(page, f"document.querySelectorAll(\"{CELLS} [col-id='index']\").length > 3")
    indices = [text.replace(",", "") for text in column(page, "index")]
    assert indices == [line["index"] for line in lines[: len(indices)]]
    page.locator('#in-table-grid [col-id="confidence"] .ag-header-cell-label').click()
    least = min(float(line["confidence"]) for line in lines)
    first = f"document.querySelector(\"{CELLS}[row-index='0'] [col-id='confidence']\")"
    until(page, f"least => Math.abs(parseFloat(({first} || {{}}).textContent) - least) < 1e-3", arg=least)
    values = [float(text) for text in column(page, "confidence")]
    assert len(values) > 3
    assert values == sorted(values)
    page.locator('#in-table-grid .ag-header-cell[col-id="site"] .ag-header-cell-filter-button').click()
    page.locator(".ag-filter input[type=text]").first.fill(SITES[0])
    there = sum(line["site"] == SITES[0] for line in lines)
    assert 0 < there < count
    expect(page.locator("#in-table-note")).to_contain_text(f"{there:,} of {count:,} instances pass", timeout=JOB)
    page.keyboard.press("Escape")


def test_a_lasso_in_a_hundred_thousand_points_is_a_table_and_a_row(
    large: Server, browser: Browser, watch: Watch
) -> None:
    with visit(browser, watch, f"{large.url}?view=model&n={COUNT}&layer=fc2") as page:
        expect(page.locator("#md-matrix-subtitle")).to_contain_text(SAMPLE, timeout=JOB)
        expect(page.locator("#md-projection-subtitle")).to_contain_text(f"fc2 · {SAMPLE} · PCA", timeout=JOB)
        expect(page.locator("#md-projection-worth")).to_contain_text(f"PCA of {SAMPLE}", timeout=JOB)
        pull_lasso(page)
        side = page.locator("#md-projection-side")
        expect(side).to_contain_text(re.compile(rf"[\d,]+ instances of {COUNT:,}, "), timeout=JOB)
        count = number(side.inner_text(), rf"([\d,]+) instances of {COUNT:,}, ")
        assert 1_000 < count < COUNT
        page.locator("#md-projection-name").fill("middle")
        page.locator("#md-projection-save").click()
        saved = page.locator("#md-projection-saved")
        expect(saved).to_contain_text(f"Saved {count:,} instances as 'middle'", timeout=JOB)
        saved.get_by_role("button", name="Open in Instances").click()
        until(page, "new URLSearchParams(location.search).get('view') === 'instances'")
        check_table(page, count)
        # Back in Model the subset is a row of the matrix, and stands out in the map.
        page.locator("#rail-model").click()
        until(page, "new URLSearchParams(location.search).get('subset') === 'saved:middle'")
        page.locator("#md-matrix-panel .mx-list > summary").click()
        row = page.locator("#md-matrix-panel .mx-list tr", has=page.locator("th", has_text="middle"))
        expect(row.locator("td.num")).to_have_text(f"{count:,}", timeout=JOB)
        expect(page.locator("#md-projection-legend")).to_contain_text("middle", timeout=JOB)
