"""The what-if panel in a browser: each kind of change with the pointer and with the keyboard alone.

On networks that go by a planted cue (cue_subjects/): a change of the cue must change the prediction, and the map that
is drawn after it. The other ways of the panel are in test_attribution_page.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import Server, Watch, start, until, visit
from .cue_subjects import span, watermark, word

pytestmark = pytest.mark.e2e
JOB = 120_000  # ms that an answer may take on a busy machine


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Of the subject that the test names."""
    subject: ModuleType = request.param
    running = start(
        ["serve", "--subject", str(subject.__file__), "--workspace", str(tmp_path), "--device", "cpu", "--port", "0"]
    )
    yield running
    running.stop()


def of(subject: ModuleType) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", [subject], indirect=True)


def look(page: Page, server: Server, instance: int) -> None:
    """The panel, with a quick method, once the map of the instance is there."""
    page.goto(f"{server.url}?view=attribution&instances={instance}&methods=input_x_gradient")
    expect(page.locator("#at-edit-maps h3")).to_have_text(["Before"], timeout=JOB)


def changes(page: Page) -> list[dict[str, object]]:
    """Those in the address."""
    found: list[dict[str, object]] = json.loads(
        page.evaluate("new URLSearchParams(location.search).get('edit')") or "[]"
    )
    return found


def predicts(page: Page, sentence: str | re.Pattern[str]) -> None:
    """Wait for what the panel says of the prediction, and for the map beside the first."""
    expect(page.locator("#at-edit-outcome .headline")).to_have_text(sentence, timeout=JOB)
    expect(page.locator("#at-edit-maps h3")).to_have_text(["Before", "After"], timeout=JOB)


def undo(page: Page) -> None:
    """Take the change back, with the keyboard."""
    page.locator("#at-edit-undo").press("Enter")
    expect(page.locator("#at-edit-maps h3")).to_have_text(["Before"], timeout=JOB)


def written(page: Page, field: str, text: str) -> None:
    """Write into the field that has the focus, and wait until the page knows it: what follows may be a key."""
    page.keyboard.press("Control+a")
    page.keyboard.type(text)
    known = f"(text) => String(window.dash_component_api.getLayout('{field}').props.value) === text"
    until(page, known, arg=text)


def drag(page: Page, box: Locator, start_at: tuple[float, float], end_at: tuple[float, float]) -> None:
    """With the pointer. The ends are shares of the box."""
    box.scroll_into_view_if_needed()
    place = box.bounding_box()
    assert place
    (x0, y0), (x1, y1) = (
        (place["x"] + across * place["width"], place["y"] + down * place["height"])
        for across, down in (start_at, end_at)
    )
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=3)
    page.mouse.move(x1, y1, steps=3)
    page.mouse.up()


@of(watermark)
def test_a_box_is_painted_by_a_drag_and_by_the_keyboard(server: Server, browser: Browser, watch: Watch) -> None:
    x0, y0, x1, y1 = watermark.CUE
    side = 16  # pixels of the picture
    with visit(browser, watch, server.url) as page:
        look(page, server, watermark.marked()[2])
        ends = ((x0 + 0.3) / side, (y0 + 0.3) / side), ((x1 - 0.3) / side, (y1 - 0.3) / side)
        drag(page, page.locator("#at-edit-picture .at-pick"), *ends)
        expect(page.locator("#at-edit-x0")).to_have_value(str(x0), timeout=JOB)
        page.locator("#at-edit-paint").click()
        predicts(page, re.compile("The prediction changes from 3"))
        assert changes(page) == [{"op": "paint", "box": [x0, y0, x1, y1], "fill": "mean"}]
        sources = [image.get_attribute("src") for image in page.locator("#at-edit-maps img").all()]
        assert len(set(sources)) == len(sources) > 1  # another map
        undo(page)
        page.locator("#at-edit-x0").focus()
        for field, value in (("x0", 0), ("y0", 12), ("x1", 4), ("y1", 16)):  # a corner that says nothing
            written(page, f"at-edit-{field}", str(value))
            page.keyboard.press("Tab")
        page.locator("#at-edit-paint").press("Enter")
        predicts(page, re.compile("The prediction stays 3"))
        assert changes(page)[0]["box"] == [0, 12, 4, 16]


@of(word)
def test_a_token_is_changed_by_the_pointer_and_by_the_keyboard_and_stays_chosen(
    server: Server, browser: Browser, watch: Watch
) -> None:
    with visit(browser, watch, server.url) as page:
        look(page, server, word.marked()[0])
        chips = page.locator("#at-edit-tokens .at-chip")
        count = chips.count()
        page.locator("#at-edit-tokens").get_by_role("button", name=word.CUE, exact=True).click()
        page.locator("#at-edit-token").fill("parcel")
        page.locator("#at-edit-replace").click()
        predicts(page, f"The prediction changes from {word.CLASSES[1]} to {word.CLASSES[0]}.")
        chosen = page.locator("#at-edit-tokens .at-chip[aria-pressed=true]")
        expect(chosen).to_have_text(["parcel"], timeout=JOB)
        # The choice is still there: the next change needs no other.
        page.locator("#at-edit-token").focus()
        written(page, "at-edit-token", word.CUE)
        for _ in range(2):  # past 'Replace'
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        predicts(page, f"The prediction stays {word.CLASSES[1]}.")
        assert [one["op"] for one in changes(page)] == ["replace", "insert"]
        expect(chips).to_have_count(count + 1, timeout=JOB)
        expect(chosen).to_have_text([word.CUE], timeout=JOB)
        page.keyboard.press("Tab")  # to 'Delete', from where the focus was left
        page.keyboard.press("Enter")
        predicts(page, f"The prediction changes from {word.CLASSES[1]} to {word.CLASSES[0]}.")
        expect(chosen).to_have_text(["parcel"], timeout=JOB)
        expect(page.locator("#at-edit-token")).to_have_value("parcel", timeout=JOB)
        said = page.locator("#at-edit-list")
        expect(said).to_contain_text(f"“{word.CUE}” inserted before", timeout=JOB)
        expect(said).to_contain_text(re.compile(r"\d(st|nd|rd|th) token"))


@of(span)
def test_a_span_is_muted_by_a_drag_and_by_the_keyboard(server: Server, browser: Browser, watch: Watch) -> None:
    channel, first, last = span.CUE
    seconds = span.STEPS / span.RATE
    with visit(browser, watch, server.url, width=1024, height=768) as page:
        look(page, server, span.marked()[0])
        rows = page.locator("#at-edit-signal .drag.nsewdrag")
        expect(rows).to_have_count(len(span.SENSORS), timeout=JOB)
        drag(page, rows.nth(channel), (1.9 / seconds, 0.5), (3.1 / seconds, 0.5))
        expect(page.locator("#at-edit-from")).to_have_value(re.compile(r"^1\.9|^1\.8"), timeout=JOB)
        expect(page.locator("#at-edit-to")).to_have_value(re.compile(r"^3\.[01]"), timeout=JOB)
        page.locator("#at-edit-mute").click()
        predicts(page, f"The prediction changes from {span.CLASSES[1]} to {span.CLASSES[0]}.")
        assert changes(page)[0]["channel"] is None
        until(page, "document.querySelectorAll('#at-edit-signal .shapelayer path').length === 3")  # in every row
        undo(page)
        until(page, "document.querySelectorAll('#at-edit-signal .shapelayer path').length === 0")
        page.locator("#at-edit-channel").focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("option", name=span.SENSORS[channel], exact=True)).to_be_visible(timeout=JOB)
        aimed = page.locator("[role=option][data-combobox-selected]", has_text=span.SENSORS[channel])
        for _ in range(len(span.SENSORS) + 1):
            if aimed.count():
                break
            page.keyboard.press("ArrowDown")
            page.wait_for_timeout(200)
        page.keyboard.press("Enter")
        expect(page.locator("#at-edit-channel")).to_have_value(span.SENSORS[channel], timeout=JOB)
        for field, end in (("from", first), ("to", last)):
            page.keyboard.press("Tab")
            written(page, f"at-edit-{field}", str(end / span.RATE))
        page.locator("#at-edit-mute").press("Enter")
        predicts(page, f"The prediction changes from {span.CLASSES[1]} to {span.CLASSES[0]}.")
        assert changes(page) == [{"op": "mute", "channel": channel, "span": [first, last], "fill": "mean"}]
        until(page, "document.querySelectorAll('#at-edit-signal .shapelayer path').length === 1")
