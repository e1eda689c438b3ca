"""The Subject and Layers views in a browser, on a network whose faults were planted: see planted_subject.py.

Each truth is read from the page, and tested with the page's own buttons.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import Server, Watch, visit
from .planted_subject import ALWAYS, CLASSES, COUNT, DEAD, HORIZONTAL, REDUNDANT, SPECIFIC, TWINS, WITHHELD
from .test_training_page import axe

pytestmark = pytest.mark.e2e
JOB = 120_000  # ms that an answer may take on a busy machine


def look(page: Page, server: Server, **selection: object) -> None:
    """Go to the Layers view with this selection, and wait for the whole sample."""
    query = "&".join(f"{name}={value}" for name, value in {"view": "layers", **selection}.items())
    page.goto(f"{server.url}?{query}")
    expect(page.locator("#strip-subtitle")).to_contain_text(f"{COUNT} instances", timeout=JOB)
    expect(page.locator("#lfindings-subtitle")).not_to_be_empty(timeout=JOB)


def finding(page: Page, rule: str) -> Locator:
    """The finding of this rule, with its button and its result."""
    return page.locator(".finding-item", has=page.locator(f'.finding[data-rule="{rule}"]'))


def test_result(page: Page, rule: str) -> Locator:
    """Press the finding's test button and wait for what it says."""
    item = finding(page, rule)
    item.locator("[data-layer-test]").click(timeout=JOB)
    expect(item.locator(".headline").first).to_contain_text("%", timeout=JOB)
    return item


test_result.__test__ = False  # type: ignore[attr-defined]


def test_the_subject_page_says_what_was_understood(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, f"{planted.url}?view=subject") as page:
        box = page.locator("#view-subject")
        for part in ("image", f"{COUNT} instances", "1 channel of 16 x 16", *CLASSES, "conv1", "fc3"):
            expect(box).to_contain_text(part, timeout=JOB)
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440


def test_planted_filters_are_named_and_their_tests_agree(planted: Server, browser: Browser, watch: Watch) -> None:
    one, other = TWINS
    with visit(browser, watch, planted.url) as page:
        look(page, planted, layer="conv1")
        findings = page.locator("#lfindings-body")
        expect(findings).to_contain_text(f"Filter {DEAD} of conv1 responds at no position of any of", timeout=JOB)
        expect(findings).to_contain_text(f"Filter {ALWAYS} of conv1 is on for almost everything")
        expect(findings).to_contain_text(f"Filters {one} and {other} of conv1 respond almost alike", timeout=JOB)
        specific = finding(page, "specific")
        expect(specific).to_contain_text(re.compile(rf"Filters? {SPECIFIC}\b.*of conv1 keep"))
        expect(specific).to_contain_text(f"filter {SPECIFIC}'{CLASSES[HORIZONTAL]}', 100 % of its class means")
        # Nothing reads these filters: taking them out, or merging the twins, changes no prediction.
        for rule in ("dead", "duplicate"):
            item = test_result(page, rule)
            expect(item.locator(".verdict-line")).to_have_text("No prediction became right or wrong.")
            expect(item.locator(".headline")).to_contain_text(f"n = {COUNT}")
        # A filter that the network does read is missed, also by class.
        page.goto(f"{planted.url}?view=layers&layer=conv1&filters=0-1,3-4,6")
        free = page.locator("#lfindings-free")
        free.locator("[data-layer-test]").first.click(timeout=JOB)
        expect(free.locator(".verdict-line")).to_contain_text("It costs accuracy", timeout=JOB)
        expect(free.locator("table.by-class")).to_contain_text("diagonal")
        assert axe(page) == []


def test_a_filter_is_shown_with_what_it_detects(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, planted.url) as page:
        pictures: list[str] = []
        page.on("response", lambda r: pictures.append(r.headers["content-type"]) if "/picture/" in r.url else None)
        look(page, planted, layer="conv1", filter=SPECIFIC)
        panel = page.locator("#lfilter-panel, section:has(#lfilter-patches)").first
        patches = panel.locator(".patch")
        expect(patches).to_have_count(12, timeout=JOB)
        labels = [text.strip() for text in panel.locator(".patch-class").all_inner_texts()]
        assert all(CLASSES[HORIZONTAL] in text for text in labels)
        expect(panel.locator(".patch .patch-picture")).to_have_count(12)
        assert "image/png" in pictures
        # Its neighbour to the left is the other filter of a pair that answers alike.
        look(page, planted, layer="conv1", filter=TWINS[0])
        expect(page.locator("#lfilter-facts")).to_contain_text(
            re.compile(rf"\b{TWINS[1]}\b.*1\.00", re.DOTALL), timeout=JOB
        )
        # A dead filter says so instead of showing noise.
        look(page, planted, layer="conv1", filter=DEAD)
        expect(page.locator("#lfilter-patches")).to_contain_text(f"Filter {DEAD} is active on none of", timeout=JOB)


def test_a_class_that_was_withheld_is_what_is_detected_least(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, planted.url) as page:
        look(page, planted, layer="conv2", undetected="0.1")
        side = page.locator("#input-side")
        expect(side).to_contain_text(f"Class {CLASSES[WITHHELD]} stands out", timeout=JOB)
        found = re.search(r"stands out: [\d,]+ of [\d,]+ \((\d+) %\)", side.inner_text())
        assert found
        assert int(found[1]) >= 80


def test_a_redundant_layer_is_named_and_costs_nothing(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, planted.url) as page:
        look(page, planted, layer=REDUNDANT)
        withheld = f"'{CLASSES[WITHHELD]}' is what {REDUNDANT} detects least"
        expect(finding(page, "undetected")).to_contain_text(withheld, timeout=JOB)
        page.get_by_role("button", name="Measure class separation").click()
        expect(page.locator("#strip-note")).to_contain_text("Purity is highest", timeout=JOB)
        item = finding(page, "redundant").filter(has_text=REDUNDANT).first
        expect(item).to_be_visible(timeout=JOB)
        item.locator("[data-layer-test]").click()
        expect(item.locator(".headline").first).to_contain_text("%", timeout=JOB)
        said = item.locator(".headline").first.inner_text()
        found = re.search(r"([+−]?\d+\.\d) points", said)
        assert found, item.inner_text()
        assert abs(float(found[1].replace("−", "-"))) < 1


def test_a_link_shows_another_visitor_the_same(planted: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, planted.url, scheme="dark", width=1024, height=768) as page:
        look(page, planted, layer="conv1", filter=SPECIFIC, lmode="class", instances=4)
        expect(page.locator("#lheat-subtitle")).to_contain_text("conv1", timeout=JOB)
        expect(page.locator("#layers-inspector")).to_contain_text(f"Filter {SPECIFIC}", timeout=JOB)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1024
        assert axe(page) == []
        # The twins are found once the similarities are there: what is shown until then is not all.
        expect(page.locator("#lfindings-subtitle")).not_to_contain_text("once similarities", timeout=JOB)
        expect(page.locator("#lfindings-subtitle")).to_contain_text("conv1", timeout=JOB)
        with visit(browser, watch, page.url, scheme="dark", width=1024, height=768) as second:
            for name in ("lheat", "lfilter", "lfindings", "strip"):
                shown = page.locator(f"#{name}-subtitle").inner_text()
                expect(second.locator(f"#{name}-subtitle")).to_have_text(shown, timeout=JOB)
