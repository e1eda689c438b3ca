"""Answers on disk: one directory each, named by a digest of the question and of all that its answer depends on.

A directory appears in one step and never changes, so any number of threads and processes may read it. The whole is
safe to delete. Arrays are safetensors, never a pickle.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

KEY = re.compile(r"[0-9a-f]{40}")
JSON, ARRAYS = "answer.json", "arrays.safetensors"


def key_of(**parts: Any) -> str:
    """The key of an answer: 40 hexadecimal digits that depend on every part, whatever their order.

    Raises:
        TypeError, ValueError: a part is not JSON, or is NaN.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@dataclass(frozen=True)
class Answer:
    """One answer. path: its directory. json: its plain part."""

    path: Path
    json: dict[str, Any]

    @property
    def key(self) -> str:
        """The key it is kept under."""
        return self.path.name

    def array(self, name: str) -> NDArray[Any]:
        """One of its arrays; the others are not read. Raises KeyError if there is none of that name."""
        with safe_open(self.path / ARRAYS, framework="numpy") as opened:
            if name not in opened.keys():  # noqa: SIM118 (not a dict)
                raise KeyError(name)
            found: NDArray[Any] = opened.get_tensor(name)
            return found

    def names(self) -> list[str]:
        """Names of its arrays."""
        with safe_open(self.path / ARRAYS, framework="numpy") as opened:
            return sorted(opened.keys())


class Answers:
    """The answers below a directory. Cheap to make."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)

    def get(self, key: str) -> Answer | None:
        """The answer of this key; None if it was not computed, is damaged, or is no key."""
        if not KEY.fullmatch(key):
            return None
        path = self.directory / key
        try:
            value = json.loads((path / JSON).read_text(encoding="utf-8"))
            with safe_open(path / ARRAYS, framework="numpy"):  # reads and checks its header
                pass
        except (OSError, ValueError, SafetensorError):
            return None
        return Answer(path, value) if isinstance(value, dict) else None

    def _replace(self, key: str, draft: Path) -> None:
        """Put a draft in the place of a damaged answer. Raises OSError."""
        damaged = self.directory / f".{key}.{secrets.token_hex(4)}"
        (self.directory / key).rename(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
        draft.rename(self.directory / key)

    def put(self, key: str, value: dict[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> Answer:
        """Write an answer in one step; one that is already there stays, unless it is damaged.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        if not KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key")
        self.directory.mkdir(parents=True, exist_ok=True)
        draft = self.directory / f".{key}.{secrets.token_hex(4)}"
        try:
            draft.mkdir()
            # save_file wants C order, and at least an empty dictionary.
            save_file({name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}, draft / ARRAYS)
            (draft / JSON).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
            try:
                draft.rename(self.directory / key)
            except OSError:
                if self.get(key) is None:
                    self._replace(key, draft)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        found = self.get(key)
        if found is None:
            raise OSError(f"The answer {key} cannot be read back.")
        return found
