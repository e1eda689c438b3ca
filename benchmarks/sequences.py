"""What the expected response costs: reading a layer's states and adding up changes by word, against the pass alone.

Usage: python benchmarks/sequences.py [--rounds 15] [--tokens 20000]

The floor is a plain loop: the same batches through the same model, nothing kept. Each round runs every way once, in an
order that is drawn anew; ratios are of CPU time against the floor of the same round, the median over rounds with its
quartiles. The floor runs twice (A/A): where its ratio is not near 1, the others mean little.

- cutaway: as the question ``sequence_responses`` does it, without opening the subject and without its extraction.
- cell states: the same of the LSTM's cells, which are recomputed and checked.
- plain sums: a hook and index_add_, for this model only: the least that the means cost.
- dict of lists: the plain way, a list of changes for each word, averaged at the end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is first imported

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis import Subject
from analysis.layers.passes import predicted
from analysis.sequences import states, words
from analysis.sequences.tally import Tally
from analysis.subject.session import Session

GOALS = {"LSTM: cutaway": [("ratio", 1.2, "most")], "GRU: cutaway": [("ratio", 1.2, "most")]}
WORDS, STEPS, BATCH, CLASSES = 3_000, 25, 32, 2


class Network(nn.Module):
    """Vectors of 128 numbers, a recurrent layer of 128 units (a bidirectional LSTM of 64 each), two scores."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 128, padding_idx=0)
        both = kind == "LSTM"
        self.rnn = getattr(nn, kind)(128, 64 if both else 128, batch_first=True, bidirectional=both)
        self.head = nn.Linear(128, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (n, STEPS) -> (n, 2)."""
        found: Tensor = self.head(self.rnn(self.embedding(ids))[0].mean(1))
        return found


class Bench:
    """A model, its batches, and the ways."""

    def __init__(self, kind: str, tokens: int) -> None:
        torch.manual_seed(0)
        count = max(BATCH, tokens // STEPS)
        # Words as rare as in a language.
        shares = 1 / torch.arange(1, WORDS, dtype=torch.float64)
        ids = torch.multinomial(shares, count * STEPS, True).reshape(count, STEPS) + 1
        data = [(one, number % CLASSES) for number, one in enumerate(ids)]
        subject = Subject(Network(kind).eval(), data, decode=[str(number) for number in range(WORDS)])
        self.session = Session(subject, device="cpu")
        self.batches = [self.session.batch(range(at, min(at + BATCH, count))) for at in range(0, count, BATCH)]
        self.kind = kind
        self.vocabulary = words.Vocabulary("tokens", self.session)

    def floor(self) -> None:
        """Passes alone."""
        for batch in self.batches:
            self.session.forward(batch)

    def cutaway(self, state: str = "hidden") -> dict[str, Any]:
        """As the question does it."""
        source = states.source_of(self.session, "rnn", state)
        tally: Tally | None = None
        for batch in self.batches:
            chunk = states.of_batch(self.session, batch, source)
            tally = tally or Tally(chunk.states.shape[2], CLASSES, None, WORDS)
            answers = predicted(torch.from_numpy(chunk.logits))
            tally.add(chunk, self.vocabulary.of(chunk), batch.labels, answers)
        assert tally is not None
        return tally.result()

    def plain(self) -> dict[int, Any]:
        """Sums alone, by the hook and ``index_add_``: no checks, no padding, no counts by sequence or class."""
        total = torch.zeros(WORDS, 128, dtype=torch.float64)
        count = torch.zeros(WORDS, dtype=torch.int64)
        for batch, changes in self._plainly():
            ids = batch.principal.reshape(-1)
            total.index_add_(0, ids, changes.reshape(len(ids), -1).double())
            count += torch.bincount(ids, minlength=WORDS)
        return {word: total[word] / count[word] for word in count.nonzero()[:, 0].tolist()}

    def lists(self) -> dict[int, Any]:
        """Every change in a list of its word."""
        held: dict[int, list[Any]] = defaultdict(list)
        for batch, changed in self._plainly():
            for ids, changes in zip(batch.principal.tolist(), changed.numpy(), strict=True):
                for word, change in zip(ids, changes, strict=True):
                    held[word].append(change)
        return {word: np.mean(each, axis=0) for word, each in held.items()}

    def _plainly(self) -> Iterator[tuple[Any, Tensor]]:
        """Batches, and changes (n, T, 128), as anybody would write it for this model."""
        rnn: Any = self.session.model.rnn
        seen: list[Tensor] = []
        handle = rnn.register_forward_hook(lambda _module, _inputs, output: seen.append(output[0]))
        half = 64 if rnn.bidirectional else 128
        try:
            for batch in self.batches:
                self.session.forward(batch)
                hidden = seen.pop()
                first = torch.zeros_like(hidden[:, :1, :half])
                before = torch.cat([first, hidden[:, :-1, :half]], 1)
                if rnn.bidirectional:
                    before = torch.cat([before, torch.cat([hidden[:, 1:, half:], first], 1)], 2)
                yield batch, hidden - before
        finally:
            handle.remove()

    def ways(self) -> dict[str, Callable[[], Any]]:
        """What is timed, by name."""
        found: dict[str, Callable[[], Any]] = {
            "floor": self.floor,
            "floor again (A/A)": self.floor,
            "cutaway": self.cutaway,
            "plain sums": self.plain,
            "dict of lists": self.lists,
        }
        if self.kind == "LSTM":
            found["cutaway, cell states"] = lambda: self.cutaway("cell")
        return found


def measure(rounds: int = 15, tokens: int = 20_000, kinds: tuple[str, ...] = ("LSTM", "GRU")) -> list[dict[str, Any]]:
    """A row for each way: 'name', 'median_s' of CPU time, 'ratio' with quartiles, 'wall'."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for kind in kinds for row in _measured(Bench(kind, tokens), rounds)]
    finally:
        torch.set_num_threads(before)


def _measured(bench: Bench, rounds: int) -> list[dict[str, Any]]:
    ways = bench.ways()
    own, slow = bench.cutaway(), bench.lists()
    # Both ways must mean the same before their times are compared.
    for word, mean in zip(own["id"].tolist(), own["mean"], strict=True):
        np.testing.assert_allclose(mean, slow[word], atol=1e-5)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    order = np.random.default_rng(0)
    for _ in range(rounds):
        for name in order.permutation(list(ways)).tolist():
            cpu, wall = time.process_time(), time.perf_counter()
            ways[name]()
            taken[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    rows = []
    for name, times in taken.items():
        ratios = [each[0] / floor[0] for each, floor in zip(times, taken["floor"], strict=True)]
        walls = [each[1] / floor[1] for each, floor in zip(times, taken["floor"], strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
        rows.append(
            {
                "name": f"{bench.kind}: {name}",
                "median_s": statistics.median(each[0] for each in times),
                "ratio": statistics.median(ratios),
                "ratio_low": low,
                "ratio_high": high,
                "wall": statistics.median(walls),
                "against": "the floor, passes alone",
                "note": "CPU time for one run, one thread; quartiles over rounds.",
            }
        )
    return rows


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=20_000)
    given = parser.parse_args()
    for row in measure(given.rounds, given.tokens):
        low, high = row["ratio_low"], row["ratio_high"]
        print(f"{row['name']:32} {1e3 * row['median_s']:8.1f} ms  {row['ratio']:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
