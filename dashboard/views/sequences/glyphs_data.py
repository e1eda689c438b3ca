"""From the states of a sequence to what its glyphs show: a bar for each unit cluster at each step (R6)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.results import Answer
from dashboard.views.sequences.data import Frame
from dashboard.widgets import class_marks

MOST_ROWS = 4  # instances beside each other
MOST_CHANNELS = 8
PARTS = 4  # of a bar: its upper and lower end, now and before
STEPS16 = 32_767  # of a number in 16 bits


def parts(
    states: NDArray[Any], before: NDArray[Any], cluster: NDArray[Any], count: int, chosen: NDArray[Any]
) -> NDArray[np.float64]:
    """Ends of the bars, (4, T, count): the mean positive and the mean negative part of the cluster's states, and both
    before the step.

    Of each cluster the sums over the ``chosen`` units, divided by the size of the whole cluster: so upper plus lower
    end is the mean state, and what the bar gains less what it loses is the mean change.

    Args:
        states, before: (T, U). cluster: of each unit (U,). count: clusters. chosen: (U,) bool.
    """
    sizes = np.maximum(np.bincount(cluster, minlength=count), 1)
    weights = (np.arange(count)[None] == cluster[:, None]) / sizes * chosen[:, None]
    ends = [np.maximum(states, 0), np.minimum(states, 0), np.maximum(before, 0), np.minimum(before, 0)]
    found: NDArray[np.float64] = np.stack([np.asarray(end, np.float64) @ weights for end in ends])
    return found


def row(shown: Frame, answer: Answer, cluster: NDArray[Any], count: int) -> dict[str, Any]:
    """One sequence as assets/sequences_glyphs.js draws it; arrays are little-endian, in base64.

    cluster: of each unit (U,). count: how many.
    """
    said = answer.json
    states, changes = np.asarray(answer.array("states")), np.asarray(answer.array("changes"))
    before, direction = np.asarray(answer.array("previous")), np.asarray(answer.array("direction"))
    planes = {
        int(way): parts(states, before, cluster, count, direction == way) for way in (1, -1) if (direction == way).any()
    }
    largest = max((float(np.abs(sum_of(list(planes.values())))[..., :].max(initial=0.0)), 1e-12))
    instance = said["instance"]
    label, guess = int(said["label"]), int(said["prediction"])
    made: dict[str, Any] = {
        "key": "text" if instance is None else f"i{instance}",
        "instance": instance,
        "title": "Typed text" if instance is None else f"Instance {instance:,}",
        "steps": len(states),
        "tokens": said["tokens"] if shown.kind == "text" else [],
        "unknown": said["unknown"],
        "padding": said.get("padding", []),
        "label": _class(shown, label) if label >= 0 else None,
        "prediction": _class(shown, guess),
        "share": _share(said["scores"], guess),
        "outcome": "" if label < 0 else "right" if label == guess else "wrong",
        "scale": largest,
        "planes": [{"way": way, "ends": packed16(values, largest)} for way, values in planes.items()],
        "kept": packed(answer.array("kept")),
        "change": packed(np.abs(changes).mean(1)),
        "word": packed(answer.array("word"), "<i4"),
        "rate": said["sampling_rate"],
        "reason": said["prefix_reason"],
    }
    return made | _prefix(shown, answer, guess) | _channels(answer)


def sum_of(planes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Ends of the bars over both directions."""
    return np.sum(planes, axis=0)


def _class(shown: Frame, label: int) -> dict[str, Any]:
    return {"label": label, "name": shown.class_name(label)[:60], "sign": class_sign(label)}


def class_sign(label: int) -> str:
    """The shape of a class. Blue and orange are signs here: classes go by shape and name."""
    return class_marks.SHAPES[label % len(class_marks.SHAPES)] if label >= 0 else "×"


def _share(scores: Sequence[float], guess: int) -> float | None:
    """Probability of the prediction; a single score is that of class 1."""
    if not scores:
        return None
    if len(scores) == 1:
        return float(scores[0] if guess == 1 else 1 - scores[0])
    return float(scores[guess]) if 0 <= guess < len(scores) else None


def _prefix(shown: Frame, answer: Answer, guess: int) -> dict[str, Any]:
    """Probability of what is predicted in the end, after each step, and where the prediction is another one."""
    if "prefix" not in answer.names():
        return {"prefix": "", "turns": []}
    shares = np.asarray(answer.array("prefix"), np.float64)
    if shares.shape[1] == 1:
        shares = np.concatenate([1 - shares, shares], 1)
    tried = np.flatnonzero(np.isfinite(shares).all(1))
    best = shares[tried].argmax(1) if len(tried) else np.zeros(0, np.int64)
    turns = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist()] if len(best) else []
    return {
        "prefix": packed(shares[:, guess]) if 0 <= guess < shares.shape[1] else "",
        "turns": [[int(tried[at]), _class(shown, int(best[at]))] for at in turns],
    }


def _channels(answer: Answer) -> dict[str, Any]:
    """The signal in shown units, of series; the first channels of many."""
    if "display" not in answer.names():
        return {"channels": []}
    display = np.asarray(answer.array("display"))
    names = [str(name) for name in answer.json["channels"]]
    drawn = [
        {"name": names[at] if at < len(names) else f"channel {at}", "values": packed(values)}
        for at, values in enumerate(display[:MOST_CHANNELS])
    ]
    return {"channels": drawn, "channels_in_all": len(display)}


def packed(values: Any, kind: str = "<f4") -> str:
    """Numbers as base64."""
    return b64encode(np.ascontiguousarray(np.asarray(values, kind)).tobytes()).decode()


def packed16(values: NDArray[Any], largest: float) -> str:
    """Numbers from -largest to largest in 16 bits each, as base64: enough for four digits."""
    return packed(np.rint(np.clip(values / largest, -1, 1) * STEPS16), "<i2")


def word_names(rows: Sequence[Mapping[str, Any]], answer: Answer | None, used: NDArray[Any]) -> dict[str, str]:
    """Names of the words of series, by number; {} while the responses are not known. rows: that need them."""
    if answer is None or not any(not one["tokens"] for one in rows):
        return {}
    ids = np.asarray(answer.array("id"))
    wanted = np.flatnonzero(np.isin(ids, used))
    return {str(int(ids[at])): str(answer.json["names"][at]) for at in wanted.tolist()}
