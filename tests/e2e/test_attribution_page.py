"""The Attribution view in a browser, on networks that go by a planted cue: see cue_subjects/.

For each kind of data the page has to show the cue, and changing the cue on the page has to change the prediction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Server, Watch, start, until, visit
from .cue_subjects import column, span, watermark, word
from .test_training_page import axe

pytestmark = pytest.mark.e2e
JOB = 120_000  # ms that an answer may take on a busy machine
METHODS = "input_x_gradient,saliency"
Serve = Callable[[ModuleType], Server]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A server of a subject, started when the first test needs it."""
    running: dict[str, Server] = {}

    def get(subject: ModuleType) -> Server:
        name = subject.__name__.rpartition(".")[2]
        if name not in running:
            workspace = tmp_path_factory.mktemp(name)
            files = ["--subject", str(subject.__file__), "--workspace", str(workspace)]
            running[name] = start(["serve", *files, "--device", "cpu", "--port", "0"])
        return running[name]

    yield get
    for server in running.values():
        server.stop()


def address(server: Server, instance: int, **selection: object) -> str:
    """Of the Attribution view for an instance, with two quick methods."""
    chosen = {"view": "attribution", "instances": instance, "methods": METHODS, **selection}
    return f"{server.url}?" + "&".join(f"{name}={value}" for name, value in chosen.items())


def look(page: Page, server: Server, instance: int, **selection: object) -> None:
    """Go there, and wait for both maps and for the panels below."""
    page.goto(address(server, instance, **selection))
    expect(page.locator("#at-trust-subtitle")).to_contain_text(f"instance {instance} ", timeout=JOB)
    expect(page.locator("#at-trust-agreement")).to_contain_text("Most alike", timeout=JOB)
    expect(page.locator("#at-edit-maps")).to_contain_text("Before", timeout=JOB)
    expect(page.locator("#at-neighbours-subtitle")).to_contain_text("nearest of", timeout=JOB)


def many(page: Page, sentence: re.Pattern[str]) -> tuple[str, ...]:
    """Explain many instances, and wait for what the panel says of them. Returns the groups of the sentence."""
    page.locator("#at-subset-body [data-at-want]").click(timeout=JOB)
    line = page.locator("#at-subset-body .headline")
    expect(line).to_have_text(sentence, timeout=JOB)
    expect(page.locator("#at-subset-body .waiting")).to_have_count(0, timeout=JOB)
    expect(page.locator("#at-subset-subtitle")).to_contain_text(re.compile(r"n = \d+ of \d+"))
    found = sentence.search(line.inner_text())
    assert found
    return found.groups()


def changed(page: Page, before: str, after: str) -> None:
    """Wait for the prediction to change on the page, and for both maps."""
    sentence = f"The prediction changes from {before} to {after}."
    expect(page.locator("#at-edit-outcome .headline")).to_have_text(sentence, timeout=JOB)
    expect(page.locator("#at-edit-outcome table")).to_contain_text("Before")
    expect(page.locator("#at-edit-maps h3")).to_have_text(["Before", "After"], timeout=JOB)


def test_a_watermark_is_seen_and_painting_it_over_changes_the_class(
    serve: Serve, browser: Browser, watch: Watch
) -> None:
    server, instance = serve(watermark), watermark.marked()[2]
    x0, y0, x1, y1 = watermark.CUE
    with visit(browser, watch, server.url) as page:
        look(page, server, instance, subset="wrong")
        found = many(page, re.compile(r"\(x (\d+) to (\d+), y (\d+) to (\d+)\) holds .* leads in (\d+) of (\d+)"))
        left, right, top, bottom, leads, count = map(int, found)
        assert max(left, x0) < min(right, x1)  # it overlaps the mark
        assert max(top, y0) < min(bottom, y1)
        assert leads > 0.9 * count
        # With the keyboard alone: four numbers, then the button.
        for corner, value in zip(("x0", "y0", "x1", "y1"), (x0, y0, x1, y1), strict=True):
            page.locator(f"#at-edit-{corner}").fill(str(value))
        expect(page.locator("#at-edit-picture .at-pick-box")).to_be_visible()
        page.locator("#at-edit-paint").press("Enter")
        expect(page.locator("#at-edit-list")).to_contain_text(f"painted over (mean): x {x0}–{x1}, y {y0}–{y1}")
        expect(page.locator("#at-edit-outcome .headline")).to_contain_text("The prediction changes from 3", timeout=JOB)
        expect(page.locator("#at-edit-maps h3")).to_have_text(["Before", "After"], timeout=JOB)
        link, said = page.url, page.locator("#at-edit-outcome").inner_text()
        with visit(browser, watch, link) as other:
            expect(other.locator("#at-edit-outcome table")).to_be_visible(timeout=JOB)
            assert other.locator("#at-edit-outcome").inner_text() == said
            expect(other.locator("#at-subset-body .headline")).to_contain_text("leads in", timeout=JOB)
        page.locator("#at-edit-undo").click()
        expect(page.locator("#at-edit-list")).to_be_empty(timeout=JOB)
        until(page, "!location.search.includes('edit=')")


def test_a_box_is_drawn_with_the_pointer_and_a_bad_change_is_said(serve: Serve, browser: Browser, watch: Watch) -> None:
    server, instance = serve(watermark), watermark.marked()[2]
    with visit(browser, watch, server.url) as page:
        look(page, server, instance)
        pick = page.locator("#at-edit-picture .at-pick")
        pick.scroll_into_view_if_needed()
        box = pick.bounding_box()
        assert box
        page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.55 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.72 * box["height"], steps=4)
        page.mouse.up()
        corners = [page.locator(f"#at-edit-{corner}") for corner in ("x0", "y0", "x1", "y1")]
        for corner, value in zip(corners, (8, 8, 15, 12), strict=True):
            expect(corner).to_have_value(str(value))
        page.goto(address(server, instance, edit='[{"op":"paint","box":[0,0,99,4]}]'))
        expect(page.locator("#at-edit-state")).to_contain_text("Give [x0, y0, x1, y1]", timeout=JOB)
        expect(page.locator("#at-edit-list")).to_contain_text("x 0–99")


def test_trust_is_measured_when_asked(serve: Serve, browser: Browser, watch: Watch) -> None:
    server, instance = serve(watermark), watermark.marked()[2]
    with visit(browser, watch, server.url) as page:
        look(page, server, instance)
        expect(page.locator("#at-trust-offer")).to_contain_text("costs more than the maps")
        row = page.locator(".at-trust-method", has_text="Saliency")
        row.get_by_role("button", name="Measure trust in Saliency").press("Enter")
        expect(page.locator("#at-trust-subtitle")).to_contain_text("1 of 2 methods measured", timeout=JOB)
        expect(row.locator(".at-level")).to_contain_text(re.compile("Good|Fair|Poor"))
        expect(row.locator(".at-spark img")).not_to_have_count(0)
        row.locator("summary").click()
        expect(row).to_contain_text("Rule: Poor, if")
        expect(row.locator(".at-curves img")).to_have_count(2)
        assert axe(page) == []


def test_a_verdict_is_kept_and_exported(serve: Serve, browser: Browser, watch: Watch) -> None:
    server, instance = serve(watermark), watermark.marked()[2]
    with visit(browser, watch, server.url) as page:
        look(page, server, instance)
        page.locator("#at-feedback-form").get_by_label("wrong").check()
        page.locator("#at-feedback-note").fill("It looks at <the mark>.")
        for corner, value in zip(("x0", "y0", "x1", "y1"), watermark.CUE, strict=True):
            page.locator(f"#at-feedback-{corner}").fill(str(value))
        page.locator("#at-feedback-add-box").click()
        expect(page.locator("#at-feedback-regions")).to_contain_text("Marked: x 12–16, y 0–4.", timeout=JOB)
        page.locator("#at-feedback-save").click()
        expect(page.locator("#at-feedback-status")).to_have_text("Saved.", timeout=JOB)
        item = page.locator(".at-feedback-item")
        expect(item).to_contain_text("It looks at <the mark>.", timeout=JOB)
        expect(item).to_contain_text("Should not matter: x 12–16, y 0–4")
        expect(page.locator("#at-inspector")).to_contain_text("✗ wrong", timeout=JOB)
        page.locator("summary[aria-label='Menu of Your verdict']").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Masks of marked regions (npz)").click()
        assert Path(download.value.path()).read_bytes()[:2] == b"PK"
        item.locator("summary").click()
        item.get_by_role("button", name="Yes, delete it").click()
        expect(page.locator("#at-feedback-list")).to_contain_text("No verdict", timeout=JOB)


def test_a_contrast_is_chosen_with_the_keyboard(serve: Serve, browser: Browser, watch: Watch) -> None:
    server, instance = serve(watermark), watermark.marked()[2]
    with visit(browser, watch, server.url) as page:
        look(page, server, instance)
        picker = page.locator("#at-minus")
        picker.focus()
        picker.press("ArrowDown")
        expect(page.get_by_role("option", name=re.compile(r"^1\b"))).to_be_visible()
        picker.fill("1")
        picker.press("ArrowDown")
        picker.press("Enter")
        until(page, "/target=3-1/.test(location.search)")
        expect(page.locator("#at-outcome")).to_contain_text("'3' minus '1'", timeout=JOB)


def test_a_token_is_seen_and_replacing_it_changes_the_class(serve: Serve, browser: Browser, watch: Watch) -> None:
    server, instance = serve(word), word.marked()[0]
    with visit(browser, watch, server.url) as page:
        look(page, server, instance)
        expect(page.get_by_role("checkbox", name="DeepLift", exact=True)).to_be_disabled(timeout=JOB)
        expect(page.locator("#at-methods")).to_contain_text("lstm (LSTM) has gates inside")
        many(page, re.compile(rf"'{word.CUE}' .*leads in"))
        chip = page.locator("#at-edit-tokens").get_by_role("button", name=word.CUE, exact=True)
        chip.press("Enter")
        expect(chip).to_have_attribute("aria-pressed", "true")
        page.locator("#at-edit-token").fill("nowhere")
        page.locator("#at-edit-replace").click()
        expect(page.locator("#at-edit-state")).to_contain_text("The vocabulary has no token 'nowhere'", timeout=JOB)
        page.locator("#at-edit-undo").click()
        expect(page.locator("#at-edit-list")).to_be_empty(timeout=JOB)
        expect(chip).to_have_attribute("aria-pressed", "true", timeout=JOB)  # the choice stays
        page.locator("#at-edit-token").fill("parcel")
        page.locator("#at-edit-replace").click()
        changed(page, word.CLASSES[1], word.CLASSES[0])
        assert axe(page) == []


def test_a_span_is_seen_and_muting_it_changes_the_class(serve: Serve, browser: Browser, watch: Watch) -> None:
    server, instance = serve(span), span.marked()[0]
    channel, first, last = span.CUE
    with visit(browser, watch, server.url, width=1024, height=768, scheme="dark") as page:
        look(page, server, instance, subset="class:1")
        many(page, re.compile(rf"{span.SENSORS[channel]}, \d.* leads in \d+ of \d+", re.IGNORECASE))
        page.locator("#at-edit-channel").click()
        page.get_by_role("option", name=span.SENSORS[channel], exact=True).click()
        page.locator("#at-edit-from").fill(str(first / span.RATE))
        page.locator("#at-edit-to").fill(str(last / span.RATE))
        page.locator("#at-edit-mute").click()
        expect(page.locator("#at-edit-list")).to_contain_text(f"{span.SENSORS[channel]} muted (mean): 2–3 s")
        changed(page, span.CLASSES[1], span.CLASSES[0])
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 1024


def test_a_column_is_seen_and_changing_it_changes_the_class(serve: Serve, browser: Browser, watch: Watch) -> None:
    server, instance = serve(column), column.marked()[0]
    with visit(browser, watch, server.url) as page:
        look(page, server, instance)
        name = column.COLUMNS[column.CUE]
        expect(page.locator("#at-edit-columns .at-column-name").first).to_have_text(name)
        many(page, re.compile(rf"{name} holds .* leads in", re.IGNORECASE))
        before = page.locator("#at-outcome").inner_text()
        leak = "leak" in before.split("label")[0]
        field = page.get_by_label(f"Value of {name}")
        field.fill("1" if leak else "9")
        field.press("Tab")
        first, then = ("leak", "tight") if leak else ("tight", "leak")
        changed(page, first, then)
        expect(page.locator("#at-edit-list")).to_contain_text(f"{name} = ")
        assert axe(page) == []


def test_nothing_scrolls_sideways_in_the_dark(serve: Serve, browser: Browser, watch: Watch) -> None:
    server, instance = serve(watermark), watermark.marked()[2]
    with visit(browser, watch, server.url, width=1024, height=768, scheme="dark") as page:
        look(page, server, instance)
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 1024
