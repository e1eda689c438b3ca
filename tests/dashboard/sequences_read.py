"""As ``sequences_stage``, with answers about single sequences and chosen words that can be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.sequences.kept import kept

from .sequences_stage import Spoken

STEPS = 9
WORDS = 60


class Read(Spoken):
    """Instance i has STEPS steps with the words 100 + i, 101 + i, ...; its states are random but for their seed."""

    def __init__(self, *given: Any, **how: Any) -> None:
        super().__init__(*given, **how)
        self.prefixes, self.backward, self.lanes = True, 0, 1
        self.makers |= {"sequence_states": self.states_of, "sequence_words": self.words_of}

    def states_of(
        self, instance: int | None = None, text: str = "", **_params: Any
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """States that a random walk draws; the backward units walk from the end."""
        steps = STEPS if instance is not None else len(text.split())
        rng = np.random.default_rng(steps if instance is None else instance)
        direction = np.where(np.arange(self.units) < self.units - self.backward, 1, -1)
        walk = rng.normal(size=(steps, self.units)).cumsum(0)
        states = np.where(direction > 0, walk, walk[::-1]).astype("f4")
        zero = np.zeros((1, self.units), "f4")
        before = np.where(
            direction > 0, np.concatenate([zero, states[:-1]]), np.concatenate([states[1:], zero])
        ).astype("f4")
        first = 100 + (instance or 0)
        word = (first + np.arange(steps) % WORDS)[:, None] + np.arange(self.lanes)
        series = self.kind == "series"
        value: dict[str, Any] = {
            "tokens": [""] * steps if series else text.split() or [f"<i>token {at}" for at in range(steps)],
            "unknown": [1] if text else [],
            "instance": instance,
            "text": text,
            "label": -1 if instance is None else instance % 2,
            "prediction": 1,
            "scores": [0.25, 0.75],
            "sampling_rate": 20.0 if series else None,
            "channels": ["left", "right"] if series else [],
            "prefix_reason": "" if self.prefixes else "the model takes sequences of one length only",
            "padding": [],
        }
        arrays = {"states": states, "changes": states - before, "previous": before, "direction": direction.astype("i1")}
        arrays |= {"kept": kept(states, before).astype("f4"), "word": word.astype("i8")}
        if self.prefixes:
            high = np.linspace(0.1, 0.75, steps)
            arrays["prefix"] = np.stack([1 - high, high], 1).astype("f4")
            arrays["prefix"][1:2] = np.nan
        if series:
            arrays["display"] = np.stack([np.arange(steps), -np.arange(steps)]).astype("f4")
        return value, arrays

    def words_of(self, chosen: list[int], **_params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The mean of ``means``, and around it percentiles 1, 2 and 3 apart."""
        rows = [number - 100 for number in chosen]
        mean = self.means()[rows]
        apart = np.array([-2, -1, 0, 1, 2], "f4")[None, :, None]
        listed = [
            {"id": number, "name": f"word {number - 100}", "count": 5000, "sampled": 4096, "error": 0.021}
            for number in chosen
        ]
        value = {"words": listed, "occurrences": [[[3, 2], [7, 5]] for _ in chosen]}
        arrays = {"mean": mean, "percentiles": mean[:, None] + apart, "occurrence": np.full((len(rows), 20, 1), np.nan)}
        return value, arrays
