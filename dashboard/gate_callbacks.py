"""What a callback request must look like, checked before Dash sees it: Dash answers a wrong one with a traceback."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from werkzeug.exceptions import BadRequest

MAX_ITEMS = 20_000  # in any one list of ids
WILDCARDS = {("ALL",): "ALL", ("MATCH",): "MATCH", ("ALLSMALLER",): "ALLSMALLER"}


def check(callbacks: Mapping[str, Mapping[str, Any]], body: object) -> None:
    """Refuse a request that names no server-side callback, or whose parts do not match what that callback declares.

    Args:
        callbacks: ``app.callback_map``.
        body: the parsed JSON.

    Raises:
        BadRequest: with a short reason that repeats nothing of the request.
    """
    if not isinstance(body, dict):
        _refuse("The body is not an object.")
    output = body.get("output")
    callback = callbacks.get(output) if isinstance(output, str) else None
    if callback is None or "callback" not in callback:
        _refuse("There is no such callback.")
    _check_list(body.get("inputs", []), callback["inputs"], "inputs")
    _check_list(body.get("state") or [], callback["state"], "state")
    _check_outputs(body.get("outputs"), callback)
    changed = body.get("changedPropIds", [])
    if not _is_short_list(changed) or not all(isinstance(item, str) for item in changed):
        _refuse("changedPropIds is not a list of names.")
    if not all(_is_input(item, callback["inputs"]) for item in changed if item.startswith("{")):
        _refuse("changedPropIds do not match the callback.")


def _is_input(name: str, declared: Sequence[Mapping[str, Any]]) -> bool:
    """Whether '{"id": ..., "type": ...}.property' is an input: Dash parses it, and callbacks look into it."""
    text, _, prop = name.rpartition(".")
    try:
        sent = {"id": json.loads(text), "property": prop}
    except (ValueError, RecursionError):
        return False
    return isinstance(sent["id"], dict) and any(
        _matches(sent, _parse(dependency["id"]), dependency) for dependency in declared
    )


def _refuse(reason: str) -> NoReturn:
    raise BadRequest(f"Malformed callback request. {reason}")


def _is_short_list(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MAX_ITEMS


def _check_outputs(outputs: object, callback: Mapping[str, Any]) -> None:
    declared = callback["output"]
    if callback.get("no_output"):
        return  # Dash ignores what was sent
    if isinstance(declared, (list, tuple)):
        _check_list(outputs, [item.to_dict() for item in declared], "outputs")
    else:
        _check_list([outputs], [declared.to_dict()], "outputs")


def _check_list(sent: object, declared: Sequence[Mapping[str, Any]], what: str) -> None:
    if not isinstance(sent, list) or len(sent) != len(declared):
        _refuse(f"{what} do not match the callback.")
    for item, dependency in zip(sent, declared, strict=True):
        wanted = _parse(dependency["id"])
        many = isinstance(wanted, dict) and any(_wildcard(value) in ("ALL", "ALLSMALLER") for value in wanted.values())
        if many and not _is_short_list(item):
            _refuse(f"{what} do not match the callback.")
        for one in item if many else [item]:
            if not _matches(one, wanted, dependency):
                _refuse(f"{what} do not match the callback.")


def _parse(identifier: str) -> str | dict[str, Any]:
    """Dash writes pattern-matching ids as JSON; other ids cannot begin with a brace."""
    if not identifier.startswith("{"):
        return identifier
    parsed: dict[str, Any] = json.loads(identifier)
    return parsed


def _wildcard(value: object) -> str | None:
    return WILDCARDS.get(tuple(value)) if isinstance(value, list) and len(value) == 1 else None


def _matches(item: object, wanted: str | dict[str, Any], dependency: Mapping[str, Any]) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("property"), str):
        return False
    # An output that several callbacks write has a digest after its property.
    if item["property"].partition("@")[0] != dependency["property"].partition("@")[0]:
        return False
    identifier = item.get("id")
    if dependency.get("allow_optional") and item.get("value") is None and isinstance(identifier, (str, dict)):
        return True  # a component that is not on the page: the renderer sends the declared id, with its wildcards
    if isinstance(wanted, str) or not isinstance(identifier, dict):
        return identifier == wanted
    return identifier.keys() == wanted.keys() and all(
        isinstance(identifier[key], (str, int, float)) if _wildcard(value) else identifier[key] == value
        for key, value in wanted.items()
    )
