"""What all tests share: one thread a process, and one browser."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.browser import ARGUMENTS, executable

# Tests run beside each other, and threads that wait for each other cost more than they bring. Read by torch, NumPy and
# numba when they are first imported, also in the processes that tests start.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright runs once a process."""
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    found = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
    yield found
    found.close()
