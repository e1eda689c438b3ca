"""Serving: one web process with threads, and the process that runs the jobs beside it.

Never ``app.run()``: that takes its address and a debugger from environment variables.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import request
from flask_compress import Compress
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from analysis.errors import CutawayError, ParameterError
from analysis.jobs import runner
from dashboard.settings import Settings

if TYPE_CHECKING:
    import dash

THREADS = 8
STOP_SECONDS = 6  # for the jobs to end; then they are killed
REFUSED = 2  # exit code: the command line cannot be followed
# Dash, Flask and gunicorn take settings from variables of these names; a debugger and a second address among them.
IGNORED_VARIABLES = ("DASH_", "FLASK_", "GUNICORN_", "WEB_CONCURRENCY", "HOST", "PORT", "LISTEN_", "SCRIPT_NAME")


def serve(settings: Settings, app_factory: Callable[[Settings], dash.Dash]) -> int:
    """Listen, serve and run jobs until Ctrl-C or SIGTERM.

    Args:
        settings: port 0 takes any free port; the app is made with the port taken.
        app_factory: called in the web process.

    Returns:
        The exit code: 0 stopped, 2 the address or the workspace cannot be used (said on standard error).
    """
    for name in [name for name in os.environ if name.startswith(IGNORED_VARIABLES)]:
        del os.environ[name]
    try:
        settings.jobs_dir.mkdir(parents=True, exist_ok=True)
        listener = listen(settings.host, settings.port)
        port: int = listener.getsockname()[1]
    except CutawayError as error:
        return refuse(error)
    except OSError as error:
        return refuse(ParameterError(f"The workspace cannot be written: {error}.", "Choose another with --workspace."))
    server = _Server(replace(settings, port=port), app_factory, listener)
    try:
        server.run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        server.stop_jobs()
    return 0


def refuse(error: CutawayError) -> int:
    """Say on standard error what is wrong and what to do. Returns the exit code."""
    print(f"{error.message}\n{error.remedy}".strip(), file=sys.stderr, flush=True)
    return REFUSED


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ParameterError: the port is taken or not allowed, or the address is not one of this machine.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        raise _explain(host, port, error) from error
    return listener


def _explain(host: str, port: int, error: OSError) -> ParameterError:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 0
        return ParameterError(f"Port {port} is in use by another program.", f"Choose another with --port {other}.")
    if error.errno == errno.EACCES:
        return ParameterError(f"Port {port} may not be used by this account.", "Choose one above 1023 with --port.")
    return ParameterError(
        f"{host} is not an address of this machine ({error.strerror or error}).", "Choose another with --host."
    )


def address(settings: Settings) -> str:
    """The link to open, with the token if there is one."""
    host = socket.gethostname() if settings.host in ("0.0.0.0", "::", "") else settings.host
    shown = f"[{host}]" if ":" in host else host
    query = f"?token={settings.token}" if settings.token else ""
    return f"http://{shown}:{settings.port}{settings.path_prefix}{query}"


def compress(app: dash.Dash) -> None:
    """Compress what is sent: a third of the bytes of the first page."""
    if not app.config.compress:  # else Dash has done it
        app.server.config.setdefault("COMPRESS_ALGORITHM", ["br", "gzip"])
        app.server.config.setdefault("COMPRESS_ALGORITHM_STREAMING", ["br"])
        Compress(app.server)
    app.server.before_request(_plain_tag)


def _plain_tag() -> None:
    """Compression puts its name into the tag of an answer; Dash, asked with that tag, would not know its own file."""
    tag = request.headers.get("If-None-Match")
    if tag is not None and "/_dash-component-suites/" in request.path:
        request.environ["HTTP_IF_NONE_MATCH"] = re.sub(r':(zstd|br|gzip|deflate)"', '"', tag)


class _Arbiter(Arbiter):
    """Also keeps the job runner alive: called about once a second."""

    def manage_workers(self) -> None:
        super().manage_workers()
        self.app.keep_jobs()
        self.app.end_with_parent()


class _Server(BaseApplication):
    def __init__(
        self, settings: Settings, app_factory: Callable[[Settings], dash.Dash], listener: socket.socket
    ) -> None:
        self._settings = settings
        self._app_factory = app_factory
        self._listener = listener
        self._jobs: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"fd://{self._listener.detach()}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "keepalive": 15,
            "timeout": 120,
            "graceful_timeout": 3,
            "accesslog": None,
            "loglevel": "warning",
            "proc_name": "cutaway",
            # The address holds the whole selection, and the browser names it with each request that the page makes.
            "limit_request_line": 8190,
            "limit_request_field_size": 16_380,
            "control_socket_disable": True,
            # A proxy on this machine may say that the page is reached by https; nothing else is taken from headers.
            "forwarded_allow_ips": "127.0.0.1,::1",
            "forwarder_headers": "",
            "post_worker_init": self._ready,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The WSGI application, made in the web process."""
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
        try:
            app = self._app_factory(self._settings)
        except CutawayError as error:
            refuse(error)
            sys.exit(Arbiter.APP_LOAD_ERROR)
        compress(app)
        return app.server

    def _ready(self, worker: Any) -> None:
        if worker.age == 1:  # not again after a crash
            print(f"Cutaway is at {address(self._settings)} (Ctrl-C stops it)", flush=True)

    def run(self) -> None:
        """Until a signal; ends with SystemExit."""
        _Arbiter(self).run()

    def keep_jobs(self) -> None:
        """Start the job runner if there is none."""
        if self._jobs is None or self._jobs.poll() is not None:
            settings = self._settings
            memory = int(settings.worker_memory * 2**30) if settings.worker_memory else None
            self._jobs = runner.start(settings.jobs_dir, settings.for_jobs(), memory, settings.external_queues)

    def end_with_parent(self) -> None:
        """Stop when the program that started this server is gone."""
        if self._settings.parent is not None and os.getppid() != self._settings.parent:
            os.kill(os.getpid(), signal.SIGTERM)

    def stop_jobs(self) -> None:
        """End the job runner, and with it the jobs. Does nothing in the web process, which shares this object."""
        if self._jobs is None or os.getpid() != self._owner or self._jobs.poll() is not None:
            return
        self._jobs.send_signal(signal.SIGTERM)
        try:
            self._jobs.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._jobs.kill()
