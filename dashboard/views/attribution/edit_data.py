"""What the what-if panel shows: the changes in the address, and the answers before and after them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.errors import ParameterError
from analysis.results import Answer
from dashboard import asking, subjects
from dashboard.views.attribution import data

MOST = 20  # changes at a time
REMEDY = "Undo the last change, or reset."


@dataclass(frozen=True)
class WhatIf:
    """The instance before and after.

    method: the one looked at closely. before: its answer for the instance as it is. after: for the changed one; None
    while there is no change, or while it is computed. obstacle: why it is not there, if it is asked for. changes: those
    of the address, in order. problem: why they cannot be read, '' if they can.
    """

    method: str
    before: Answer
    after: Answer | None
    obstacle: Exception | None
    changes: list[dict[str, Any]]
    problem: str = ""


def read(text: str) -> list[dict[str, Any]]:
    """The changes that an address holds. Raises ParameterError if it holds none that can be read."""
    if not text:
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ParameterError("The changes in this link cannot be read.", REMEDY) from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ParameterError("The changes in this link are no list of changes.", REMEDY)
    if len(found) > MOST:
        raise ParameterError(f"The link holds {len(found):,} changes.", f"At most {MOST} are made at a time.")
    try:
        json.dumps(found, allow_nan=False)  # NaN would have no key
    except (ValueError, RecursionError):
        raise ParameterError("A change in this link has a value that is not finite.", REMEDY) from None
    return found


def closely(shown: data.Frame) -> str:
    """The method looked at closely: the chosen one if it fits, else the first shown that fits. Raises NotReady."""
    fitting = [
        name for name in shown.chosen if not shown.method(name)["reason"] and shown.method(name)["form"] == "input"
    ]
    wanted = shown.selection.method
    known = {item["name"] for item in shown.methods if not item["reason"] and item["form"] == "input"}
    if wanted in known:
        return str(wanted)
    if not fitting:
        raise asking.NotReady("What if", "None of the methods shown explains the input of this model.", "Choose one.")
    return fitting[0]


def load(shown: data.Frame) -> WhatIf:
    """Before and after. Raises Pending for what is before, and errors."""
    name = closely(shown)
    before = data.attribution(shown, name)
    try:
        changes = read(shown.selection.edit)
    except ParameterError as error:
        return WhatIf(name, before, None, None, [], f"{error.message} {error.remedy}")
    if not changes:
        return WhatIf(name, before, None, None, [])
    try:
        after = data.attribution(shown, name, wait=subjects.WAIT_SECONDS / 2, edit=changes)
    except asking.Pending as error:
        return WhatIf(name, before, None, error, changes)
    return WhatIf(name, before, after, None, changes)


def words(one: dict[str, Any], shown: data.Frame, tokens: Sequence[str] = ()) -> str:
    """A change in words; what is odd about it is said by the answer. tokens: of the text that it changes."""
    op, box = one.get("op"), one.get("box")
    where = f"x {box[0]}–{box[2]}, y {box[1]}–{box[3]}" if isinstance(box, list) and len(box) == 4 else "?"
    if op == "paint":
        return f"painted over ({one.get('fill', '?')}): {where}"
    if op == "blur":
        return f"blurred by {one.get('sigma', '?')} pixels: {where}"
    if op == "replace":
        return f"{token_name(one.get('at'), tokens)} → “{one.get('token')}”"
    if op == "delete":
        return f"{token_name(one.get('at'), tokens)} deleted"
    if op == "insert":
        return f"“{one.get('token')}” inserted before {token_name(one.get('at'), tokens)}"
    if op == "mute":
        where = span_text(shown, one.get("span"))
        return f"{channel_name(shown, one.get('channel'))} muted ({one.get('fill', '?')}): {where}"
    if op == "set":
        return f"{column_name(shown, one.get('column'))} = {one.get('value')}"
    return f"{op!r}"


def token_name(at: object, tokens: Sequence[str]) -> str:
    """'“slow” (6th token)'; 'token 6' where the text is not known. at: from 0; a reader counts from 1."""
    if not isinstance(at, int) or isinstance(at, bool):
        return f"token {at}"
    if not 0 <= at < len(tokens):
        return f"token {at + 1:,}"
    place = at + 1
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"“{tokens[at]}” ({place:,}{ending} token)"


def said(changes: Sequence[dict[str, Any]], shown: data.Frame, tokens: Sequence[str]) -> list[str]:
    """Every change in words, those of a text on the text that the earlier ones leave. tokens: of the text as it is."""
    left, lines = list(tokens), []
    for one in changes:
        lines.append(words(one, shown, left))
        left = left_by([one], left)
    return lines


def left_by(changes: Sequence[dict[str, Any]], tokens: Sequence[str]) -> list[str]:
    """Tokens after changes; one that says no place of the text changes nothing."""
    left = list(tokens)
    for one in changes:
        op, at = one.get("op"), one.get("at")
        if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at <= len(left) - (op != "insert"):
            continue
        if op == "delete":
            del left[at]
        elif op in ("replace", "insert"):
            left[at : at + (op == "replace")] = [str(one.get("token"))]
    return left


def spans(changes: Sequence[dict[str, Any]], count: int, rate: float) -> list[tuple[int | None, float, float]]:
    """Where channels are muted: channel (None for all), from and to in the unit of the page. count: of channels. What
    cannot be read is left out: the answer says so."""
    found: list[tuple[int | None, float, float]] = []
    for one in changes:
        channel, span = one.get("channel"), one.get("span")
        plain = isinstance(span, list) and len(span) == 2 and all(type(end) in (int, float) for end in span)
        known = channel is None or (type(channel) is int and 0 <= channel < count)
        if one.get("op") == "mute" and plain and known and span is not None and span[0] < span[1]:
            found.append((channel, span[0] / rate, span[1] / rate))
    return found


def channel_name(shown: data.Frame, channel: object) -> str:
    """Of a series; 'all channels' for None."""
    if channel is None:
        return "all channels"
    return _named(shown, channel, "channel")


def column_name(shown: data.Frame, column: object) -> str:
    """Of a table."""
    return _named(shown, column, "column")


def _named(shown: data.Frame, number: object, word: str) -> str:
    names = shown.description.get("feature_names") or []
    if isinstance(number, int) and 0 <= number < len(names):
        return str(names[number])
    return f"{word} {number}"


def rate(shown: data.Frame) -> float:
    """Steps in a unit of the page: the sampling rate where it is known, else 1."""
    return float(shown.description.get("sampling_rate") or 1.0)


def span_text(shown: data.Frame, span: object) -> str:
    """'0.5–1.25 s' or 'steps 12–30'."""
    if not isinstance(span, list) or len(span) != 2 or not all(isinstance(end, int | float) for end in span):
        return "?"
    if not shown.description.get("sampling_rate"):
        return f"steps {span[0]}–{span[1]}"
    return f"{span[0] / rate(shown):.3g}–{span[1] / rate(shown):.3g} s"
