"""The browser of the tests: an installed Chromium, else Debian's package when root, else Playwright's own.

Run as a program it installs one where there is none; imported it says where it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Software WebGL, and no calls home, which a closed network would answer with errors in the console.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def executable() -> str | None:
    """Path of the browser to drive; None lets Playwright use its own."""
    named = os.environ.get("CUTAWAY_CHROMIUM")
    return named or next((path for path in map(shutil.which, NAMES) if path), None)


def main() -> int:
    """Install a browser unless there is one. Returns the exit code."""
    if executable():
        return 0
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        if subprocess.run(command, check=False).returncode == 0 and executable():
            return 0
    print("No Chromium is installed; fetching Playwright's own ...")
    code = subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False).returncode
    if code:
        print("No browser could be installed. Install Chromium, or name one with CUTAWAY_CHROMIUM=/path/to/chromium.")
    return code


if __name__ == "__main__":
    sys.exit(main())
