"""Starts Cutaway: ``python run.py --help``, or ``python -m dashboard --help``, says how."""

from __future__ import annotations

import sys

from analysis.errors import CutawayError
from dashboard.cli import parse
from dashboard.settings import Settings


def main(arguments: list[str]) -> int:
    """Follow a command line. Returns the exit code: 0 stopped, 2 it cannot be followed."""
    try:
        settings = parse(arguments)
    except CutawayError as error:
        print(f"{error.message}\n{error.remedy}".strip(), file=sys.stderr)
        return 2
    # Here and below: --help and errors of the command line must not wait for imports.
    from dashboard.server import serve

    return serve(settings, make_app)


def make_app(settings: Settings):  # type: ignore[no-untyped-def]
    """The page; called in the web process."""
    from dashboard.app import create_app

    return create_app(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
