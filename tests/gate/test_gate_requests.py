"""What is sent: malformed requests, errors, headers."""

import json
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

UPDATE = "/_dash-update-component"


def refused(server, answer, *statuses):
    assert answer.status_code in (statuses or (400,)), answer.data
    assert answer.mimetype == "application/json"
    assert answer.json["message"]
    assert len(answer.data) < 300
    assert b"Traceback" not in answer.data
    assert server.calls == []


def test_a_well_formed_request_is_answered(open_gate, well_formed):
    answer = open_gate.client.post(UPDATE, json=well_formed("hello"))
    assert answer.json["response"] == {"out": {"children": "hello"}}


def test_pattern_matching_requests_are_answered(open_gate):
    clicks = {"property": "n_clicks", "value": 3}
    button = {"id": {"kind": "button", "row": 1}, **clicks}
    every = {
        "output": "two.children",
        "outputs": {"id": "two", "property": "children"},
        "inputs": [[button, {"id": {"kind": "button", "row": 2}, **clicks}]],
        "changedPropIds": ['{"kind":"button","row":1}.n_clicks'],
    }
    assert open_gate.client.post(UPDATE, json=every).json["response"]["two"]["children"] == [3, 3]
    label = {"id": {"kind": "label", "row": 1}, "property": "children"}
    name = '{"kind":"label","row":["MATCH"]}.children'
    one = {"output": name, "outputs": label, "inputs": [button], "changedPropIds": []}
    assert open_gate.client.post(UPDATE, json=one).json["response"]['{"kind":"label","row":1}'] == {"children": 3}
    for wrong in ({"kind": "other", "row": 1}, {"kind": "button"}, {"kind": "button", "row": [1]}, "button", None):
        one["inputs"] = [{"id": wrong, **clicks}]
        refused(open_gate, open_gate.client.post(UPDATE, json=one))
    every["inputs"] = [button]
    refused(open_gate, open_gate.client.post(UPDATE, json=every))
    every["inputs"] = [[button] * 30_000]
    assert open_gate.client.post(UPDATE, json=every).status_code in (400, 413)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"nul", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 100_000, b"null", b"[]", b"3", b'"x"', b"9" * 9999],
)
def test_bad_json_is_refused(open_gate, data):
    refused(open_gate, open_gate.client.post(UPDATE, data=data, content_type="application/json"))


def test_another_content_type_is_refused(open_gate, well_formed):
    answer = open_gate.client.post(UPDATE, data=json.dumps(well_formed()), content_type="text/plain")
    refused(open_gate, answer, 415)


@pytest.mark.parametrize("key", ["output", "outputs", "inputs", "state"])
def test_a_missing_key_is_refused(open_gate, well_formed, key):
    sent = well_formed()
    del sent[key]
    refused(open_gate, open_gate.client.post(UPDATE, json=sent))


@pytest.mark.parametrize("key", ["output", "outputs", "inputs", "state", "changedPropIds"])
@pytest.mark.parametrize(
    "value",
    [
        3,
        "unknown.children",
        "two.title",
        {},
        {"id": "in"},
        [3],
        [[]],
        [{}],
        [{"id": "other", "property": "value"}],
        [{"id": "in", "property": "style"}],
        [{"id": {"a": 1}, "property": "value"}],
        [{"id": "in", "property": "value"}] * 2,
        [None] * 50_000,
        {"__proto__": 1},
    ],
)
def test_wrong_types_and_unknown_names_are_refused(open_gate, well_formed, key, value):
    refused(open_gate, open_gate.client.post(UPDATE, json={**well_formed(), key: value}))


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.sampled_from(["in", "out.children", "value"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "property", "value", "output", "inputs", "state"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["output", "outputs", "inputs", "state", "changedPropIds"]), anything))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_sent_never_meets_an_unexpected_error(open_gate, well_formed, changes):
    answer = open_gate.client.post(UPDATE, json={**well_formed(), **changes})
    assert answer.status_code in (200, 400)
    assert b"Traceback" not in answer.data


@pytest.mark.parametrize("path", [UPDATE, "/take", "/", "/none"])
def test_a_body_of_50_mb_is_refused(open_gate, path):
    answer = open_gate.client.post(path, data=b"x" * 50_000_000, content_type="application/json")
    refused(open_gate, answer, 413)


def test_an_unexpected_error_shows_a_number_and_the_log_the_rest(open_gate, well_formed, caplog):
    for answer in (open_gate.client.get("/boom"), open_gate.client.post(UPDATE, json=well_formed("crash"))):
        assert answer.status_code == 500
        assert b"secret detail" not in answer.data
        assert b"Traceback" not in answer.data
        number = answer.json["message"].partition("(")[2].partition(")")[0]
        [record] = [record for record in caplog.records if number in record.getMessage()]
        assert record.levelno == logging.ERROR
        assert "secret detail" in str(record.exc_info[1])


def test_errors_made_on_purpose_keep_message_and_remedy(open_gate, well_formed):
    answer = open_gate.client.get("/missing")
    assert (answer.status_code, answer.json) == (404, {"message": "No such run.", "remedy": "Look at the list."})
    answer = open_gate.client.get("/wrong")
    assert (answer.status_code, answer.json) == (400, {"message": "9 is too large.", "remedy": "Take less."})
    answer = open_gate.client.post(UPDATE, json=well_formed("refuse"))
    assert (answer.status_code, answer.json["remedy"]) == (400, "Take less.")


def test_people_get_plain_text_and_nothing_of_the_request(open_gate):
    for path in ("/_dash-component-suites/<b>x/y.js", "/_dash-component-suites/dash/<b>.js", "/assets/<b>.css"):
        answer = open_gate.client.get(path, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.mimetype) == (404, "text/plain")
        assert b"<b>" not in answer.data


def test_a_wrong_method_is_named(open_gate):
    answer = open_gate.client.post("/_dash-layout")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/", "/healthz", "/assets/style.css", "/none.js", "/_dash-layout", "/boom", "/_mcp"])
def test_every_answer_has_the_security_headers(locked, path):
    for headers in ({}, {"Authorization": "Bearer correct-horse-battery"}):
        answer = locked.client.get(path, headers=headers)
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self' 'sha256-" in policy
        assert "unsafe-eval" not in policy
        assert "script-src 'self' 'unsafe-inline'" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_data_is_not_kept_and_versioned_files_are(open_gate):
    def caching(path):
        return open_gate.client.get(path).headers["Cache-Control"]

    page = open_gate.client.get("/").text
    assert caching("/") == caching("/_dash-layout") == caching("/named") == "no-store"
    assert "immutable" in caching("/assets/style.css?m=12.5")
    assert "immutable" not in caching("/assets/style.css")
    assert caching("/assets/none.css?m=1") == "no-store"
    assert caching("/tag") == "private, max-age=60"
    [bundle] = [part for part in page.split('"') if "dash_renderer" in part and part.startswith("/")][:1]
    assert "max-age=31536000" in caching(bundle)


def test_the_debugger_is_off(make, monkeypatch):
    monkeypatch.setenv("FLASK_DEBUG", "1")
    monkeypatch.setenv("DASH_DEBUG", "1")
    server = make()
    assert server.app.server.debug is False
    assert server.client.get("/console").status_code == 200  # the page, as for any name
    assert b"Traceback" not in server.client.get("/boom").data
    assert server.client.get("/?__debugger__=yes&cmd=resource&f=debugger.js").mimetype == "text/html"
