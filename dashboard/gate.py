"""The gate: every request passes here first, and is refused unless something allows it.

``install`` puts one function before all others of the Flask server, so it also covers Dash's own routes, the assets and
whatever is added later. What a callback request must look like is in ``dashboard.gate_callbacks``.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import dash
from flask import Flask, Response, g, has_request_context, request
from werkzeug.exceptions import BadRequest, Forbidden, NotFound, RequestEntityTooLarge

from dashboard import gate_answers, gate_callbacks
from dashboard.settings import Settings

MAX_BODY = 1_000_000  # bytes
VISITOR_COOKIE = "cutaway_visitor"
VISITOR_SECONDS = 180 * 24 * 3600
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
WILDCARD = frozenset({"0.0.0.0", "::", ""})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d{1,5}))?", re.ASCII)
# Routes of Dash that the page needs. Others that begin with '_' (hot reload, MCP, notebooks) are not there.
UNDERSCORED = ("_dash-layout", "_dash-dependencies", "_dash-update-component", "_dash-component-suites", "_favicon.ico")
# After one decoding: parent directories, separators of another system, NUL, and what a second decoding would turn into
# any of these.
TRAVERSAL = re.compile(r"(^|/)\.\.(/|$)|[\\\x00]|%(2e|2f|5c|00|25)", re.IGNORECASE)


@dataclass
class Gate:
    """The rules of one server."""

    app: dash.Dash
    settings: Settings
    hosts: frozenset[str] = frozenset()
    cookie: str = ""  # name; carries the port, as browsers share cookies between the ports of a host
    key: str = ""  # value: shows that the token was known without containing it
    assets: tuple[str, Path] | None = None
    prefix: str = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self.prefix = settings.path_prefix
        named = {_bare(host) for host in (settings.host, *settings.allowed_hosts) if host not in WILDCARD}
        if settings.host in WILDCARD:
            named.add(socket.gethostname().lower())
        self.hosts = LOOPBACK | named
        self.cookie = f"cutaway_token_{settings.port}"
        self.key = hmac.new((settings.token or "").encode(), b"cutaway cookie 1", hashlib.sha256).hexdigest()
        config = self.app.config
        url = f"{config.routes_pathname_prefix}{config.assets_url_path.strip('/')}/"
        self.assets = (url, Path(config.assets_folder).resolve())

    def check(self) -> Response | None:
        """Decide on the current request: None to let it pass, else the answer. Refusals are raised."""
        host = self._check_host()
        path = request.path
        if path in ("/healthz", f"{self.prefix}healthz"):
            return Response("ok", mimetype="text/plain")
        self._check_origin(host)
        if (request.content_length or 0) > MAX_BODY:
            raise RequestEntityTooLarge
        if self.prefix != "/" and path in ("/", self.prefix[:-1]):
            return _redirect(self.prefix, request.args)
        refusal = self._check_token()
        if refusal is not None:
            return refusal
        self._check_path(path)
        if path == f"{self.app.config.routes_pathname_prefix}_dash-update-component" and request.method == "POST":
            gate_callbacks.check(self.app.callback_map, _body())
        return None

    def _check_host(self) -> str:
        host = request.environ.get("HTTP_HOST", "").lower()
        match = HOST.fullmatch(host)
        if match is None or not (match[1] in self.hosts or self._is_address(match[1])):
            raise BadRequest("This server does not answer to that host name. Start it with --allow-host NAME.")
        return host

    def _is_address(self, name: str) -> bool:
        # Bound to every address: a number cannot be the name of a rebinding attack, and people type numbers.
        if self.settings.host not in WILDCARD:
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _check_origin(self, host: str) -> None:
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != _origin(request.scheme, host):
            raise Forbidden("The request comes from another site.")
        site = request.headers.get("Sec-Fetch-Site", "none")
        if request.method not in SAFE and site not in ("same-origin", "none"):
            raise Forbidden("The request comes from another site.")
        # A link from elsewhere may open the page; a page elsewhere may not embed parts of this one.
        if site in ("cross-site", "same-site") and request.headers.get("Sec-Fetch-Mode") != "navigate":
            raise Forbidden("The request comes from another site.")

    def _check_token(self) -> Response | None:
        token = self.settings.token
        if token is None:
            return None
        link = request.args.get("token")
        if link is not None and request.method in ("GET", "HEAD") and _same(link, token):
            # Also for those who have the cookie: the token must not stay in the address bar.
            answer = _redirect(request.path, request.args, without="token")
            answer.set_cookie(
                self.cookie, self.key, httponly=True, samesite="Strict", path=self.prefix, secure=request.is_secure
            )
            return answer
        if _same(request.cookies.get(self.cookie, ""), self.key):
            return None
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(bearer.strip(), token):
            return None
        return gate_answers.unauthorised()

    def _check_path(self, path: str) -> None:
        if TRAVERSAL.search(path):
            raise NotFound
        routes = self.app.config.routes_pathname_prefix
        first = path.removeprefix(routes).partition("/")[0]
        if first.startswith("_") and first not in UNDERSCORED:
            raise NotFound
        assert self.assets is not None
        url, folder = self.assets
        # Flask follows symbolic links; what they point to may lie outside.
        if path.startswith(url) and not (folder / path.removeprefix(url)).resolve().is_relative_to(folder):
            raise NotFound

    def finish(self, response: Response) -> Response:
        """Give a new visitor a name, with the page or with whatever asked for it."""
        if "cutaway_visitor" in g and g.cutaway_visitor_new:
            self._name(response, g.cutaway_visitor)
        elif response.status_code == 200 and response.mimetype == "text/html" and _visitor_cookie() is None:
            self._name(response, secrets.token_hex(16))
        return response

    def _name(self, response: Response, value: str) -> None:
        response.set_cookie(
            VISITOR_COOKIE,
            value,
            max_age=VISITOR_SECONDS,
            httponly=True,
            samesite="Strict",
            path=self.prefix,
            secure=request.is_secure,
        )


def install(app: dash.Dash, settings: Settings) -> None:
    """Put the gate before every route of a Dash app, and safe answers after. Call it once, when the app is made."""
    server: Flask = app.server
    gate = Gate(app, settings)
    server.debug = False  # also when FLASK_DEBUG is set
    server.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    # First of all: Dash has registered functions of its own already.
    server.before_request_funcs.setdefault(None, []).insert(0, gate.check)
    # First here is last to run: it sees the headers that others have set.
    after: list[Any] = [gate_answers.Headers(app), gate.finish]
    server.after_request_funcs.setdefault(None, [])[:0] = after
    gate_answers.register(server)


def visitor() -> str:
    """Who is asking: a name for the browser of the current request, 'server' outside of any request.

    It is a digest of the visitor's cookie, so it may be stored and shown: the cookie does not follow from it.
    """
    if not has_request_context():
        return "server"
    if "cutaway_visitor" not in g:
        known = _visitor_cookie()
        g.cutaway_visitor_new = known is None
        g.cutaway_visitor = known or secrets.token_hex(16)
    return hashlib.sha256(g.cutaway_visitor.encode()).hexdigest()[:32]


def _body() -> object:
    try:
        return request.get_json()  # kept by Flask: Dash gets the same
    except RecursionError as error:
        raise BadRequest("Malformed callback request. The body is nested too deeply.") from error


def _visitor_cookie() -> str | None:
    value = request.cookies.get(VISITOR_COOKIE, "")
    return value if re.fullmatch(r"[0-9a-f]{32}", value) else None


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _bare(host: str) -> str:
    """A host name as in the Host header, without its port."""
    host = host.lower()
    if host.count(":") > 1 and not host.startswith("["):
        return f"[{host}]"
    match = HOST.fullmatch(host)
    return match[1] if match else host


def _origin(scheme: str, host: str) -> str:
    """What a browser sends as Origin for a page of this host: without the scheme's own port."""
    return f"{scheme}://{host.removesuffix(':443' if scheme == 'https' else ':80')}"


def _redirect(path: str, arguments: Any, without: str | None = None) -> Response:
    kept = [(name, value) for name, value in arguments.items(multi=True) if name != without]
    # One leading slash: '//evil' would lead to another host.
    target = "/" + path.lstrip("/\\")
    answer = Response(status=302)
    answer.headers["Location"] = f"{target}?{urlencode(kept)}" if kept else target
    return answer
