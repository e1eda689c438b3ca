"""Answers ``attribution_subset``: one method over many instances: does it rest on the same place throughout?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.attribution import registry, wording
from analysis.attribution.case import Case
from analysis.attribution.explain import check_version, refuse_unfit
from analysis.attribution.faults import in_words
from analysis.attribution.measures.reproduced import refuse_unlike
from analysis.attribution.method import Method
from analysis.attribution.parameters import checked
from analysis.attribution.subsets import concentration, groups, means
from analysis.attribution.subsets.shares import Features, One, share_of
from analysis.errors import CutawayError, NotFound, ParameterError
from analysis.extraction.reader import Extraction
from analysis.extraction.sample import choose
from analysis.jobs.context import Cancelled
from analysis.subsets.subset import Named, columns_of, mask
from analysis.subsets.table import joined, of_extraction

MOST = 1000  # instances, whatever is asked for
BATCH = 16  # instances explained at once
SECONDS = 1.0  # between two partial answers


def attribution_subset(
    session: Any,
    context: Any,
    *,
    method: str,
    version: int,
    target: str = "predicted",
    unit: str = "",
    params: Mapping[str, Any] | None = None,
    subset: str = "all",
    most: int = 100,
    saved: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Explain instances of the sample by one method, and look for what they have in common.

    Each explanation is divided by the sum of its sizes first, so that no instance dominates; means are of these shares.

    Args:
        subset: as ``analysis.subsets.subset`` reads it: 'all', 'wrong', 'class:3', 'predicted:3', 'saved:NAME', or an
            expression. most: how many instances at most, each label with its part, drawn with the sample's random
            state. saved: the named subsets that it refers to, {name: {'text', 'indices': list or None}}.

    Returns:
        {'method', 'subset', 'n': instances explained, 'of': how many the subset has, 'skipped': [[index, reason]],
        'random_state', 'concentration': as ``concentration``, ...what ``means`` and ``groups`` say of it} and their
        arrays. The same is published meanwhile, without groups and with 'partial': True.

    Raises:
        ParameterError: there is no such subset, or the method's values do not lie on the input. NotFound: the subset
        has no instances, or none of them can be explained. AttributionError: the pre-flight refuses the method.
    """
    chosen = registry.get(method)
    check_version(chosen, version)
    values = checked(chosen.parameters, params or {})
    if chosen.result.form != "input":
        raise ParameterError(
            f"The values of {chosen.title} belong to a layer, not to the input: they have no common places.",
            "Choose a method whose values lie on the input.",
        )
    refuse_unfit(session, chosen, unit)
    seed = int(session.sample["random_state"])
    indices, total = members(session, subset, int(most), seed, saved or {})
    head = {"method": method, "subset": subset, "of": total, "random_state": seed}
    ones: list[One] = []
    skipped: list[list[Any]] = []
    last = time.monotonic()
    for found, left_out in _explained(session, context, chosen, values, (target, unit), indices):
        ones += found
        skipped += left_out
        if ones and time.monotonic() - last > SECONDS and len(ones) + len(skipped) < len(indices):
            arrays, value, _ = summary(session, ones)
            session.partial({**head, **value, "n": len(ones), "skipped": skipped, "partial": True}, arrays)
            last = time.monotonic()
    if not ones:
        raise NotFound(f"None of {len(indices):,} instances can be explained: {skipped[0][1]}", "Choose others.")
    arrays, value, features = summary(session, ones)
    more, told = groups.groups(ones, features, seed)
    return {**head, **value, **told, "n": len(ones), "skipped": skipped}, {**arrays, **more}


def members(
    session: Any, subset: str, most: int, seed: int, saved: Mapping[str, Mapping[str, Any]]
) -> tuple[list[int], int]:
    """Indices of the instances meant, ascending, and how many the subset has. Columns of metadata and features are
    asked for only where the subset is about them. Raises ParameterError, NotFound."""
    if most < 1:
        raise ParameterError(f"{most} instances cannot be explained.", "Choose at least one.")
    extraction: Extraction = session.extraction()
    table = of_extraction(extraction)
    known = {name: Named(str(one["text"]), one["indices"]) for name, one in saved.items()}
    if set(columns_of(subset, known)) - set(table.columns):
        table = joined(table, session.ask("instance_columns"))
    labels = np.asarray(extraction.labels)
    rows = np.flatnonzero(mask(subset, table, known))
    if not len(rows):
        raise NotFound("The sample has no such instance.", "Choose others, or a larger sample.")
    picked = rows[choose(labels[rows], min(most, MOST), seed)]
    return sorted(int(index) for index in np.asarray(extraction.indices)[picked]), len(rows)


def summary(session: Any, ones: Sequence[One]) -> tuple[dict[str, NDArray[Any]], dict[str, Any], Any]:
    """Means and concentration of what there is, by the kind of data; and the features that groups are made of."""
    names = list(getattr(session.subject, "feature_names", None) or ())
    if session.kind == "image":
        arrays, value, features = means.image(ones)
        value["concentration"] = _of_pictures(arrays, value, features)
        return arrays, value, features
    if session.kind == "series":
        arrays, value, features = means.series(ones, names, session.subject.sampling_rate)
    elif session.kind == "text":
        arrays, value, features = means.text(ones)
        value["concentration"] = concentration.of_tokens(value["tokens"], len(ones))
        return arrays, value, features
    else:
        arrays, value, features = means.table(ones, names)
    value["concentration"] = concentration.concentration(features)
    return arrays, value, features


def _of_pictures(arrays: dict[str, NDArray[Any]], value: dict[str, Any], cells: Features) -> dict[str, Any]:
    """Of a single region of the grid, or, where none leads, of a block of 2 x 2."""
    found = concentration.concentration(cells)
    whole = arrays.get("mean_absolute")
    wide = means.blocks(cells, value["grid"], None if whole is None else whole.shape)
    if found["concentrated"] or wide is None:
        return found
    block = concentration.concentration(wide, 4 / cells.shares.shape[1])
    return block if block["concentrated"] else found


def _explained(
    session: Any, context: Any, method: Method, values: Mapping[str, Any], what: tuple[str, str], indices: list[int]
) -> Iterator[tuple[list[One], list[list[Any]]]]:
    """Explanations batch by batch, and [index, reason] of instances left out. A batch that fails is taken apart."""
    done = 0
    size = max(1, min(BATCH, int(session.batch_size)))
    for start in range(0, len(indices), size):
        part = indices[start : start + size]
        _say(context, done, len(indices))
        try:
            yield _batch(session, context, method, values, what, part), []
        except CutawayError as error:
            if len(part) == 1:
                yield [], [[part[0], error.message]]
            else:
                yield from _one_by_one(session, context, method, values, what, part)
        done += len(part)
    _say(context, done, len(indices))


def _one_by_one(
    session: Any, context: Any, method: Method, values: Mapping[str, Any], what: tuple[str, str], part: list[int]
) -> Iterator[tuple[list[One], list[list[Any]]]]:
    for index in part:
        try:
            yield _batch(session, context, method, values, what, [index]), []
        except CutawayError as error:
            yield [], [[index, error.message]]


def _batch(
    session: Any, context: Any, method: Method, values: Mapping[str, Any], what: tuple[str, str], part: list[int]
) -> list[One]:
    """Explanations of instances, all or none. Raises CutawayError, in words."""

    def told(*_told: Any, **_named: Any) -> None:
        if getattr(context, "cancelled", False):
            raise Cancelled

    with in_words(method.title):
        batch = session.batch(part)
        case = Case(session, batch, *what)
        if len(case) < len(part):
            reasons = dict(batch.skipped)
            missing = next(index for index in part if index not in set(batch.indices.tolist()))
            raise NotFound(f"It cannot be read: {reasons.get(missing, 'it is not there')}.", "")
        with case:
            refuse_unlike(case)
            found = method.run(case, told, **values)
            wording.check_values(method.title, case, method.result.form, found.values)
            maps = wording.without_padding(case, found.values.detach())
            best = case.logits.argmax(1).tolist()
            return [_one(session, case, maps, row, best[row]) for row in range(len(case))]


def _one(session: Any, case: Case, maps: torch.Tensor, row: int, prediction: int) -> One:
    index = int(case.batch.indices[row])
    shares = share_of(case.natural(maps, row))
    if shares is None:
        raise ParameterError("Its explanation is 0 everywhere, or has values that are not finite.", "")
    tokens = session.tokens(index)[: shares.size] if case.kind == "text" else []
    # A map of one row stands for all channels: it says nothing of any of them.
    channels = case.inputs.shape[case.channels] if case.channels is not None else 1
    joined = case.kind == "series" and len(shares) == 1 and channels > 1
    return One(index, int(case.batch.labels[row]), int(prediction), shares, tokens, joined)


def _say(context: Any, done: int, total: int) -> None:
    if getattr(context, "cancelled", False):
        raise Cancelled
    context.progress(done, total, "instances", "Explaining")
