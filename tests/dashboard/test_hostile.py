"""Every callback, called over HTTP with values that no page sends: an answer or a refusal, never an error."""

from __future__ import annotations

import json
from typing import Any

import dash
import pytest

NESTED: list[Any] = []
for _ in range(200):
    NESTED = [NESTED]
JOB = {"id": "", "name": "", "state": "running", "mine": True, "position": None, "error": None}
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    float("nan"),
    float("inf"),
    "\0",
    "9" * 100_000,
    "?runs=..%2f..&view=x&layer=%00&filter=999999999999999",
    NESTED,
    [{}],
    [[1, "a"], None],
    {"a": 1},
    {"step": 10**40},
    {"step": [1]},
    {"runs": [["a", {}, "c"], 5]},
    {"rev": "", "shape": [], "appended": 0, "cursors": {"a\tb": None}, "keys": [None, ["a", "b", True]]},
    {"rev": "", "shape": [[5, 1]], "appended": float("inf"), "cursors": [], "keys": {}},
    [JOB | {"progress": {"total": 1, "done": "x"}}],
    [JOB | {"progress": {"eta_s": float("inf")}}, {"id": 3}],
)
CHANGED = (
    "zzz",
    "{bad.n_clicks",
    '{"a": 1}.n_clicks',
    '{"id": {}, "type": "job-cancel"}.n_clicks',
    ".",
    "{",
    "[" * 999,
)


def sent(dependency: dict[str, Any], value: Any) -> Any:
    """What the page sends for an input or a state."""
    if not dependency["id"].startswith("{"):
        return {**dependency, "value": value}
    identifier = {k: "x" if isinstance(v, list) else v for k, v in json.loads(dependency["id"]).items()}
    return [{"id": identifier, "property": dependency["property"], "value": value}]


def bodies(name: str, callback: dict[str, Any], search: str) -> Any:
    """Well-formed requests, each with one hostile value."""
    several = isinstance(callback["output"], list | tuple)
    outputs = [item.to_dict() for item in (callback["output"] if several else [callback["output"]])]
    parts = [*callback["inputs"], *callback["state"]]
    cut = len(callback["inputs"])
    plain = [{k: v for k, v in part.items() if k in ("id", "property")} for part in parts]

    def body(values: list[Any], changed: list[str]) -> dict[str, Any]:
        made = [sent(part, value) for part, value in zip(plain, values, strict=True)]
        return {
            "output": name,
            "outputs": outputs if several else outputs[0],
            "inputs": made[:cut],
            "state": made[cut:],
            "changedPropIds": changed,
        }

    usual = [search if part["id"] == "url" else None for part in plain]
    first = f"{plain[0]['id']}.{plain[0]['property']}"
    for at in range(len(plain)):
        for value in HOSTILE:
            yield body([*usual[:at], value, *usual[at + 1 :]], [first])
    for changed in CHANGED:
        yield body(usual, [changed])


def test_no_value_makes_a_callback_fail(app: dash.Dash, ids: dict[str, str]) -> None:
    search = f"?runs={ids['Wide']},{ids['Narrow']}&layer=conv1&filter=1"
    client = app.server.test_client()
    client.get("/")
    asked = 0
    for name, callback in app.callback_map.items():
        if "callback" not in callback:
            continue
        for body in bodies(name, callback, search):
            answer = client.post("/_dash-update-component", data=json.dumps(body), content_type="application/json")
            assert answer.status_code < 500, (name, body)
            asked += 1
    assert asked > 500


@pytest.mark.parametrize("query", ["range=1e308~1.7e308&axis=wall", "range=-1e308~1e308&axis=epoch", "base=12345"])
def test_extreme_links_are_answered(app: dash.Dash, ids: dict[str, str], query: str) -> None:
    client = app.server.test_client()
    search = f"?runs={ids['Wide']}&step=99999999999999&{query}"
    for name, callback in app.callback_map.items():
        if "callback" not in callback or not any(part["id"] == "url" for part in callback["state"]):
            continue
        body = next(iter(bodies(name, callback, search)))
        assert client.post("/_dash-update-component", json=body).status_code < 400, name
