"""Answers ``instance_columns``: metadata, features and the subject's own subsets, for the rows of the extraction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data import seeds
from analysis.data.metadata import Column as Given
from analysis.errors import CutawayError
from analysis.extraction.reader import Extraction
from analysis.jobs.context import Cancelled
from analysis.subject import opening
from analysis.subsets import features
from analysis.subsets.expression import WRONG
from analysis.subsets.features import Feature
from analysis.subsets.table import CATEGORY, NUMBER, TEXT, TRUTH, UNKNOWN, packed

OF_MODEL = ("index", "label", "prediction", "correct", "confidence", "loss", "margin", "entropy", "text", WRONG)
_TRUTHS = ({"True", "False"}, {"true", "false"}, {"yes", "no"})
_TRUE = ("True", "true", "yes")
Arrays = dict[str, NDArray[Any]]
Made = tuple[dict[str, Any], NDArray[Any] | list[str] | None]  # what is said of a column, and its values


def instance_columns(session: Any, context: Any) -> tuple[dict[str, Any], Arrays]:
    """What is known of each instance of the sample beside what the model says.

    Returns:
        {'columns': [{'name', 'title', 'kind', 'names', 'unit', 'source', 'reason'}], 'text': whether instances have a
        text}; reason: why a column has no values, else ''. Arrays: 'index' int64 (n,), the rows; 'c/<place>' of each
        column: float64 or float32, int32 places in names (-1 missing), uint8 1, 0 or 255; of texts joined UTF-8 and
        'c/<place>/offsets'; 'text' and 'offsets' likewise.
    """
    extraction: Extraction = session.extraction()
    indices = np.asarray(extraction.indices, np.int64)
    taken: set[str] = set(OF_MODEL)
    made = [_metadata(column, indices, taken) for column in session.metadata]
    features_, texts = _features(session, extraction, context, taken)
    made += features_
    made += _functions(session, indices, context, taken)
    arrays: Arrays = {"index": indices}
    for at, (_, values) in enumerate(made):
        if isinstance(values, list):
            arrays[f"c/{at}"], arrays[f"c/{at}/offsets"] = packed(values)
        elif values is not None:
            arrays[f"c/{at}"] = values
    if texts is not None:
        arrays["text"], arrays["offsets"] = packed(texts)
    return {"columns": [said for said, _ in made], "text": texts is not None}, arrays


def _said(name: str, title: str, kind: str, source: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "title": title, "kind": kind, "names": [], "unit": "", "source": source, "reason": ""} | more


def _free(name: str, taken: set[str], source: str) -> str:
    """A name that no other column has; a backtick could not be written in an expression."""
    name = " ".join(name.replace("`", "'").split())[:120] or "column"
    made, number = name if name not in taken else f"{source}_{name}", 2
    while made in taken:
        made, number = f"{source}_{name}_{number}", number + 1
    taken.add(made)
    return made


# Metadata -----------------------------------------------------------------------------------------------------------


def _metadata(column: Given, indices: NDArray[np.int64], taken: set[str]) -> Made:
    values = column.values[indices]
    name = _free(column.name, taken, "metadata")
    if column.kind == NUMBER:
        return _said(name, column.name, NUMBER, "metadata"), values.astype(np.float64)
    if column.kind == TEXT:
        return _said(name, column.name, TEXT, "metadata"), [str(value) for value in values]
    names, codes = np.unique(column.values, return_inverse=True)
    there = [str(one) for one in names if one != ""]
    if set(there) and any(set(there) <= truths for truths in _TRUTHS):
        truth = np.where(values == "", UNKNOWN, np.isin(values, _TRUE)).astype(np.uint8)
        return _said(name, column.name, TRUTH, "metadata"), truth
    missing = len(names) > 0 and names[0] == ""  # sorted first
    placed = codes.reshape(-1)[indices].astype(np.int32) - int(missing)
    return _said(name, column.name, CATEGORY, "metadata", names=there), placed


# Features -----------------------------------------------------------------------------------------------------------


def _features(
    session: Any, extraction: Extraction, context: Any, taken: set[str]
) -> tuple[list[Made], list[str] | None]:
    """Features by kind; and the texts, None of other kinds."""
    if session.kind == "text":
        return _of_texts(session, extraction, context, taken)
    if session.kind == "table":
        return _of_rows(session, extraction, context, taken), None
    if session.kind == "image":
        listed: Sequence[Feature] = features.PICTURE
        lines = [features.of_picture(display) for display in _displays(extraction, context)]
        reason = "pictures cannot be shown, so they have no brightness"
    else:
        listed, lines = _of_series(session, extraction, context)
        reason = "series cannot be read"
    return _columns(listed, lines, taken, reason), None


def _columns(listed: Sequence[Feature], lines: list[features.Values], taken: set[str], reason: str) -> list[Made]:
    """Columns of numbers; one that is the same for all instances says nothing of them and is left out, and said so."""
    made: list[Made] = []
    if lines and not any(lines):
        return [(_said(listed[0].name, listed[0].title, NUMBER, "feature", reason=reason), None)]
    for feature in listed:
        values = np.array([line.get(feature.name, np.nan) for line in lines], np.float32)
        there = values[np.isfinite(values)]
        if not len(there):
            continue
        said = _said(_free(feature.name, taken, "feature"), feature.title, NUMBER, "feature", unit=feature.unit)
        if len(there) > 1 and there.min() == there.max():
            made.append((said | {"reason": f"it is {there[0]:g} for all instances of the sample"}, None))
        else:
            made.append((said, values))
    return made


def _displays(extraction: Extraction, context: Any) -> Iterator[NDArray[Any]]:
    """Each instance as it is shown; an empty array where it cannot be."""
    for done, display in enumerate(extraction.displays()):
        _say(context, done, extraction.done)
        yield np.zeros((0, 0, 1), np.uint8) if display is None else display
    _say(context, extraction.done, extraction.done)


def _of_texts(session: Any, extraction: Extraction, context: Any, taken: set[str]) -> tuple[list[Made], list[str]]:
    lines, texts = [], []
    indices = extraction.indices.tolist()
    for done, index in enumerate(indices):
        _say(context, done, len(indices))
        tokens, text = _text(session, extraction, index)
        texts.append(text)
        lines.append(features.of_text(tokens, text))
    return _columns(features.WRITTEN, lines, taken, "texts cannot be read"), texts


def _text(session: Any, extraction: Extraction, index: int) -> tuple[list[str], str]:
    """Tokens and text; a text that items carry beside their ids goes before the tokens put together."""
    try:
        tokens = extraction.tokens(index)
    except CutawayError:
        return [], ""
    try:
        return tokens, session.text(index) or features.text_of(tokens)
    except CutawayError:
        return tokens, features.text_of(tokens)


def _of_series(session: Any, extraction: Extraction, context: Any) -> tuple[list[Feature], list[features.Values]]:
    first = next((display for display in _displays(extraction, context) if display.ndim == 2), np.zeros((0, 0)))
    count, rate = len(first), session.subject.sampling_rate
    given = session.subject.feature_names or []
    titles = list(given) if len(given) == count else [f"Channel {at}" for at in range(count)]
    if count == 1 and len(given) != count:
        titles = ["Value"]
    joined = count > features.MOST_CHANNELS
    if joined:
        titles = ["Mean of channels"]
    names: list[str] = []
    for at, title in enumerate(titles):
        name = features.slug(title, "channel")
        names.append(name if name not in names else f"{name}_{at}")
    lines = []
    for display in _displays(extraction, context):
        line = np.nanmean(display, axis=0, keepdims=True) if joined and display.ndim == 2 else display
        lines.append(features.of_series(line, names, rate))
    return features.series_features(names, titles, rate), lines


def _of_rows(session: Any, extraction: Extraction, context: Any, taken: set[str]) -> list[Made]:
    """The columns of a table themselves."""
    displays = [np.asarray(display, np.float32).ravel() for display in _displays(extraction, context)]
    count = max((len(display) for display in displays), default=0)
    given = session.subject.feature_names or []
    titles = list(given) if len(given) == count else [f"column_{at}" for at in range(count)]
    values = np.full((len(displays), count), np.nan, np.float32)
    for row, display in enumerate(displays):
        values[row, : len(display)] = display
    made: list[Made] = []
    for at, title in enumerate(titles[: features.MOST_COLUMNS]):
        made.append((_said(_free(title, taken, "feature"), title, NUMBER, "feature"), values[:, at]))
    if count > len(made):
        reason = f"{count:,} columns are too many; the first {len(made):,} are there"
        made.append((_said("other columns", "Other columns", NUMBER, "feature", reason=reason), None))
    return made


# Functions of the subject file --------------------------------------------------------------------------------------


def _functions(session: Any, indices: NDArray[np.int64], context: Any, taken: set[str]) -> list[Made]:
    """One column of truths for each function; one that fails is left out, with its reason."""
    given: dict[str, Callable[..., Any]] = session.subject.subsets
    if not given:
        return []
    values = {name: np.full(len(indices), UNKNOWN, np.uint8) for name in given}
    reasons: dict[str, str] = {}
    size = max(1, int(session.batch_size))
    row_of = {int(index): row for row, index in enumerate(indices)}
    for start in range(0, len(indices), size):
        _say(context, start, len(indices))
        batch = session.batch(indices[start : start + size].tolist())
        for place, index in enumerate(batch.indices.tolist()):
            for name, function in given.items():
                if name not in reasons:
                    x = opening.without_padding(batch, session.opened.kind, place).clone()
                    _call(function, x, index, name, values[name], row_of[index], reasons)
    return [
        (
            _said(_free(name, taken, "function"), name, TRUTH, "function", reason=reasons.get(name, "")),
            None if name in reasons else values[name],
        )
        for name in given
    ]


def _call(
    function: Callable[..., Any],
    x: Any,
    index: int,
    name: str,
    values: NDArray[np.uint8],
    row: int,
    reasons: dict[str, str],
) -> None:
    with seeds.random_states_kept():
        seeds.seed(index)
        try:
            values[row] = bool(function(x, index))
        except Exception as error:
            reasons[name] = f"it raises {type(error).__name__} for instance {index:,}: {str(error)[:200]}"


def _say(context: Any, done: int, total: int) -> None:
    if getattr(context, "cancelled", False):
        raise Cancelled
    if done % 64 == 0 or done == total:
        context.progress(done, total, "instances", "Describing")
