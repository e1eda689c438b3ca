"""The server as a process: how it starts, what it prints, how it ends."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from analysis.jobs import Jobs, processes

HERE = Path(__file__).parent
pytestmark = pytest.mark.timeout(60)


class Started:
    def __init__(self, process, line):
        self.process, self.line = process, line
        self.url = re.search(r"http://\S+", line)[0] if line else ""

    def get(self, path="", **headers):
        base = self.url.partition("?")[0]
        with urllib.request.urlopen(urllib.request.Request(base + path, headers=headers), timeout=10) as answer:
            return answer.status, answer.read(), answer.headers


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(environment=None, wait=True, **values):
        settings = {"workspace": str(tmp_path / "w"), "port": 0, **values}
        process = subprocess.Popen(
            [sys.executable, str(HERE / "server_app.py"), json.dumps(settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=processes.environment(**(environment or {})),
            start_new_session=True,
        )
        started.append(process)
        return Started(process, process.stdout.readline() if wait else "")

    yield begin
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def runners(directory):
    """Processes of the job runner of a directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().split(b"\0")
            if b"analysis.jobs.runner" in line and str(directory).encode() in line:
                found.append(int(entry.name))
    return [pid for pid in found if processes.start_time(pid) is not None]


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def test_it_says_where_it_is_when_it_answers_and_stops_on_ctrl_c(start, tmp_path):
    server = start()
    assert re.fullmatch(r"Cutaway is at http://127\.0\.0\.1:\d+/ \(Ctrl-C stops it\)\n", server.line)
    assert server.get("healthz")[:2] == (200, b"ok")
    until(lambda: len(runners(tmp_path / "w" / "jobs")) == 1)
    server.process.send_signal(signal.SIGINT)
    out, err = server.process.communicate(timeout=10)
    assert server.process.returncode == 0
    assert (out, err) == ("", "")
    until(lambda: not runners(tmp_path / "w" / "jobs"))


def test_sigterm_stops_it(start):
    server = start()
    server.process.terminate()
    assert server.process.communicate(timeout=10) == ("", "")
    assert server.process.returncode == 0


def test_killed_it_leaves_no_process(start, tmp_path):
    server = start()
    worker = int(server.get("pid")[1])
    until(lambda: runners(tmp_path / "w" / "jobs"))
    server.process.kill()
    until(lambda: processes.start_time(worker) is None and not runners(tmp_path / "w" / "jobs"))


def test_a_killed_job_runner_is_started_again(start, tmp_path):
    start()
    first = until(lambda: runners(tmp_path / "w" / "jobs"))
    os.kill(first[0], signal.SIGKILL)
    assert until(lambda: [pid for pid in runners(tmp_path / "w" / "jobs") if pid not in first])


def test_a_taken_port_is_named_with_a_remedy(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(wait=False, port=port)
        out, err = server.process.communicate(timeout=10)
    assert (server.process.returncode, out) == (2, "")
    assert err == f"Port {port} is in use by another program.\nChoose another with --port {port + 1}.\n"


def test_an_address_of_another_machine_is_refused(start):
    server = start(wait=False, host="192.0.2.1", token="x" * 20)
    _, err = server.process.communicate(timeout=10)
    assert server.process.returncode == 2
    assert "192.0.2.1 is not an address of this machine" in err


def test_an_unusable_workspace_is_refused(start, tmp_path):
    (tmp_path / "w").write_text("")
    server = start(wait=False)
    _, err = server.process.communicate(timeout=10)
    assert server.process.returncode == 2
    assert "--workspace" in err
    assert "Traceback" not in err


def test_variables_change_neither_address_nor_debugger(start):
    variables = ("DASH_DEBUG", "FLASK_DEBUG", "DASH_MCP_ENABLED", "DASH_DEV_TOOLS_UI", "DASH_HOT_RELOAD")
    server = start({"HOST": "0.0.0.0", "PORT": "1", "DASH_URL_BASE_PATHNAME": "/x/", **dict.fromkeys(variables, "1")})
    assert server.url.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        server.get("_mcp")
    _, page, _ = server.get()
    assert b'"ui":true' not in page.replace(b" ", b"")
    assert b"hot_reload" not in page


def test_the_link_carries_the_token(start):
    server = start(token="a-long-enough-token")
    assert "/?token=a-long-enough-token (" in server.line
    with pytest.raises(urllib.error.HTTPError, match="401"):
        server.get()
    assert server.get(Authorization="Bearer a-long-enough-token")[0] == 200
    assert server.get("healthz")[0] == 200


def test_behind_a_prefix(start):
    server = start(path_prefix="/cutaway/")
    assert "/cutaway/ (" in server.line
    assert server.get()[0] == 200
    root = server.url.removesuffix("cutaway/")
    with urllib.request.urlopen(root, timeout=10) as answer:  # redirected
        assert answer.url == server.url
    for address in (f"{root}healthz", f"{server.url}healthz"):
        assert urllib.request.urlopen(address, timeout=10).read() == b"ok"


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_answers_are_compressed(start, coding):
    _, body, headers = start().get("long", **{"Accept-Encoding": coding})
    assert headers["Content-Encoding"] == coding
    assert len(body) < 500


def test_a_large_script_is_sent_once(start):
    server = start()
    server.get()
    script, coding = "_dash-component-suites/plotly/package_data/plotly.min.js", {"Accept-Encoding": "br"}
    _, body, headers = server.get(script, **coding)
    assert len(body) < 2_000_000
    assert headers["Cache-Control"] == "private, no-cache"
    with pytest.raises(urllib.error.HTTPError, match="304"):
        server.get(script, **coding, **{"If-None-Match": headers["ETag"]})


def test_an_address_with_a_long_selection_is_answered(start):
    server = start()
    address = server.url + "?subset=" + "index+in+%270%2C2%27" * 380
    assert 7_000 < len(address) < 8_190
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Referer": address})) as answer:
        assert answer.status == 200


def test_requests_are_answered_side_by_side(start):
    server = start()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(server.get("threads")[1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b"together"] * 3


def test_a_large_body_is_refused_and_the_server_goes_on(start):
    server = start()
    port = int(server.url.rsplit(":", 1)[1].strip("/"))
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(
            b"POST /_dash-update-component HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 50000000\r\n\r\n"
        )
        assert b" 413 " in connection.recv(4096).partition(b"\r\n")[0]
    assert server.get("healthz")[0] == 200


def test_a_job_of_the_page_is_run(start, tmp_path):
    start(demo="nothing")
    [job] = until(lambda: Jobs(tmp_path / "w" / "jobs").list())
    job = until(lambda: (found := Jobs(tmp_path / "w" / "jobs").get(job.id)).finished and found, seconds=20)
    assert (job.state, job.error["message"]) == ("failed", "There is no demo 'nothing'.")
