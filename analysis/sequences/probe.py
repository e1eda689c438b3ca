"""What a linear probe reads from a state of what the layer was given some steps before: how far back it remembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sequences import inputs, states
from analysis.sequences.states import Chunk

WORDS = 20  # most frequent ones that are told apart
STEPS = 40_000  # whose states are held, at most
EACH = 5_000  # steps of an instance that are held, the first ones; so that there are at least 4 instances
NUMBERS = 16 << 20  # of states that are held, at most
WIDEST = 256  # units; of more, random mixtures are read (Johnson and Lindenstrauss, 1984)
RIDGE = 1e-3  # penalty, for each step, on standardised states
TRAINED = 0.7  # share of the instances that the probe learns from
FEWEST = 40  # steps on either side
LAGS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
SEED = 0


@dataclass
class _Held:
    """One instance. values: (t, U). read: what was read at each step: ids (t,), or numbers (t, channels). good: (t,)"""

    values: NDArray[np.float32]
    read: NDArray[Any]
    good: NDArray[np.bool_]


class Probe:
    """Holds states of instances evenly spread over the sample, and reads from them what came ``lag`` steps before.

    Of texts: which of the 20 most frequent words it was, among steps where it was one of these: accuracy against always
    naming the commonest. Of series: the channels' values: R^2, where predicting the mean has 0. Ridge regression in
    closed form, on 70 % of the instances, judged by the others. Of a bidirectional layer the forward half is read.

    What is read now tells of what was read before, without any memory, where neighbours are alike: smooth series, or
    words that come in pairs. So the same reader is given the step's own input too: 'input'.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._text = session.kind == "text"
        self._held: list[_Held] = []
        self._seen, self._every, self._steps, self._numbers = 0, 1, 0, 0
        self._mix: NDArray[np.float32] | None = None
        self.channels: list[str] = []

    def add(self, chunk: Chunk, forward: int) -> None:
        """The states of a batch. forward: units that go forward, the first ones."""
        if self._session.kind not in ("text", "series"):
            return
        width = forward or chunk.states.shape[2]
        if self._text:
            read = inputs.ids_of(chunk.batch).numpy()
        else:
            read = inputs.values_of(self._session, chunk.batch).numpy()
            self.channels = self.channels or inputs.channel_names(self._session, read.shape[2])
        good = states.valid(chunk)
        for row in range(len(chunk)):
            self._seen += 1
            if (self._seen - 1) % self._every:
                continue
            length = min(int(chunk.lengths[row]), EACH)
            values = self._mixed(chunk.states[row, :length, :width])
            one = _Held(values, read[row, :length].copy(), good[row, :length].copy())
            self._held.append(one)
            self._steps += length
            self._numbers += one.values.size
            while len(self._held) > 2 and (self._steps > STEPS or self._numbers > NUMBERS):
                self._held, self._every = self._held[::2], 2 * self._every
                self._steps = sum(len(each.values) for each in self._held)
                self._numbers = sum(each.values.size for each in self._held)

    def _mixed(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if values.shape[1] <= WIDEST:
            return values.copy()
        if self._mix is None:
            drawn = np.random.default_rng(SEED).standard_normal((values.shape[1], WIDEST))
            self._mix = (drawn / np.sqrt(WIDEST)).astype(np.float32)
        return values @ self._mix

    def result(self) -> dict[str, Any]:
        """{'what': sentence, 'metric': 'accuracy' or 'r2', 'lags', 'score', 'chance', 'input': [one for each lag: of
        the state, of no reader, of the step's own input], 'n': held-out steps at each, 'instances': held, 'reason':
        why there is none, or ''}."""
        found: dict[str, Any] = {"metric": "accuracy" if self._text else "r2", "instances": len(self._held)}
        found |= {"lags": [], "score": [], "chance": [], "input": [], "n": [], "reason": "", "what": self._what()}
        if self._session.kind not in ("text", "series"):
            return found | {"reason": f"Instances are of kind {self._session.kind!r}: nothing is read step by step."}
        if len(self._held) < 4:
            return found | {"reason": f"A probe needs at least 4 instances; there are {len(self._held)}."}
        names = self._frequent()
        if self._text and len(names) < 2:
            return found | {"reason": "All steps hold the same word, so there is nothing to tell apart."}
        order = np.random.default_rng(SEED).permutation(len(self._held))
        cut = min(len(order) - 1, max(1, round(TRAINED * len(order))))
        taught, held_out = ([self._held[i] for i in part] for part in (order[:cut], order[cut:]))
        for lag in LAGS:
            told = self._told(taught, held_out, lag, names)
            if told is None:
                break
            for name, value in zip(("lags", "score", "chance", "input", "n"), (lag, *told), strict=True):
                found[name].append(value)
        if not found["lags"]:
            found["reason"] = f"Too few steps: the probe needs {FEWEST} to learn from, and as many to be judged by."
        return found

    def _what(self) -> str:
        if self._text:
            return f"which of the {WORDS} most frequent words was read"
        return "the values of the channels" if len(self.channels) > 1 else "the value"

    def _frequent(self) -> NDArray[np.int64]:
        if not self._text:
            return np.zeros(0, np.int64)
        ids, counts = np.unique(np.concatenate([one.read[one.good] for one in self._held]), return_counts=True)
        return np.asarray(ids[np.argsort(-counts, kind="stable")[:WORDS]], np.int64)

    def _told(
        self, taught: list[_Held], held_out: list[_Held], lag: int, names: NDArray[np.int64]
    ) -> tuple[float, float, float, int] | None:
        """Score, chance, score of the input alone, and held-out steps at a lag; None where there are too few."""
        x, y, own = self._pairs(taught, lag, names)
        x_new, y_new, own_new = self._pairs(held_out, lag, names)
        if min(len(x), len(x_new)) < FEWEST:
            return None
        guess, plain = _ridge(x, y, x_new), _ridge(own, y, own_new)
        if self._text:
            commonest = int(y.sum(0).argmax())
            meant = y_new.argmax(1)
            right, alone = (float((one.argmax(1) == meant).mean()) for one in (guess, plain))
            return right, float((meant == commonest).mean()), alone, len(x_new)
        spread = ((y_new - y_new.mean(0)) ** 2).sum(0)
        varied = spread > 1e-12
        if not varied.any():
            return None
        lost = [((y_new - one) ** 2).sum(0)[varied] / spread[varied] for one in (guess, plain)]
        return float((1 - lost[0]).mean()), 0.0, float((1 - lost[1]).mean()), len(x_new)

    def _pairs(
        self, held: list[_Held], lag: int, names: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """States (k, U), what was read ``lag`` steps before, one-hot words (k, W) or values (k, channels), and what was
        read at the step itself, in the same form; 0 for rarer words and NaN."""
        xs: list[NDArray[Any]] = [np.zeros((0, held[0].values.shape[1]))]
        ys: list[NDArray[Any]] = [np.zeros((0, len(names) if self._text else held[0].read.shape[1]))]
        owns = list(ys)
        for one in held:
            length = len(one.values)
            if lag >= length:
                continue
            use = one.good[: length - lag] & one.good[lag:]
            told = one.read[:, None] == names if self._text else one.read
            read, values = told[: length - lag], one.values[lag:]
            if self._text:
                use &= read.any(1)
            else:
                use &= np.isfinite(read).all(1)
            xs.append(values[use])
            ys.append(read[use])
            owns.append(np.nan_to_num(told[lag:][use], posinf=0, neginf=0))
        found = [np.concatenate(each).astype(np.float64) for each in (xs, ys, owns)]
        return found[0], found[1], found[2]


def _ridge(x: NDArray[np.float64], y: NDArray[np.float64], x_new: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predictions for new states, (m, K). x: (n, U), y: (n, K)."""
    middle, spread, mean = x.mean(0), x.std(0), y.mean(0)
    spread[spread < 1e-9] = 1
    scaled = (x - middle) / spread
    gram = scaled.T @ scaled
    gram.flat[:: len(gram) + 1] += RIDGE * len(x)
    weights = np.linalg.solve(gram, scaled.T @ (y - mean))
    found: NDArray[np.float64] = (x_new - middle) / spread @ weights + mean
    return found
