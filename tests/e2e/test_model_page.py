"""The Model view in a browser, on a network with a frozen stem, a dead branch and a head that was rewritten."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from . import model_subject
from .conftest import Server, Watch, start, until, visit
from .test_training_page import axe

pytestmark = pytest.mark.e2e
JOB = 120_000  # ms that an answer may take on a busy machine


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the network; its weights before fine-tuning are written beside the copy of its file."""
    place = tmp_path_factory.mktemp("tuned")
    subject = Path(shutil.copy(model_subject.__file__, place))
    found = start(
        ["serve", "--subject", str(subject), "--workspace", str(place / "w"), "--device", "cpu", "--port", "0"]
    )
    yield found
    found.stop()


def look(page: Page, server: Server, **selection: object) -> None:
    """Go there, and wait for the graph."""
    chosen = {"view": "model", **selection}
    page.goto(f"{server.url}?" + "&".join(f"{name}={value}" for name, value in chosen.items()))
    page.wait_for_selector("#md-graph-picture .mdg-box", timeout=JOB)


def box(page: Page, name: str) -> Locator:
    """A box or the title of a frame, by the name of its module."""
    return page.locator(f"#md-graph-picture .mdg-item[aria-label^='{name}, ']")


def chosen(page: Page, name: str) -> str:
    """A parameter of the address, '' if it is not there."""
    return str(page.evaluate("name => new URLSearchParams(location.search).get(name) || ''", name))


def test_the_graph_opens_by_modules_and_a_layer_chosen_in_it_is_chosen_everywhere(
    tuned: Server, browser: Browser, watch: Watch
) -> None:
    with visit(browser, watch, tuned.url) as page:
        look(page, tuned)
        expect(box(page, "stage1")).to_have_attribute("aria-expanded", "false")
        assert page.locator(".mdg-box").count() == 9  # input, stem, relu, stages, mean, aux, head, output
        # A click opens a module where it stands; with the keyboard the next one is opened, and a layer chosen.
        box(page, "stage1").click()
        expect(box(page, "stage1.0")).to_have_attribute("aria-expanded", "false")
        assert chosen(page, "gopen") == "stage1"
        box(page, "stage1.0").press("Enter")
        until(page, "document.querySelectorAll('.mdg-head').length === 2")
        expect(box(page, "stage1.0")).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(box(page, "stage1.0.conv1")).to_be_focused()
        told = page.locator("#md-graph-told")
        for part in ("stage1.0.conv1", "Conv2d", "8 × 12 × 12 float32", "584 parameters", "kFLOPs"):
            expect(told).to_contain_text(part)
        page.keyboard.press("Enter")
        expect(box(page, "stage1.0.conv1")).to_have_attribute("aria-pressed", "true")
        assert chosen(page, "layer") == "stage1.0.conv1"
        expect(page.locator("#md-inspector")).to_contain_text("584, all trained")
        expect(page.locator("#md-matrix-subtitle")).to_contain_text("stage1.0.conv1", timeout=JOB)
        expect(page.locator("#md-projection-subtitle")).to_contain_text("stage1.0.conv1", timeout=JOB)
        # What is searched for opens by itself.
        page.locator("#md-graph-search").fill("stage2.1.conv2")
        expect(page.locator("#md-graph-matches")).to_contain_text("1 of 27 match, 1 inside collapsed modules")
        page.locator("#md-graph-search").press("Enter")
        expect(box(page, "stage2.1.conv2")).to_have_class(re.compile("found"))
        assert set(chosen(page, "gopen").split(",")) == {"stage1", "stage1.0", "stage2", "stage2.1"}
        # Another view has the same layer, and the way back leads to the same picture.
        page.locator("#md-inspector").get_by_role("button", name="in Layers").first.click()
        expect(page.locator("#layers-inspector")).to_contain_text("stage1.0.conv1", timeout=JOB)
        page.go_back()
        page.locator("[data-graph-do=fit]").click()
        expect(box(page, "stage1.0.conv1")).to_have_attribute("aria-pressed", "true")
        box(page, "stage1").click()
        expect(box(page, "stage1")).to_have_attribute("aria-expanded", "false")
        expect(box(page, "stage1")).to_have_class(re.compile("holds"))


def test_a_fine_tuning_is_told_layer_by_layer(tuned: Server, browser: Browser, watch: Watch) -> None:
    subject = model_subject
    with visit(browser, watch, tuned.url) as page:
        look(page, tuned, gcolor="change")
        expect(page.locator("#md-graph-change-note")).to_contain_text("Choose other weights")
        page.locator("#ctl-gother").click()
        page.get_by_role("option", name="before").click()
        note = page.locator("#md-graph-change-note")
        expect(note).to_contain_text(
            f"From before to the weights the subject came with. Largest: {subject.REWRITTEN}", timeout=JOB
        )
        value = ".mdg-value"
        expect(box(page, subject.SAME).locator(value)).to_have_text("same")
        expect(box(page, subject.BARELY).locator(value)).to_have_text("0.1 % (barely)")
        expect(box(page, subject.REWRITTEN).locator(value)).to_contain_text("% (rewritten)")
        expect(page.locator("#md-graph-legend")).to_contain_text("barely (4 layers)")
        # Frozen and dead are told by marks and words, not by colour.
        expect(box(page, subject.FROZEN).locator(".mdg-hatched, .mdg-flake")).to_have_count(2)
        expect(box(page, subject.FROZEN)).to_have_attribute("aria-label", re.compile("frozen"))
        expect(box(page, subject.DEAD)).to_have_class(re.compile("dead"))
        box(page, subject.DEAD).hover()
        expect(page.locator("#md-graph-told")).to_contain_text("no output depends on it")
        page.locator("#md-graph-panel .disclosure summary").nth(1).click()
        with page.expect_download() as table:
            page.locator("#md-graph-csv").click()
        rows = Path(table.value.path()).read_text(encoding="utf-8").splitlines()
        assert rows[0].startswith("name,type,")
        assert next(row for row in rows if row.startswith("head,")).split(",")[-2] == "rewritten"


def test_what_is_chosen_in_one_panel_is_shown_by_the_others(tuned: Server, browser: Browser, watch: Watch) -> None:
    with visit(browser, watch, tuned.url) as page:
        look(page, tuned, layer="stage2.1.conv2")
        # A cell of the matrix, by keys: its neuron and its row are chosen, and the inspector says what they do.
        pane = page.locator("#md-matrix-picture .mx-pane").first
        expect(page.locator("#md-matrix-subtitle")).to_contain_text("240 instances", timeout=JOB)
        pane.focus()
        for key in ("ArrowRight", "ArrowRight", "Enter"):
            page.keyboard.press(key)
        until(page, "location.search.includes('filter=') && location.search.includes('subset=')")
        expect(page.locator("#md-inspector h2").first).to_be_visible()
        neuron, subset = chosen(page, "filter"), chosen(page, "subset")
        expect(page.locator("#md-inspector")).to_contain_text(f"{neuron} of stage2.1.conv2", timeout=JOB)
        # The map fades the others, and can be coloured by the neuron.
        expect(page.locator("#md-projection-legend")).to_contain_text(re.compile("Faded|faded|others"), timeout=JOB)
        # A lasso around all points is kept as a subset, and shown.
        canvas = page.locator("#md-projection-canvas")
        canvas.scroll_into_view_if_needed()
        area = canvas.bounding_box()
        assert area
        left, top = area["x"] + 4, area["y"] + 4
        right, bottom = left + area["width"] - 8, top + area["height"] - 8
        page.mouse.move(left, top)
        page.mouse.down()
        for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 2)):
            page.mouse.move(x, y, steps=4)
        page.mouse.up()
        until(page, "location.search.includes('plasso=')")
        page.locator("#md-projection-name").fill("everyone", timeout=JOB)
        page.locator("#md-projection-save").click()
        expect(page.locator("#md-projection-saved")).to_contain_text("Saved 240 instances as 'everyone'", timeout=JOB)
        page.locator("#md-projection-saved").get_by_role("button", name="Show it").click()
        until(page, "location.search.includes('everyone') && !location.search.includes('plasso=')")
        assert chosen(page, "subset") != subset
        expect(page.locator("#md-inspector")).to_contain_text("everyone", timeout=JOB)
        assert chosen(page, "filter") == neuron


def test_the_view_stands_in_both_themes_and_on_a_small_screen(tuned: Server, browser: Browser, watch: Watch) -> None:
    for scheme, width, height in (("dark", 1024, 768), ("light", 1440, 900)):
        with visit(browser, watch, tuned.url, width=width, height=height, scheme=scheme) as page:
            look(page, tuned, gopen="*", layer="stage2.0.conv1")
            expect(page.locator("#md-matrix-subtitle")).to_contain_text("stage2.0.conv1", timeout=JOB)
            expect(page.locator("#md-projection-subtitle")).to_contain_text("stage2.0.conv1", timeout=JOB)
            expect(box(page, "stage2.0.conv1")).to_be_visible()
            assert axe(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
