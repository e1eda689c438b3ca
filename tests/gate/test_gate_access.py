"""Who gets in: token, host, origin, paths, visitors."""

import http.cookies

import pytest

from analysis.errors import ParameterError
from dashboard import gate
from dashboard.settings import Settings

TOKEN = "correct-horse-battery"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
UPDATE = "/_dash-update-component"


def address(rule):
    values = {"path": "x", "filename": "style.css", "package_name": "dash", "fingerprinted_path": "x.js"}
    return rule.build({name: values.get(name, "x") for name in rule.arguments})[1]


@pytest.mark.parametrize("prefix", ["/", "/cutaway/"])
def test_without_the_token_every_route_refuses_every_method(make, prefix):
    server = make(token=TOKEN, path_prefix=prefix)
    rules = list(server.app.server.url_map.iter_rules())
    assert len(rules) > 10
    for rule in rules:
        for method in METHODS:
            answer = server.client.open(address(rule), method=method)
            assert answer.status_code == 401, (rule.rule, method)
            assert b"dash" not in answer.data
    for path in ("/healthz", f"{prefix}healthz"):
        answer = server.client.get(path)
        assert (answer.status_code, answer.data, answer.mimetype) == (200, b"ok", "text/plain")
    assert server.client.get(f"{prefix}healthz/more").status_code == 401


def test_the_refusal_says_what_to_do_and_holds_no_script(locked):
    answer = locked.client.get("/")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert b"Open the link" in answer.data
    assert b"<script" not in answer.data
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("prefix", ["/", "/cutaway/"])
def test_the_link_sets_a_cookie_and_loses_the_token(make, prefix):
    server = make(token=TOKEN, path_prefix=prefix, port=8123)
    answer = server.client.get(f"{prefix}page?run=a&token={TOKEN}&layer=b")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{prefix}page?run=a&layer=b"
    [header] = answer.headers.getlist("Set-Cookie")
    cookie = http.cookies.SimpleCookie(header)["cutaway_token_8123"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", prefix)
    assert TOKEN not in header
    assert server.client.get(prefix).status_code == 200
    assert server.client.post(f"{prefix}take", data=b"abc").data == b"abc"
    # Again with the cookie: the token still leaves the address bar.
    assert server.client.get(f"{prefix}?token={TOKEN}").headers["Location"] == prefix


def test_the_link_cannot_lead_to_another_site(locked):
    for path in ("//evil.example/x", "/\\evil.example/x", "///evil.example"):
        overrides = {"PATH_INFO": path, "QUERY_STRING": f"token={TOKEN}"}
        answer = locked.client.get("/", environ_overrides=overrides)
        assert answer.headers["Location"].startswith("/evil.example")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Cookie": f"cutaway_token_8050={TOKEN}"},
        {"Cookie": "cutaway_token_8050="},
        {"Cookie": "cutaway_token_8050=\xff"},
    ],
)
def test_wrong_credentials_are_refused(locked, headers):
    assert locked.client.get("/", headers=headers).status_code == 401


def test_a_program_may_send_the_token_as_a_header(locked):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert locked.client.get("/_dash-layout", headers=headers).status_code == 200
    assert locked.client.post(f"/take?token={TOKEN}", data=b"x").status_code == 401


def test_an_empty_token_is_an_error(tmp_path):
    with pytest.raises(ParameterError):
        Settings(roots=(), workspace=tmp_path, token="")


GOOD_HOSTS = [
    "localhost",
    "localhost:8050",
    "LOCALHOST:1",
    "127.0.0.1:8050",
    "[::1]:8050",
    "cut.example:99",
    "10.0.0.5",
]
EVIL_HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil",
    "",
    "localhost@evil",
    "a,localhost",
    "10.0.0.6",
]


@pytest.mark.parametrize("host", EVIL_HOSTS)
def test_a_foreign_host_is_refused_everywhere(make, host, well_formed):
    server = make(host="10.0.0.5", allowed_hosts=("Cut.example:443",))
    for path in ("/", "/healthz", "/assets/style.css", "/static/x", "/_dash-layout", "/none"):
        assert server.client.get(path, environ_overrides={"HTTP_HOST": host}).status_code == 400, path
    answer = server.client.post(UPDATE, json=well_formed(), environ_overrides={"HTTP_HOST": host})
    assert (answer.status_code, server.calls) == (400, [])


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_its_own_names_are_accepted(make, host):
    server = make(host="10.0.0.5", allowed_hosts=("Cut.example:443",))
    assert server.client.get("/", environ_overrides={"HTTP_HOST": host}).status_code == 200


def test_bound_to_every_address_numbers_are_accepted_and_names_are_not(make):
    client = make(host="0.0.0.0", token=TOKEN).client
    for host, status in (("192.168.1.7:8050", 401), ("[fe80::1]", 401), ("evil.example", 400)):
        assert client.get("/", environ_overrides={"HTTP_HOST": host}).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_a_foreign_page_runs_no_callback(open_gate, headers, well_formed):
    answer = open_gate.client.post(UPDATE, json=well_formed(), headers=headers)
    assert (answer.status_code, open_gate.calls) == (403, [])


def test_its_own_page_runs_callbacks(open_gate, well_formed):
    for headers in ({}, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert open_gate.client.post(UPDATE, json=well_formed(), headers=headers).status_code == 200
    assert open_gate.calls == ["hello"] * 3
    headers = {"Origin": "http://localhost:8050"}
    overrides = {"HTTP_HOST": "localhost:8050"}
    assert (
        open_gate.client.post(UPDATE, json=well_formed(), headers=headers, environ_overrides=overrides).status_code
        == 200
    )


def test_others_may_link_to_the_page_but_embed_nothing(open_gate):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert open_gate.client.get("/", headers=link).status_code == 200
    for path in ("/", "/_dash-layout", "/assets/style.css"):
        assert open_gate.client.get(path, headers=embedded).status_code == 403
        assert open_gate.client.get(path, headers={"Origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("start", ["/assets/", "/", "/static/", "/_dash-component-suites/dash/"])
@pytest.mark.parametrize(
    "rest",
    [
        "../secret.txt",
        "x/../../secret.txt",
        "%2e%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "%252e%252e%252fsecret.txt",
        "%25252e%25252e/secret.txt",
        "..%5csecret.txt",
        "..\\secret.txt",
        "style.css%00.txt",
        "%00",
        "..",
    ],
)
def test_traversal_finds_nothing(open_gate, start, rest):
    # Given raw, as a socket would carry it: the test client would tidy an address.
    from urllib.parse import unquote_to_bytes

    raw = start + rest
    overrides = {"PATH_INFO": unquote_to_bytes(raw).decode("latin-1"), "RAW_URI": raw, "REQUEST_URI": raw}
    answer = open_gate.client.get("/", environ_overrides=overrides)
    assert answer.status_code == 404
    assert b"CANARY" not in answer.data


def test_links_out_of_the_assets_find_nothing(open_gate):
    assert open_gate.client.get("/assets/style.css").status_code == 200
    for path in ("/assets/link.txt", "/assets/up/secret.txt", "/assets/none.css"):
        assert open_gate.client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["_reload-hash", "_mcp", "_alive_x", "_dash-ws", "_dash-layout-x", "_dash_x", "__x"])
def test_routes_that_the_page_does_not_need_are_not_there(open_gate, path):
    for method in ("GET", "POST"):
        assert open_gate.client.open(f"/{path}", method=method).status_code == 404


def test_with_a_prefix_the_root_leads_there(make):
    client = make(path_prefix="/cutaway/", token=TOKEN).client
    for path in ("/", "/cutaway"):
        answer = client.get(f"{path}?token={TOKEN}")
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/cutaway/?token={TOKEN}")
    assert client.get("/", environ_overrides={"HTTP_HOST": "evil"}).status_code == 400


def test_visitors_have_names_that_last_and_differ(open_gate):
    first = open_gate.client
    page = first.get("/")
    cookie = http.cookies.SimpleCookie(page.headers["Set-Cookie"])["cutaway_visitor"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    assert len(cookie.value) == 32
    name = first.get("/named").text
    assert name == first.get("/named").text != cookie.value
    assert "Set-Cookie" not in first.get("/").headers
    second = open_gate.app.server.test_client()
    other = second.get("/named")
    assert other.text not in (name, "")
    assert second.get("/named").text == other.text


def test_a_made_up_visitor_cookie_is_replaced(open_gate):
    for value in ("server", "x" * 32, "../etc", "0" * 31):
        client = open_gate.app.server.test_client()
        client.set_cookie("cutaway_visitor", value)
        assert "cutaway_visitor=" in client.get("/named").headers["Set-Cookie"]


def test_outside_of_a_request_the_server_itself_asks():
    assert gate.visitor() == "server"
