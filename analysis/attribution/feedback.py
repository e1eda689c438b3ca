"""What people say of explanations: right, wrong or unclear, and what should not have mattered. No torch.

Kept in the workspace, a directory for each subject: a file of lines, one verdict or one deletion each, that is only
ever appended to. A line that was torn, because the machine stopped, or that says nothing one could have said, is left
out and counted; nothing else is lost with it.
"""

from __future__ import annotations

import io
import json
import math
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.attribution.regions_marked import check_region, check_shape, mask_of
from analysis.errors import NotFound, ParameterError
from analysis.results import key_of
from analysis.results.lines import Lines

VERDICTS = ("right", "wrong", "unclear")
NOTE = 2000  # characters
TEXT = 500  # of any other text
MOST = 20_000  # verdicts of one subject
MASK_BYTES = 512 << 20  # of all masks that are exported
LINES = "verdicts.jsonl"
_TEXTS = ("method", "target", "unit", "kind")


def subject_key(subject: Mapping[str, Any]) -> str:
    """The name of the directory of a subject: depends on its name and its data, so that verdicts outlive a training.
    Each verdict says which weights it is of."""
    return key_of(name=str(subject.get("name", "")), data=str(subject.get("data", "")))


class Feedback:
    """The verdicts on one subject's explanations. Any number of threads and processes may use it at once.

    Args:
        directory: 'feedback' in the workspace. subject: {'name', 'weights', 'data'}, as the description has them.
    """

    def __init__(self, directory: Path, subject: Mapping[str, Any]) -> None:
        self.subject = {name: _clean(str(subject.get(name, "")))[:TEXT] for name in ("name", "weights", "data")}
        self.home = Path(directory) / subject_key(self.subject)
        self.file = self.home / LINES
        self._log = Lines(self.file, "The verdicts")

    def add(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a verdict.

        Args:
            entry: {'instance', 'method', 'params', 'target', 'unit', 'verdict', 'note', 'region', 'edit', 'kind': of
                the data, 'shape': of the map without padding, 'checkpoint': {'name', 'sha256'} or None}. region: what
                should not matter: image [[x0, y0, x1, y1], ...] half open, text [position, ...], series [[channel or
                None, a, b], ...] half open, table [column, ...]; all counted from 0.

        Returns: the verdict as it is kept, with 'id', 'time' (seconds since 1970) and 'subject'.

        Raises:
            ParameterError: something is missing, too long or outside the instance; or there is no room for it.
        """
        kept = {"id": secrets.token_hex(8), "time": round(time.time(), 3), "subject": self.subject, **checked(entry)}
        with self._log.alone():
            if len(self.all()) >= MOST:
                raise ParameterError(
                    f"There are {MOST:,} verdicts on this subject: that is the most.", "Export them and delete some."
                )
            self._log.append({"verdict": kept})
        return kept

    def all(self) -> list[dict[str, Any]]:
        """Every verdict that is not deleted, in the order in which they were given. Raises ParameterError if the file
        cannot be read, as every method does."""
        return self._read()[0]

    def damaged(self) -> int:
        """How many lines are left out, because they are torn or say nothing one could have said."""
        return len(self.damaged_lines())

    def damaged_lines(self) -> list[int]:
        """Their numbers in ``file``, from 1."""
        return self._read()[1]

    def _read(self) -> tuple[list[dict[str, Any]], list[int]]:
        found: dict[str, dict[str, Any]] = {}
        damaged: list[int] = []
        for number, line in self._log.read():
            if line is None:
                damaged.append(number)
                continue
            gone = line.get("deleted")
            kept = None if isinstance(gone, str) else _kept(line.get("verdict"))
            if kept is not None:
                found[kept["id"]] = kept
            elif isinstance(gone, str):
                found.pop(gone, None)
            else:
                damaged.append(number)
        return list(found.values()), damaged

    def of(self, instance: int, method: str | None = None) -> list[dict[str, Any]]:
        """Verdicts on one instance, of one method or of all."""
        return [one for one in self.all() if one["instance"] == instance and method in (None, one["method"])]

    def delete(self, identity: str) -> None:
        """Take a verdict back: it is marked as deleted and shown no more. Raises NotFound."""
        with self._log.alone():
            if not any(one["id"] == identity for one in self.all()):
                raise NotFound(f"There is no verdict {str(identity)[:40]!r}.", "It may have been deleted meanwhile.")
            self._log.append({"deleted": identity, "time": round(time.time(), 3)})

    def export(self) -> bytes:
        """All verdicts as one JSON object, {'subject', 'verdicts', 'damaged': lines left out}, UTF-8."""
        verdicts, damaged = self._read()
        value = {"subject": self.subject, "verdicts": verdicts, "damaged": len(damaged)}
        return json.dumps(value, ensure_ascii=False, indent=1).encode()

    def masks(self) -> bytes:
        """An npz file with a boolean array for each wrong explanation with a region, in the map's shape (image: (H,
        W)), true where it should not matter. Names: 'instance-3-' and the verdict's id. Raises ParameterError if they
        are too many for one file."""
        arrays: dict[str, NDArray[np.bool_]] = {}
        size = 0
        for one in self.all():
            if one["verdict"] == "wrong" and one["region"] and one["shape"]:
                mask = mask_of(one["kind"], one["shape"], one["region"])
                size += mask.nbytes
                if size > MASK_BYTES:
                    raise ParameterError("The masks are too many for one file.", "Export the verdicts as JSON.")
                arrays[f"instance-{one['instance']}-{one['id']}"] = mask
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
        return packed.getvalue()


def checked(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A verdict as it is kept, without id, time and subject. Raises ParameterError, saying what is accepted."""
    verdict = entry.get("verdict")
    if verdict not in VERDICTS:
        raise ParameterError(f"A verdict cannot be {str(verdict)[:40]!r}.", f"Choose one of: {', '.join(VERDICTS)}.")
    instance = entry.get("instance")
    if isinstance(instance, bool) or not isinstance(instance, int) or instance < 0:
        raise ParameterError(f"{str(instance)[:40]!r} is no number of an instance.", "Give a number from 0.")
    note = _clean(str(entry.get("note") or ""))
    if len(note) > NOTE:
        raise ParameterError(f"The note has {len(note):,} characters.", f"Keep it to {NOTE:,}.")
    texts = {name: _clean(str(entry.get(name) or "")) for name in _TEXTS}
    for name, text in texts.items():
        if len(text) > TEXT:
            raise ParameterError(f"{name} has {len(text):,} characters.", f"Keep it to {TEXT}.")
    if not texts["method"]:
        raise ParameterError("The verdict says of no method.", "Choose the method whose map it is on.")
    shape = check_shape(texts["kind"], entry.get("shape") or [])
    region = check_region(texts["kind"], shape, entry.get("region") or [])
    checkpoint = entry.get("checkpoint")
    weights = None
    if isinstance(checkpoint, Mapping):
        weights = {name: _clean(str(checkpoint.get(name, "")))[:TEXT] for name in ("name", "sha256")}
    return {
        "checkpoint": weights,
        "instance": instance,
        **texts,
        "params": _plain(entry.get("params") or {}, "The parameters"),
        "verdict": verdict,
        "note": note,
        "shape": shape,
        "region": region,
        "edit": _plain(entry.get("edit") or [], "The changes"),
    }


def _kept(verdict: Any) -> dict[str, Any] | None:
    """A verdict as it was kept; None if it is none."""
    if not isinstance(verdict, dict):
        return None
    identity, when, subject = verdict.get("id"), verdict.get("time"), verdict.get("subject")
    if not isinstance(identity, str) or not isinstance(subject, dict):
        return None
    if isinstance(when, bool) or not isinstance(when, int | float) or not 0 <= when < math.inf:
        return None
    try:
        told = {name: _clean(str(subject.get(name, "")))[:TEXT] for name in ("name", "weights", "data")}
        return {"id": _clean(identity), "time": when, "subject": told, **checked(verdict)}
    except (ParameterError, ValueError, TypeError):
        return None


def _clean(text: str) -> str:
    """With every lone surrogate, which no file can hold, as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(value: Any, what: str) -> Any:
    try:
        text = _clean(json.dumps(value, allow_nan=False, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        raise ParameterError(f"{what} cannot be kept: they are not plain values.", "Choose them anew.") from None
    if len(text) > 10_000:
        raise ParameterError(f"{what} are too long to be kept.", "Choose fewer.")
    return json.loads(text)
