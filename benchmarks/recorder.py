"""What recording adds to a training loop, against the plain loop and against TensorBoard's activation histograms.

Usage: python benchmarks/recorder.py [--seconds 150]

Every way trains its own copy of the same model on the same data, in turns of 20 steps in random order, so that a slow
moment of the machine hits all alike. Torch and BLAS have one thread each: the threads of BLAS that TensorBoard's sums
wake go on spinning, which more than doubles what its histograms take of the processor. Two kinds of figures:

- ratio: CPU time of the process in a turn against the plain loop's turn in the same round, median over rounds. 'Plain
  loop again' (A/A) shows how far ratios can be trusted: effects below its spread cannot be seen in this way. Nor can a
  median see records that are many turns apart; that is what the second figure is for.
- own: CPU time of the recording itself, from clocks around its calls and in its hooks; for TensorBoard around its calls
  and of its writer thread. Noise of the training does not enter, so 'times cheaper' is taken from it: own time of
  TensorBoard over own time of the recorder at the same interval, means over whole cycles of the recorder's records.
  'Layers' is the same without the cost of the metrics, which both write at every step.

Intervals are 95 % bootstrap intervals over rounds.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is first imported

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.loops import Plain, Probed, Recorded, Sampled, TensorBoard

TURN = 20  # steps of a way in a round
CYCLE = 7  # rounds between records at an interval of 20
SELDOM = 3  # rounds between turns of the ways of which only the own time is of interest
LONG = 1200  # steps of the default, whose first two records are made whatever they cost

PLAIN = "plain loop"
WAYS: dict[str, Callable[[Path, ExitStack], Plain]] = {
    PLAIN: Plain,
    "plain loop again (A/A)": Plain,
    "recorder, metrics only": Recorded,
    "recorder, default (probe, 1 %)": Probed,
    "recorder, batches every step": partial(Sampled, every=1),
    "recorder, batches every 20": partial(Sampled, every=20),
    "TensorBoard, metrics only": partial(TensorBoard, every=sys.maxsize),
    "TensorBoard histograms every step": partial(TensorBoard, every=1),
    "TensorBoard histograms every 20": partial(TensorBoard, every=20),
}
PROBED, BATCHES, BATCHES_20 = (
    "recorder, default (probe, 1 %)",
    "recorder, batches every step",
    "recorder, batches every 20",
)
METRICS, PEER_METRICS = "recorder, metrics only", "TensorBoard, metrics only"
PEERS = {
    METRICS: PEER_METRICS,
    BATCHES: "TensorBoard histograms every step",
    BATCHES_20: "TensorBoard histograms every 20",
}
RARE = (METRICS, PEER_METRICS, PEERS[BATCHES])
GOALS = {  # column, limit, 'most' or 'least'
    PROBED: [("own_share", 0.01, "most")],
    BATCHES: [("ratio", 1.04, "most"), ("own_share", 0.04, "most"), ("cheaper", 50.0, "least")],
    BATCHES_20: [("cheaper", 50.0, "least")],
}
Turns = dict[
    str, list[tuple[float, float, float]]
]  # CPU, wall and own seconds a step, of each way in each of its rounds


def measure(seconds: float = 150.0, cycles: int = 1, turn: int = TURN, long: int = LONG) -> list[dict[str, Any]]:
    """Time every way in turns.

    Args:
        seconds: no cycle of rounds begins that would not end by then. cycles: at least.
        turn: steps a turn. long: steps of the default in all.

    Returns:
        For each way: name, median_s (CPU seconds a step), ratio to ``against`` with ratio_low and ratio_high, wall
        (ratio of wall times), own_s (CPU seconds a step of the recording itself), own_share (of the plain loop's step),
        rounds, and, with a peer, cheaper (times cheaper than it) with cheaper_low and cheaper_high, and layers.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            loops = {name: way(Path(folder) / str(n), stack) for n, (name, way) in enumerate(WAYS.items())}
            for loop in loops.values():
                loop.turn(turn)
            turns = _turns(loops, seconds, cycles, turn)
            probed = loops[PROBED]
            probed.turn(max(long - probed.steps, 0))
            return _rows(turns, probed.costs() / probed.steps, probed.clock() / probed.steps)
    finally:
        torch.set_num_threads(threads)


def _turns(loops: dict[str, Plain], seconds: float, cycles: int, turn: int) -> Turns:
    turns: Turns = {name: [] for name in loops}
    order, began, done = random.Random(0), time.perf_counter(), 0
    while done < cycles or (time.perf_counter() - began) * (done + 1) / done < seconds:
        for number in range(CYCLE):
            names = [name for name in loops if number % SELDOM == 0 or name not in RARE]
            order.shuffle(names)
            for name in names:
                turns[name].append(_turn(loops[name], turn))
        done += 1
    return turns


def _turn(loop: Plain, steps: int) -> tuple[float, float, float]:
    own, wall, cpu = loop.costs(), time.perf_counter(), time.process_time()
    loop.turn(steps)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu / steps, wall / steps, (loop.costs() - own) / steps


def _rows(turns: Turns, probe_own: float, probe_step: float) -> list[dict[str, Any]]:
    step = statistics.median(cpu for cpu, _, _ in turns[PLAIN])
    rows = []
    for name, own_turns in turns.items():
        plain = [p for n, p in enumerate(turns[PLAIN]) if name not in RARE or n % CYCLE % SELDOM == 0]
        ratios = [a[0] / b[0] for a, b in zip(own_turns, plain, strict=True)]
        low, high = bootstrap(lambda at, ratios=ratios: statistics.median(ratios[n] for n in at), len(ratios))
        own = _mean_own(own_turns)
        row = {
            "name": name,
            "median_s": statistics.median(cpu for cpu, _, _ in own_turns),
            "ratio": statistics.median(ratios),
            "against": PLAIN,
            "ratio_low": low,
            "ratio_high": high,
            "wall": statistics.median(a[1] / b[1] for a, b in zip(own_turns, plain, strict=True)),
            # Records of the default are hundreds of steps apart: its whole run counts, with the first two in it.
            "own_s": probe_own if name == PROBED else own,
            "own_share": probe_own / (probe_step - probe_own) if name == PROBED else own / step,
            "rounds": len(own_turns),
        }
        rows.append(row | (_cheaper(turns, name) if name in PEERS else {}))
    return rows


def _mean_own(turns: Sequence[tuple[float, float, float]]) -> float:
    return statistics.fmean(own for _, _, own in turns)


def _cheaper(turns: Turns, name: str) -> dict[str, float]:
    """How many times cheaper than its peer a way is, its interval, and the same for layers without metrics."""
    ours, peers = turns[name], turns[PEERS[name]]
    low, high = bootstrap(
        lambda at: _mean_own([peers[n * len(peers) // len(ours)] for n in at]) / _mean_own([ours[n] for n in at]),
        len(ours),
    )
    own, peer = _mean_own(ours), _mean_own(peers)
    found = {"cheaper": peer / own, "cheaper_low": low, "cheaper_high": high}
    if name != METRICS:
        found["layers"] = (peer - _mean_own(turns[PEER_METRICS])) / (own - _mean_own(turns[METRICS]))
    return found


def bootstrap(figure: Callable[[Sequence[int]], float], count: int, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of ``figure`` of the rounds 0 .. count - 1, resampled."""
    source = random.Random(0)
    found = sorted(figure(source.choices(range(count), k=count)) for _ in range(draws))
    return found[int(0.025 * draws)], found[int(0.975 * draws) - 1]


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    ratio = f"{row['ratio']:.3f} [{row['ratio_low']:.3f}, {row['ratio_high']:.3f}]"
    cheaper = ""
    if "cheaper" in row:
        cheaper = f"{row['cheaper']:.1f} [{row['cheaper_low']:.1f}, {row['cheaper_high']:.1f}]"
    own = f"{1e3 * row['own_s']:8.3f} ms {100 * row['own_share']:6.2f} %"
    layers = f"{row['layers']:.1f}" if "layers" in row else ""
    return f"{row['name']:34} {1e3 * row['median_s']:8.3f} ms  {ratio:22} {own}  {cheaper:20} {layers}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=150.0)
    rows = measure(parser.parse_args().seconds)
    print(f"{'way':34} {'a step':>11}  {'ratio [95 %]':22} {'own, a step':>20}  times cheaper [95 %]  layers")
    print("\n".join(map(line, rows)))
    print(f"{rows[0]['rounds']} rounds of {TURN} steps")


if __name__ == "__main__":
    main()
