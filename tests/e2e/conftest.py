"""A real server, a real browser; any console message, page error or failed request fails the test."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.dashboard.conftest import write_run

ROOT = Path(__file__).parents[2]
SLOW = 90_000  # ms; the machines are noisy, and other tests run meanwhile
PLANTED = Path(__file__).with_name("planted_subject.py")


@dataclass
class Server:
    """A running ``run.py``."""

    process: subprocess.Popen[str]
    url: str
    arguments: list[str]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def start(arguments: list[str]) -> Server:
    """Start ``run.py`` and wait until it says where it listens."""
    command = [sys.executable, "run.py", *arguments]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert process.stdout
    seen = ""
    deadline = time.time() + 60
    while time.time() < deadline:
        line = process.stdout.readline()
        seen += line
        found = re.search(r"(http://127\.0\.0\.1:\d+\S*)", line)
        if found:
            return Server(process, found.group(1), arguments)
        if not line and process.poll() is not None:
            break
    raise AssertionError(f"the server did not start:\n{seen}")


@pytest.fixture(scope="session")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("e2e") / "runs"
    write_run(root / "wide", "Wide", filters=6)
    write_run(root / "narrow", "Narrow", filters=5)
    return root


@pytest.fixture(scope="session")
def server(runs_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    workspace = tmp_path_factory.mktemp("workspace")
    found = start(["serve", str(runs_dir), "--workspace", str(workspace), "--port", "0"])
    yield found
    found.stop()


@dataclass
class Watch:
    """What the browser complained of."""

    complaints: list[str] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("requestfailed", lambda request: self._failed(request.url, request.failure or ""))
        page.on("response", lambda r: self.complaints.append(f"HTTP {r.status} {r.url}") if r.status >= 400 else None)
        page.on("request", lambda r: self._outside(r.url, page.url))

    def _console(self, kind: str, text: str) -> None:
        # Software WebGL says so when the machine is busy; it is no fault of the page.
        if kind in ("error", "warning") and "GPU stall" not in text:
            self.complaints.append(f"console {kind}: {text[:500]}")

    def _failed(self, url: str, reason: str) -> None:
        if "ERR_ABORTED" not in reason:  # a navigation or a download ends requests under way
            self.complaints.append(f"failed: {url} {reason}")

    def _outside(self, url: str, page_url: str) -> None:
        if url.startswith("http") and not re.match(r"https?://(127\.0\.0\.1|localhost)[:/]", url):
            self.complaints.append(f"outbound request: {url} from {page_url}")


@pytest.fixture
def watch() -> Iterator[Watch]:
    found = Watch()
    yield found
    assert found.complaints == []


@contextlib.contextmanager
def visit(
    browser: Browser, watch: Watch, url: str, *, width: int = 1440, height: int = 900, scheme: str = "light"
) -> Iterator[Page]:
    """A page of a visitor of its own."""
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    context.set_default_timeout(SLOW)
    try:  # a page that a failed test leaves open goes on drawing, and slows down those of the next ones
        page = context.new_page()
        watch.attach(page)
        page.goto(url)
        yield page
    finally:
        context.close()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the planted network, without runs."""
    workspace = tmp_path_factory.mktemp("planted")
    found = start(["serve", "--subject", str(PLANTED), "--workspace", str(workspace), "--device", "cpu", "--port", "0"])
    yield found
    found.stop()


def until(page: Page, expression: str, *, arg: object = None, timeout: int = SLOW) -> None:
    """Wait for an expression to hold. Not page.wait_for_function: that needs eval, which the page's CSP forbids."""
    deadline = time.monotonic() + timeout / 1000
    while not page.evaluate(expression, arg):
        assert time.monotonic() < deadline, f"never: {expression}"
        page.wait_for_timeout(100)


def settled(page: Page) -> None:
    """Wait until the Training view has drawn everything."""
    page.wait_for_selector("#curves .main-svg")
    until(page, "document.querySelector('#curves-subtitle').textContent.includes('records')")
    until(page, "document.querySelector('#perplexity-subtitle').textContent.includes('layers')", timeout=SLOW)
    until(page, "document.querySelector('#heatmap-subtitle').textContent.includes('patches')")
    page.wait_for_selector("table.layers")
    page.wait_for_selector("#inspector-body h2", state="attached")
    until(page, "document.querySelector('#stability .main-svg') !== null")
