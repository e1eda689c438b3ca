"""Round trips of the Layers view: from a selection to the last answer of all linked panels, over HTTP.

Usage: python benchmarks/pages.py [--subject FILE] [--rounds 5] [--n 1000] [--layers A,B,C]

A server is started, and the part of the browser is played: a selection changes the sel-* stores, every callback of the
server that listens to a changed value is asked, six at a time, what it answers changes other values, and so on until
nothing changes any more; pictures that an answer names are fetched as well. Drawing is not part of it, nor are the
clientside functions. Every selection is made once before it is timed, and waited for until its jobs are done, so what
is timed is coming back to something that was computed: the case that has a goal. The first time is reported beside it.

The floor is a request that computes nothing (/healthz), timed in the same run. Goals: 300 ms at the 95th percentile
from a selection to all linked views, 300 kB an answer.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dashboard.selection import GROUPS

ROOT = Path(__file__).resolve().parents[1]
SUBJECT = ROOT / "analysis" / "demos" / "digits_subject.py"
PARALLEL = 6  # connections of a browser to one host
JOBS = 600.0  # seconds to wait for answers
GOAL_MS, GOAL_KB = 300, 300


class Visitor:
    """The server's callbacks and the values of all components, as a browser that executes no script would know them."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._local = threading.local()
        self.values: dict[tuple[str, str], Any] = {}
        self.largest = 0  # bytes of the largest answer since it was set to 0
        self._collect(self._get("_dash-layout"))
        found = self._get("_dash-dependencies")
        self.callbacks = [entry for entry in found if not entry.get("clientside_function")]
        self.pool = ThreadPoolExecutor(PARALLEL)

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session

    def _get(self, path: str) -> Any:
        return self._session().get(f"{self.url}/{path}", timeout=60).json()

    def _collect(self, part: Any) -> None:
        """Values of every property in a layout."""
        if isinstance(part, list):
            for item in part:
                self._collect(item)
        elif isinstance(part, dict):
            props = part.get("props", {}) if "namespace" in part else {}
            if "id" in props:
                name = key_of(props["id"])
                self.values.update({(name, prop): value for prop, value in props.items() if prop != "id"})
            for value in part.values():
                self._collect(value)

    def select(self, **selection: Any) -> int:
        """Change the selection as the page's script does, and settle. Returns the number of requests."""
        query = {name: str(value) for name, value in selection.items()}
        self.values["url", "data"] = "?" + urlencode(query)
        changed = {("url", "data")}
        for group, names in GROUPS.items():
            value = "\x02".join(query.get(name, "") for name in names)
            if self.values.get((f"sel-{group}", "data")) != value:
                self.values[f"sel-{group}", "data"] = value
                changed.add((f"sel-{group}", "data"))
        return self.settle(changed)

    def settle(self, changed: set[tuple[str, str]]) -> int:
        """Ask every callback that listens to a changed value, and those that listen to what they answer."""
        requests_made = 0
        while changed:
            listeners = [entry for entry in self.callbacks if changed & set(self._inputs(entry))]
            pictures: set[str] = set()
            now: set[tuple[str, str]] = set()
            for answer in self.pool.map(lambda entry, given=changed: self._ask(entry, given), listeners):
                for name, props in answer.items():
                    for prop, value in props.items():
                        if self.values.get((name, prop)) != value:
                            self.values[name, prop] = value
                            now.add((name, prop))
                            self._collect(value)
                            pictures.update(pictures_in(value))
            list(self.pool.map(self._fetch, pictures))
            requests_made += len(listeners) + len(pictures)
            changed = now
        return requests_made

    def _inputs(self, entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for item in entry["inputs"]:
            yield item["id"], item["property"]

    def _ask(self, entry: dict[str, Any], changed: set[tuple[str, str]]) -> dict[str, dict[str, Any]]:
        outputs = [split(part) for part in entry["output"].strip(".").split("...")]
        if any("{" in name for name, _ in outputs) or any("MATCH" in name for name, _ in self._inputs(entry)):
            return {}  # belongs to one of many components: nobody pressed it
        listed = [{"id": name, "property": prop} for name, prop in outputs]
        body = {
            "output": entry["output"],
            "outputs": listed if entry["output"].startswith("..") else listed[0],
            "inputs": [self._argument(item) for item in entry["inputs"]],
            "state": [self._argument(item) for item in entry.get("state", [])],
            "changedPropIds": [f"{n}.{p}" for n, p in self._inputs(entry) if (n, p) in changed],
        }
        answer = self._session().post(f"{self.url}/_dash-update-component", json=body, timeout=60)
        if answer.status_code == 204:
            return {}
        answer.raise_for_status()
        self.largest = max(self.largest, len(answer.content))
        found: dict[str, dict[str, Any]] = answer.json()["response"]
        return found

    def _argument(self, item: dict[str, Any]) -> Any:
        name, prop = item["id"], item["property"]
        if "{" not in name:
            return {"id": name, "property": prop, "value": self.values.get((name, prop))}
        pattern = json.loads(name)
        return [
            {"id": json.loads(own), "property": prop, "value": value}
            for (own, of), value in self.values.items()
            if of == prop and own.startswith("{") and fits(json.loads(own), pattern)
        ]

    def _fetch(self, address: str) -> None:
        answer = self._session().get(self.url.split("/", 3)[0] + "//" + self.url.split("/")[2] + address, timeout=60)
        answer.raise_for_status()
        self.largest = max(self.largest, len(answer.content))

    def wait(self) -> None:
        """Poll as the page does until no job is under way and nothing new arrives."""
        deadline = time.monotonic() + JOBS
        while time.monotonic() < deadline:
            self.values["tick", "n_intervals"] = (self.values.get(("tick", "n_intervals")) or 0) + 1
            self.settle({("tick", "n_intervals")})
            states = [job[1] for job in self.values.get(("pulse-answers", "data")) or []]
            if states and not {"queued", "running"} & set(states):
                return
            time.sleep(0.3)
        raise TimeoutError("the jobs of the page did not end")


def key_of(name: Any) -> str:
    """The id of a component as one string."""
    return name if isinstance(name, str) else json.dumps(name, sort_keys=True, separators=(",", ":"))


def fits(own: dict[str, Any], pattern: dict[str, Any]) -> bool:
    """Whether an id is one of those that a pattern with ALL means."""
    return own.keys() == pattern.keys() and all(
        isinstance(wanted, list) or own[part] == wanted for part, wanted in pattern.items()
    )


def split(output: str) -> tuple[str, str]:
    """'name.property' -> (name, property); names may hold dots inside braces only."""
    name, _, prop = output.rpartition(".")
    return name, prop


def pictures_in(value: Any) -> set[str]:
    """Addresses of the pictures that an answer asks the browser to fetch, wherever they stand in it."""
    found = re.findall(r"(?:/[\w.~-]+)*/picture/[^\"'\s\\()]+", json.dumps(value))
    return {address for address in found if "{" not in address}  # else a pattern that a script completes


def start(subject: Path, workspace: Path) -> tuple[subprocess.Popen[str], str]:
    """A server of this subject, and its address."""
    command = [sys.executable, "run.py", "serve", "--subject", str(subject), "--workspace", str(workspace)]
    process = subprocess.Popen([*command, "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        found = re.search(r"http://127\.0\.0\.1:\d+\S*", line)
        if found:
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return process, found[0]
    raise RuntimeError("the server did not start")


def timed(visitor: Visitor, selection: dict[str, Any]) -> tuple[float, int]:
    """Seconds and requests of one selection."""
    begin = time.perf_counter()
    count = visitor.select(view="layers", **selection)
    return time.perf_counter() - begin, count


def tours(layers: list[str], n: int) -> dict[str, list[dict[str, Any]]]:
    """Selections by what changes from one to the next."""
    base = {"n": n, "layer": layers[0]}
    return {
        "another filter": [base | {"filter": number} for number in range(8)],
        "another layer": [base | {"layer": layer} for layer in layers],
        "another instance": [base | {"instances": index} for index in range(6)],
        "filters over the input map": [base | {"filters": f"0-{last}", "color": "filters"} for last in range(1, 5)],
        "heatmap by class": [base | {"lmode": mode} for mode in ("class", "value")],
    }


def measure(
    subject: Path = SUBJECT, rounds: int = 5, n: int = 1000, layers: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Rows with name, p50, p95 and first (seconds), requests and kb (of the largest answer)."""
    with tempfile.TemporaryDirectory() as workspace:
        process, url = start(subject, Path(workspace))
        try:
            return list(_rows(Visitor(url), rounds, n, layers))
        finally:
            process.terminate()
            process.wait(30)


def _rows(visitor: Visitor, rounds: int, n: int, layers: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    visitor.select(view="subject")
    visitor.wait()
    visitor.settle({("pulse-answers", "data")})
    known = list(layers) or layers_of(visitor)
    floor = []
    for _ in range(100):
        begin = time.perf_counter()
        requests.get(f"{visitor.url}/healthz", timeout=10)
        floor.append(time.perf_counter() - begin)
    yield row("/healthz, the floor", floor, 0.0, [1], 0)
    for name, tour in tours(known, n).items():
        first = []
        for selection in tour:
            begin = time.perf_counter()
            timed(visitor, selection)
            visitor.wait()
            first.append(time.perf_counter() - begin)
        visitor.largest = 0
        took = [timed(visitor, selection) for _ in range(rounds) for selection in tour]
        counts = [count for _, count in took]
        yield row(name, [seconds for seconds, _ in took], statistics.median(first), counts, visitor.largest)


def row(name: str, seconds: list[float], first: float, requests_made: list[int], largest: int) -> dict[str, Any]:
    """One line of the table."""
    return {
        "name": name,
        "p50": statistics.median(seconds),
        "p95": statistics.quantiles(seconds, n=20)[-1],
        "first": first,
        "requests": statistics.median(requests_made),
        "kb": largest / 1000,
        "count": len(seconds),
    }


def layers_of(visitor: Visitor) -> list[str]:
    """The layers that the top bar offers."""
    offered = visitor.values.get(("ctl-layer", "data")) or []
    return [item["value"] if isinstance(item, dict) else item for item in offered]


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| selection | p50 | p95 | first time, jobs included | requests | largest answer | goal |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for line in rows:
        met = line["p95"] * 1000 <= GOAL_MS and line["kb"] <= GOAL_KB
        lines.append(
            f"| {line['name']} (n = {line['count']}) | {1000 * line['p50']:.0f} ms | {1000 * line['p95']:.0f} ms "
            f"| {line['first']:.1f} s | {line['requests']:.0f} | {line['kb']:.0f} kB | {'met' if met else 'not met'} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subject", type=Path, default=SUBJECT)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--layers", default="", help="comma-separated; default: all")
    given = parser.parse_args()
    print(table(measure(given.subject, given.rounds, given.n, tuple(filter(None, given.layers.split(","))))))


if __name__ == "__main__":
    main()
