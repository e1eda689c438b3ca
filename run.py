"""Starts Cutaway: ``python run.py --help`` says how."""

from __future__ import annotations

import sys

from dashboard.__main__ import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
