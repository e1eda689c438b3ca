"""Attribution methods against their floor, the passes that they cannot do without, and against Captum's defaults.

Usage: python benchmarks/attribution.py [--share 1.0] [--threads 1] [--task "Grad-CAM, 32"]

The network is the LeNet of the digits demo, with random pictures of 28 x 28, one or 32 of them; and an LSTM of 64 units
on 32 texts of 40 tokens. Of each task, in turns and in random order within a round:

- floor: nothing but the passes, by plain torch: forward and backward (F+B), or forward without gradients (F), in parts
  of at most 64 rows, of the very rows that the method asks for. A second time (A/A) it shows how far ratios can be
  trusted.
- cutaway: the method's ``run`` on an open ``Case``, at its defaults.
- Captum: the same by Captum, at its defaults, inside the same case; where it raises, it is missing.

Floors. Integrated Gradients: 50 F+B of each instance, and no doubling (``tolerance`` 0). DeepLift, LRP: one F+B.
Grad-CAM: F, and B as far as the layer. Occlusion: 169 windows of 4 x 4 pixels, every 2. Feature ablation, KernelSHAP,
LIME: 49 squares of 4 x 4; 49, 200 and 200 F. Token ablation: 40 F of each text, in all steps.

Ratios are medians over the rounds of CPU time of the process against the floor of the same round; times are for one
run. 'Times cheaper' is Captum's median over this way's. Intervals are quartiles over the rounds. The last rows are the
wall time of the question ``attribution`` for one picture of the digits demo (Integrated Gradients), in a session that
is open: reading the instance, looking at the model, the map, and what the page is told besides; but not the page
itself. They have torch's own number of threads, as the worker has: where others keep the cores busy, threads wait for
each other, and they take many times as long.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
import types
import warnings
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.attribution import registry
from analysis.attribution.case import Case
from analysis.attribution.explain import attribution
from analysis.attribution.parameters import checked
from analysis.subject.session import Session
from benchmarks.attribution_tasks import TASKS, Call, Task, floor, passes, pictures, texts

FLOOR, AGAIN, OURS, PEER = "floor", "floor again (A/A)", "cutaway", "Captum"
FIRST = "first map of a process: Integrated Gradients of a digit, from question to answer"
LATER = "later maps of it"
ROOT = Path(__file__).resolve().parents[1]
NOTE = (
    "CPU time for one run, one thread; quartiles over the rounds. Times cheaper: than Captum at its defaults. The "
    "first map is wall time."
)
ROUNDS, SECONDS = 15, 0.03  # and CPU seconds of the floor in one turn, at least
GOALS: dict[str, list[tuple[str, float, str]]] = {  # by name of a row: column, limit, 'most' or 'least'
    f"{name}: {OURS}": [("ratio", task.goal, "most")] for name, task in TASKS.items() if task.goal is not None
}
GOALS[FIRST] = [("median_s", 1.0, "most")]


def measure(
    share: float = 1.0, threads: int = 1, tasks: tuple[str, ...] = tuple(TASKS), first: bool = True
) -> list[dict[str, Any]]:
    """Time every way of every task in turns.

    Args:
        share: of the rounds; at least one is made. threads: of torch. first: also time the first map.

    Returns:
        For each task and way: name, median_s (CPU seconds of one run), ratio to ``against`` with ratio_low and
        ratio_high, wall (ratio of wall times), cheaper (than Captum) with cheaper_low and cheaper_high. Of the first
        map median_s is wall time.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    rows: list[dict[str, Any]] = []
    try:
        with warnings.catch_warnings(), pictures() as seen, texts() as read:
            warnings.simplefilter("ignore")  # Captum's, of inputs that require gradients
            for name in tasks:
                task = TASKS[name]
                session = read if task.text else seen
                with Case(session, session.batch(range(task.n))) as case:
                    rows += _rows(name, task, case, share)
    finally:
        torch.set_num_threads(before)
    return [*rows, *(first_maps(max(1, round(3 * share))) if first else [])]


def ways(task: Task, case: Case) -> dict[str, Call]:
    """What is timed, by name; without Captum where it raises."""
    method = registry.get(task.method)
    given = checked(method.parameters, dict(task.given))

    def ours() -> Any:
        return method.run(case, lambda *_told: None, **given)

    bare = floor(task, case, ours)
    found = {FLOOR: bare, AGAIN: bare, OURS: ours}
    try:
        peer = task.peer(case)
        peer()
    except Exception as error:  # whatever it cannot do
        print(f"Captum, {task.method}: {type(error).__name__}: {error}", file=sys.stderr)
        return found
    return {**found, PEER: peer}


def _rows(name: str, task: Task, case: Case, share: float) -> list[dict[str, Any]]:
    calls = ways(task, case)
    for call in calls.values():
        call()  # warm
    times = {way: max(1, round(SECONDS / max(_timed(call, 1)[0], 1e-5))) for way, call in calls.items()}
    order, turns = random.Random(0), []
    for _ in range(max(1, round(ROUNDS * task.rounds * share))):
        names = list(calls)
        order.shuffle(names)
        turns.append({way: _timed(calls[way], times[way]) for way in names})
    return [_row(name, way, turns) for way in calls]


def _row(task: str, way: str, turns: list[dict[str, tuple[float, float]]]) -> dict[str, Any]:
    low, ratio, high = _quartiles([turn[way][0] / turn[FLOOR][0] for turn in turns])
    row = {
        "name": f"{task}: {way}",
        "median_s": statistics.median(turn[way][0] for turn in turns),
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
        "wall": statistics.median(turn[way][1] / turn[FLOOR][1] for turn in turns),
        "against": "the floor of each task, passes by plain torch",
        "note": NOTE,
    }
    if way == OURS and PEER in turns[0]:
        low, cheaper, high = _quartiles([turn[PEER][0] / turn[OURS][0] for turn in turns])
        row |= {"cheaper": cheaper, "cheaper_low": low, "cheaper_high": high}
    return row


def first_maps(processes: int = 3) -> list[dict[str, Any]]:
    """Wall time from the question to the answer: the first of a process, and later ones; in as many processes, one
    after another, with as many threads as the dashboard's worker has."""
    found = []
    for _ in range(processes):
        done = subprocess.run(
            [sys.executable, __file__, "--first-map"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    for name, part in ((FIRST, "first"), (LATER, "later")):
        ratio = statistics.median(one[part] / one["floor"] for one in found)
        row = {"name": name, "median_s": statistics.median(one[part] for one in found), "ratio": ratio, "wall": ratio}
        rows.append({**row, "against": "the floor, warm", "note": NOTE})
    return rows


def first_map() -> dict[str, float]:
    """In a process of its own: wall seconds of the first answer, of later ones (median), and of the bare passes."""
    from analysis.demos.digits_subject import subject

    def answer(instance: int) -> float:
        start = time.perf_counter()
        attribution(session, context, instance=instance, method="integrated_gradients", version=version)
        return time.perf_counter() - start

    context = types.SimpleNamespace(progress=lambda *_told, **_more: None)
    version = registry.get("integrated_gradients").version
    with Session(subject(), device="cpu") as session:
        spent = [answer(instance) for instance in range(6)]
        with Case(session, session.batch([0])) as case:
            method = registry.get("integrated_gradients")
            given = checked(method.parameters, {"tolerance": 0})
            call = passes(case, 50, True, lambda: method.run(case, lambda *_told: None, **given))
            floors = [_timed(call, 1)[1] for _ in range(6)]
    return {
        "first": spent[0],
        "later": statistics.median(spent[1:]),
        "floor": statistics.median(floors[1:]),
    }


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    values = sorted(values)
    return values[len(values) // 4], statistics.median(values), values[-1 - len(values) // 4]


def _timed(call: Call, times: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        call()
    return (time.process_time() - cpu) / times, (time.perf_counter() - wall) / times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the rounds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--task", choices=list(TASKS), action="append")
    parser.add_argument("--first-map", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.first_map:
        print(json.dumps(first_map()))
        return
    for row in measure(given.share, given.threads, tuple(given.task or TASKS), first=not given.task):
        cheaper = f"times cheaper {row['cheaper']:.1f}" if "cheaper" in row else ""
        limits = f"[{row['ratio_low']:.3f}, {row['ratio_high']:.3f}]" if "ratio_low" in row else ""
        print(
            f"{row['name']:50} {1e3 * row['median_s']:9.2f} ms  {row['ratio']:.3f} {limits}  wall {row['wall']:.3f}  "
            f"{cheaper}"
        )


if __name__ == "__main__":
    main()
