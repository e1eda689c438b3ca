"""``Subject.serve()``: the dashboard on objects of the calling program, which answers the questions itself.

The web server is a child process, as always; the runner of its jobs assigns those of the model to this process, which
works them off in the calling thread (``block=True``) or in one of its own. Nothing is pickled, nothing is copied.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from analysis.data.errors import SubjectError
from analysis.jobs import directory_for, processes
from analysis.jobs.host import Host
from analysis.jobs.kinds import MODEL
from analysis.subject import live

PORT = 8050
START_SECONDS = 60.0
STOP_SECONDS = 8.0
_numbers = itertools.count(1)


class Served:
    """A dashboard that is running. url: where. ``stop()`` ends it; also the end of the program does."""

    def __init__(self, subject: Any, host: Host, server: subprocess.Popen[str], name: str) -> None:
        self.url = ""
        self._host, self._server, self._name = host, server, name
        self._thread: threading.Thread | None = None
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        live.provide(name, subject)
        atexit.register(self.stop)

    def __repr__(self) -> str:
        return f"<Cutaway at {self.url}>" if self.running else "<Cutaway, stopped>"

    @property
    def running(self) -> bool:
        """Whether the page can be opened."""
        return self._server.poll() is None

    def stop(self) -> None:
        """End the server, its processes and the work under way. The model is put back as it was given."""
        atexit.unregister(self.stop)
        self._host.stopping = True
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGTERM)
            try:
                self._server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                processes.signal_group(self._server.pid, signal.SIGKILL)
                self._server.wait()
        self._reader.join(1.0)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_SECONDS)
        if self._thread is None or not self._thread.is_alive():
            live.withdraw(self._name)
        shutil.rmtree(self._host.jobs, ignore_errors=True)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def wait_for_url(self) -> None:
        """Until the server says where it is. Raises SubjectError when it ends instead."""
        deadline = time.monotonic() + START_SECONDS
        while not self.url and self._server.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if not self.url:
            self._reader.join(1.0)
            said = " ".join(line.strip() for line in self._said[-5:])
            raise SubjectError(
                f"The dashboard did not start. {said}".strip(), "Give serve() another port or workspace."
            )

    def work(self) -> None:
        """Answer questions in the calling thread until ``stop()``, Ctrl-C, or the end of the server.

        A program that ignores SIGINT, as one does that a shell's script started in the background, goes on.
        """
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        self._host.serve()

    def work_aside(self) -> None:
        """Answer questions in a thread of its own."""
        self._thread = threading.Thread(target=self.work, name="cutaway", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        self._server.wait()
        self._host.stopping = True

    def _read(self) -> None:
        """Pass on what the server says; its first address is the page's."""
        assert self._server.stdout is not None
        for line in self._server.stdout:
            found = re.search(r"http://\S+", line)
            if found and not self.url:
                self.url = found[0]
                line = f"Cutaway is at {self.url}\n"
            self._said.append(line)
            del self._said[:-50]
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.write(line)
                sys.stdout.flush()


def serve(
    subject: Any,
    *,
    block: bool = True,
    port: int | None = None,
    runs: Iterable[str | Path] | str | Path = (),
    workspace: str | Path | None = None,
    host: str = "127.0.0.1",
    token: str | None = None,
    device: str = "auto",
    trusted: Iterable[str | Path] = (),
) -> Served | None:
    """Open the dashboard on a subject.

    Args:
        subject: a ``Subject``. block: work until Ctrl-C; else work in a thread and return a handle with ``url`` and
            ``stop()``. port: 8050, or any free one if that is taken and none was given. runs: directories of recorded
            runs to show beside it. workspace: for caches (default: $CUTAWAY_HOME, or ~/.cutaway). host, token: as on
            the command line. device: 'auto', 'cpu', 'cuda' or 'mps'. trusted: checkpoints that may be unpickled.

    Raises:
        SubjectError: the server does not start; the message says why.
    """
    home = Path(workspace or os.environ.get("CUTAWAY_HOME") or "~/.cutaway").expanduser().resolve()
    _forget_the_dead(home)
    name = f"live-{os.getpid()}-{next(_numbers)}"
    roots = [runs] if isinstance(runs, (str, Path)) else list(runs)
    pickles = [str(Path(path).expanduser().resolve()) for path in trusted]
    command = processes.python("dashboard", "serve", *(str(root) for root in roots), "--workspace", str(home))
    command += ["--live", name, "--device", device, "--host", host, "--parent", str(os.getpid())]
    command += ["--port", str(_free(host) if port is None else port)]
    for path in pickles:
        command += ["--trust-pickle", path]
    # The token goes where other accounts of this machine cannot read it.
    environment = processes.environment(**({"CUTAWAY_TOKEN": token} if token else {}))
    jobs = directory_for(home, name)
    jobs.mkdir(parents=True, exist_ok=True)
    settings = {"subject": [name], "device": [device], "cache": [str(home / "cache")], "trusted": pickles}
    works = Host(jobs, MODEL, settings=settings, owned=False)
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=environment,
    )
    served = Served(subject, works, server, name)
    try:
        with _interruptible(works) if block else contextlib.nullcontext():
            served.wait_for_url()
            if block:
                served.work()
            else:
                served.work_aside()
                return served
    except BaseException as error:
        served.stop()
        if not (block and isinstance(error, KeyboardInterrupt)):
            raise
    else:
        served.stop()
    return None


@contextlib.contextmanager
def _interruptible(works: Host) -> Iterator[None]:
    """Within, Ctrl-C stops the host also where its KeyboardInterrupt is lost: in an ``except:`` of the program, in
    ``__del__``, in a weak reference's callback. A handler of the program's own stays."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not heard or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        works.stopping = True
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _free(host: str) -> int:
    """The usual port, or 0 for any if another program has it."""
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, PORT))
        return PORT
    return 0


def _forget_the_dead(workspace: Path) -> None:
    """Remove the jobs of programs that were killed."""
    for path in workspace.glob("jobs-live-*-*"):
        pid = path.name.split("-")[2]
        if pid.isdigit() and processes.start_time(int(pid)) is None:
            shutil.rmtree(path, ignore_errors=True)
