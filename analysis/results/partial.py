"""Answers that are not finished: what is there so far, replaced as more is computed. Safe to lose."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from analysis.results.cache import KEY, Answer, Answers, key_of

NAMES = "{key}.partial"  # a file that names the newest draft


class Partials:
    """Drafts beside the answers below a directory, the newest of each key."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        self._answers = Answers(self.directory)

    def put(self, key: str, value: dict[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Replace the draft of an answer. A full disk costs the draft only."""
        with suppress(OSError):
            before = self._named(key)
            draft = key_of(partial=key, number=secrets.token_hex(8))
            self._answers.put(draft, value, arrays)
            pointer = self.directory / NAMES.format(key=key)
            fresh = pointer.with_suffix(f".{secrets.token_hex(4)}")
            fresh.write_text(json.dumps(draft), encoding="utf-8")
            fresh.replace(pointer)
            self._remove(before)

    def get(self, key: str) -> Answer | None:
        """The newest draft; None if there is none."""
        draft = self._named(key)
        return self._answers.get(draft) if draft else None

    def drop(self, key: str) -> None:
        """Forget the draft of an answer, for instance because the answer is there."""
        draft = self._named(key)
        with suppress(OSError):
            (self.directory / NAMES.format(key=key)).unlink(missing_ok=True)
        self._remove(draft)

    def _named(self, key: str) -> str:
        if not KEY.fullmatch(key):
            return ""
        try:
            found = json.loads((self.directory / NAMES.format(key=key)).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return found if isinstance(found, str) and KEY.fullmatch(found) else ""

    def _remove(self, draft: str) -> None:
        if draft:
            shutil.rmtree(self.directory / draft, ignore_errors=True)
