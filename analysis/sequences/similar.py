"""Answers ``sequence_similar``: where else the units are on that stay on through a span of one sequence.

After Strobelt et al., 'LSTMVis' (IEEE TVCG 2018): a span is chosen where one knows what the text is about, and the
moments elsewhere say what the units that are on have in common.
"""

from __future__ import annotations

import heapq
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.tokens import numbered
from analysis.errors import ParameterError
from analysis.sequences import inputs, states
from analysis.sequences.faults import SequenceError
from analysis.sequences.index import GRAIN, coded
from analysis.sequences.sources import Source

FEW = 3  # moments of one instance
CONTEXT = 6  # tokens on either side
MOST = 10_000  # moments
RULE = (
    "A unit is on at a step where its state has the sign that it has in the span, and at least {share} of the unit's "
    "99th percentile of |state|. A moment's score is the share of units and steps that are on in a window as long as "
    "the span; its steps are the longest stretch in it where at least half of the units are on. Moments do not "
    "overlap, and at most {few} are of one instance."
)


@dataclass(frozen=True)
class Index:
    """The arrays of ``sequence_index`` that a search reads: codes (U, S) int8, offset (n + 1,)."""

    codes: NDArray[np.int8]
    offset: NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """A moment: number of its sequence, first and last step among the sequence's own, and its score."""

    sequence: int
    first: int
    last: int
    score: float


def on_through(codes: NDArray[np.int8], threshold: int) -> list[tuple[int, int]]:
    """Units that are on with one sign through all steps, strongest first: (unit, sign). codes: of the span, (t, U)."""
    up: NDArray[np.bool_] = np.all(codes >= threshold, axis=0)
    down: NDArray[np.bool_] = np.all(codes <= -threshold, axis=0)
    strength = np.abs(codes.astype(np.int64)).sum(0)
    chosen = np.flatnonzero(up | down)
    chosen = chosen[np.argsort(-strength[chosen], kind="stable")]
    return [(int(unit), 1 if up[unit] else -1) for unit in chosen]


def search(
    index: Index,
    units: list[tuple[int, int]],
    threshold: int,
    length: int,
    most: int,
    own: tuple[int, int, int] | None = None,
) -> list[Found]:
    """The best moments over all steps, as ``RULE`` says. own: (sequence, first, last) of the span, left out."""
    steps = index.codes.shape[1]
    on: NDArray[Any] = np.zeros(steps, np.uint8 if len(units) < 256 else np.uint16)
    for unit, sign in units:
        codes = index.codes[unit]
        on += (codes >= threshold if sign > 0 else codes <= -threshold).view(np.uint8)  # no copy to another type
    need, full = math.ceil(len(units) / 2), length * len(units)
    ends = np.minimum(np.arange(steps) + length, np.repeat(index.offset[1:], np.diff(index.offset)))
    score = _summed(on, ends)
    score[_summed(on >= need, ends) == 0] = 0  # no step of the window matches
    if own is not None:
        start = int(index.offset[own[0]])
        score[max(start, start + own[1] - length + 1) : start + own[2] + 1] = 0
    filled = np.flatnonzero(np.diff(index.offset) > 0)
    best = np.maximum.reduceat(score, index.offset[filled]) if len(filled) else np.zeros(0, np.int64)
    found: list[Found] = []
    highest: list[float] = []  # scores of the best so far, the lowest first
    for place in np.argsort(-best, kind="stable"):
        if best[place] <= 0 or (len(highest) >= most and best[place] / full <= highest[0]):
            break
        sequence = int(filled[place])
        whole = slice(int(index.offset[sequence]), int(index.offset[sequence + 1]))
        for moment in _of_one(sequence, score[whole].copy(), on[whole] >= need, length, full):
            found.append(moment)
            heapq.heappush(highest, moment.score)
            if len(highest) > most:
                heapq.heappop(highest)
    found.sort(key=lambda moment: (-moment.score, moment.sequence, moment.first))
    return found[:most]


def _of_one(sequence: int, score: NDArray[np.int64], matches: NDArray[np.bool_], length: int, full: int) -> list[Found]:
    """The best windows of one sequence that do not overlap. score: of the window that begins at each step."""
    found = []
    for _ in range(FEW):
        start = int(score.argmax())
        if score[start] <= 0:
            break
        first, last = _longest(matches[start : start + length])
        found.append(Found(sequence, start + first, start + last, float(score[start]) / full))
        score[max(0, start - length + 1) : start + length] = 0
    return found


def _summed(values: NDArray[Any], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums over the windows that begin at each step and stop before ``ends``, (S,)."""
    total = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=total[1:])
    found: NDArray[np.int64] = total[ends] - total[:-1]
    return found


def _longest(matches: NDArray[np.bool_]) -> tuple[int, int]:
    """First and last of the longest stretch that is True; there is one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], matches.astype(np.int8), [0]])))
    begins, ends = edges[0::2], edges[1::2]
    widest = int((ends - begins).argmax())
    return int(begins[widest]), int(ends[widest]) - 1


def sequence_similar(
    session: Any,
    _context: Any,
    *,
    layer: str,
    state: str,
    depth: int,
    instance: int,
    start: int,
    stop: int,
    threshold: float = 0.5,
    units: list[int] | None = None,
    most: int = 50,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Moments of the sample at which the units of a span are on.

    All steps are searched, none is skipped.

    Args:
        layer, state, depth: of the source. instance: in the data set, of the sample or not. start, stop: first and last
            step of the span. threshold: share of each unit's 99th percentile of |state| from which on it is on, in
            hundredths, 0.01 to 1.27. units: which, each with its mean sign in the span; [] or None: all that are on
            through the span with one sign. most: moments.

    Returns:
        {'units': [[unit, sign]], the strongest first, 'moments': [{'instance', 'start', 'stop': first and last step,
        'score': 0..1, 'label', 'prediction', 'before', 'tokens', 'after': names of tokens, [] of series}], best first,
        'by_label': [{'class', 'name', 'share' of the moments, 'base': share of the sample, 'moments'}], 'steps',
        'sequences': searched, 'seconds': of the search, 'rule': in words, 'threshold', 'length': steps of the span};
        arrays of series: 'picture' (moments, channels, 2 x length) in shown units, the moment in the middle, NaN
        outside of the series, and 'first' (moments,): the step at which it begins.

    Raises:
        NotFound: no such layer or instance. ParameterError: a span, threshold or unit that is not there. SequenceError:
            no unit is on through the span; as ``states.of_batch`` and ``sequence_index``.
    """
    source = states.source_of(session, layer, state, depth)
    level = _level(threshold)
    if not 1 <= most <= MOST:
        raise ParameterError(f"{most:,} moments cannot be listed.", f"Choose 1 to {MOST:,}.")
    answer = session.ask("sequence_index", layer=layer, state=state, depth=depth)
    scale, offset = answer.array("scale"), answer.array("offset")
    places, rows = answer.array("step"), answer.array("row")
    span, where = _span(session, source, instance, start, stop)
    codes = coded(span, scale)
    chosen = _chosen(codes, span, units, level, instance, start, stop)
    extraction = session.extraction()
    indices = np.asarray(extraction.indices)[rows]
    known = np.flatnonzero(indices == instance)
    own = (int(known[0]), *where) if len(known) else None
    all_codes = answer.array("codes")
    began = time.perf_counter()
    found = search(Index(all_codes, offset), chosen, level, len(span), most, own)
    seconds = time.perf_counter() - began
    labels, answers = np.asarray(extraction.labels)[rows], np.asarray(extraction.predictions)[rows]
    moments = [
        {
            "instance": int(indices[one.sequence]),
            "start": int(places[offset[one.sequence] + one.first]),
            "stop": int(places[offset[one.sequence] + one.last]),
            "score": one.score,
            "label": int(labels[one.sequence]),
            "prediction": int(answers[one.sequence]),
            "before": [],
            "tokens": [],
            "after": [],
        }
        for one in found
    ]
    arrays = _surroundings(session, moments, len(span))
    return {
        "units": [list(pair) for pair in chosen],
        "moments": moments,
        "by_label": _by_label(moments, labels, extraction.class_names),
        "steps": int(answer.json["steps"]),
        "sequences": int(answer.json["sequences"]),
        "seconds": seconds,
        "rule": RULE.format(share=f"{level} %", few=FEW),
        "threshold": threshold,
        "length": len(span),
    }, arrays


def _level(threshold: float) -> int:
    parts = round(threshold * GRAIN) if math.isfinite(threshold) else 0
    if not 1 <= parts <= 127:
        raise ParameterError(
            f"A unit cannot count as on from {threshold:g} of its 99th percentile.", "Choose 0.01 to 1.27."
        )
    return parts


def _span(
    session: Any, source: Source, instance: int, start: int, stop: int
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """States (t, U) of the span's steps, and its first and last step when padding is not counted."""
    batch = session.batch([int(instance)])
    if not len(batch):
        raise SequenceError(f"Instance {instance:,} cannot be read: {batch.skipped[0][1]}.", "Choose another.")
    chunk = states.of_batch(session, batch, source)
    good = states.valid(chunk)[0]
    steps = int(good.nonzero()[0].max(initial=-1)) + 1
    if not steps:
        raise SequenceError(f"Instance {instance:,} has no steps but padding.", "Choose another.")
    if not 0 <= start <= stop < steps or not good[start : stop + 1].all():
        raise ParameterError(f"Instance {instance:,} has no {_named(start, stop)}.", f"Its steps are 1 to {steps:,}.")
    first = int(good[:start].sum())
    return chunk.states[0, start : stop + 1], (first, first + stop - start)


def _named(start: int, stop: int) -> str:
    """Steps as the page counts them, from 1."""
    return f"step {start + 1:,}" if start == stop else f"steps {start + 1:,} to {stop + 1:,}"


def _chosen(
    codes: NDArray[np.int8],
    span: NDArray[np.float32],
    units: list[int] | None,
    level: int,
    instance: int,
    start: int,
    stop: int,
) -> list[tuple[int, int]]:
    """The units that are searched for, each with its sign."""
    count = codes.shape[1]
    if units:
        wrong = [unit for unit in units if not 0 <= int(unit) < count]
        if wrong:
            raise ParameterError(f"There is no unit {wrong[0]:,}.", f"The layer's are 0 to {count - 1:,}.")
        wanted = list(dict.fromkeys(int(unit) for unit in units))
        return [(unit, 1 if span[:, unit].sum() >= 0 else -1) for unit in wanted]
    found = on_through(codes, level)
    if not found:
        raise SequenceError(
            f"No unit is on through {_named(start, stop)} of instance {instance:,}, with the same sign and at "
            f"least {level} % of its 99th percentile.",
            "Choose a shorter span, or a lower threshold.",
        )
    return found


def _by_label(moments: list[dict[str, Any]], labels: NDArray[np.int64], names: list[str]) -> list[dict[str, Any]]:
    """How often each class of the sample has a moment, against how often it is in the sample."""
    of_moments = [moment["label"] for moment in moments if moment["label"] >= 0]
    known = labels[labels >= 0]
    return [
        {
            "class": label,
            "name": names[label] if label < len(names) else str(label),
            "share": of_moments.count(label) / len(of_moments) if of_moments else None,
            "base": float((known == label).mean()),
            "moments": of_moments.count(label),
        }
        for label in np.unique(known).tolist()
    ]


def _surroundings(session: Any, moments: list[dict[str, Any]], length: int) -> dict[str, NDArray[Any]]:
    """Fill in the tokens of texts; of series, pictures and where they begin."""
    if session.kind == "text":
        wanted = list(dict.fromkeys(moment["instance"] for moment in moments))
        for at in range(0, len(wanted), session.batch_size):
            batch = session.batch(wanted[at : at + session.batch_size])
            ids = dict(zip(batch.indices.tolist(), inputs.ids_of(batch), strict=True))
            lengths = dict(zip(batch.indices.tolist(), _lengths(batch), strict=True))
            for moment in moments:
                if moment["instance"] in ids:
                    one = ids[moment["instance"]][: lengths[moment["instance"]]].tolist()
                    names = session._decoder(one) if session._decoder else numbered(one)
                    first, behind = moment["start"], moment["stop"] + 1
                    moment["before"] = names[max(0, first - CONTEXT) : first]
                    moment["tokens"] = names[first:behind]
                    moment["after"] = names[behind : behind + CONTEXT]
        return {}
    if session.kind != "series" or not moments:
        return {}
    shown = [np.asarray(session.display(moment["instance"]), np.float32) for moment in moments]
    pictures = np.full((len(moments), max(len(one) for one in shown), 2 * length), np.nan, np.float32)
    first = np.array([moment["start"] - length // 2 for moment in moments], np.int64)
    for number, (start, values) in enumerate(zip(first.tolist(), shown, strict=True)):
        if values.ndim == 2:
            part = values[:, max(0, start) : max(0, start + 2 * length)]
            pictures[number, : len(part), max(0, -start) : max(0, -start) + part.shape[1]] = part
    return {"picture": pictures, "first": first}


def _lengths(batch: Any) -> list[int]:
    steps = batch.principal.shape[1]
    return [steps] * len(batch) if batch.lengths is None else [int(number) for number in batch.lengths.tolist()]
