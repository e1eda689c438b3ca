"""Answers ``attribution_disagreement``: how far methods disagree about each of many instances. No torch.

Every map is an answer of its own and is kept: what was computed before is not computed again, and an instance that is
looked at later is there at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.attribution.agreement import COMPARED, rank_correlations
from analysis.errors import CutawayError, NotFound, ParameterError
from analysis.jobs.context import Cancelled
from analysis.results import Answer

MOST = 1000  # instances of one answer
SECONDS = 1.0  # between two partial answers
SKIPPED = 20  # reasons that are kept
HOPELESS = 10  # instances in a row, from the first, that cannot be explained: then none is tried any more


def attribution_disagreement(
    session: Any,
    context: Any,
    *,
    instances: Sequence[int],
    methods: Sequence[Mapping[str, Any]],
    target: str = "predicted",
    unit: str = "",
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Explain each instance by each method, and compare its maps.

    Args:
        instances: indices in the data set, at most ``MOST``; they are explained in this order. methods: {'method',
            'version', 'params'} of each, at least two. target, unit: as the question ``attribution`` takes them.

    Returns:
        {'n': instances with a disagreement, 'done': instances explained, 'of': how many were asked for, 'skipped':
        [[index, reason]] of the first that have none} and {'instance': (done,) int64, 'disagreement': (done,) float32,
        as ``disagreement``, NaN where it is undefined or a map is missing}. The same is published meanwhile.

    Raises:
        ParameterError: there are too many instances, or too few methods. NotFound: none of the first instances can be
        explained, for a reason that holds for all, such as a method that does not fit.
    """
    if len(methods) < 2:
        raise ParameterError("One method alone cannot disagree.", "Choose at least two whose values lie on the input.")
    if not 1 <= len(instances) <= MOST:
        raise ParameterError(f"{len(instances):,} instances cannot be compared at once.", f"Ask for 1 to {MOST:,}.")
    values: list[float] = []
    skipped: list[list[Any]] = []
    last = time.monotonic()
    for index in instances:
        context.progress(len(values), len(instances), "instances", "Explaining")
        if getattr(context, "cancelled", False):
            raise Cancelled
        try:
            with _quiet(context):
                found = [
                    session.ask("attribution", instance=int(index), target=target, unit=unit, edit=[], **dict(one))
                    for one in methods
                ]
            value = disagreement(found)
        except CutawayError as error:
            value = None
            skipped.append([int(index), error.message])
            if len(skipped) == len(values) + 1 == min(HOPELESS, len(instances)):
                reason = f"None of {len(skipped):,} instances can be explained: {error.message}"
                raise NotFound(reason, error.remedy) from error
        values.append(np.nan if value is None else value)
        if time.monotonic() - last > SECONDS and len(values) < len(instances):
            said, arrays = _answer(instances, values, skipped)
            session.partial({**said, "partial": True}, arrays)
            last = time.monotonic()
        if hasattr(context, "breathe"):
            context.breathe()  # whoever looks at one instance meanwhile does not wait for all of them
    return _answer(instances, values, skipped)


def disagreement(answers: Sequence[Answer]) -> float | None:
    """1 minus the mean over pairs of answers of the rank correlation of their sizes; None where it is undefined.

    Source: Krishna et al., The Disagreement Problem in Explainable Machine Learning, TMLR 2024.
    """
    found = [answer for answer in answers if answer.json.get("form") in COMPARED]
    if len(found) < 2:
        return None
    coarse = [bool(answer.json.get("coarse")) for answer in found]
    matrix = rank_correlations([answer.array("attribution") for answer in found], coarse)
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    return float(1 - np.nanmean(pairs)) if np.isfinite(pairs).any() else None


def _answer(
    instances: Sequence[int], values: Sequence[float], skipped: Sequence[list[Any]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    known = np.asarray(values, np.float32)
    said = {"n": int(np.isfinite(known).sum()), "done": len(values), "of": len(instances), "skipped": skipped[:SKIPPED]}
    return said, {"instance": np.asarray(instances[: len(values)], np.int64), "disagreement": known}


@contextmanager
def _quiet(context: Any) -> Iterator[None]:
    """What one map says of its progress would hide how far all of them are; a cancel is seen all the same."""
    told = context.progress

    def silent(*_told: Any, **_named: Any) -> None:
        if getattr(context, "cancelled", False):
            raise Cancelled

    context.progress = silent
    try:
        yield
    finally:
        context.progress = told
