"""What assets/sequences.js draws: boxes of words, chips of units, links, and how words move units; at most 300 kB."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.results import Answer
from dashboard.views.sequences.clusters_pictures import pictures
from dashboard.views.sequences.data import Frame, written

MOST = 400  # words that are drawn
MOST_CODES = 120_000  # numbers of words by units that are sent, one byte each
MOST_NAME = 28
CLEAR = 1.96  # z from which on a word has the colour of a class
PERCENTILES = 51  # 50, 51, ..., 100


def payload(shown: Frame, responses: Answer, clusters: Answer, most: int = MOST) -> dict[str, Any]:
    """Plain values, short names; lists that end in a word's number go by the words drawn.

    Returns:
        'layer', 'words': which, 'units': U, 'k', 'total': words clustered, 'classes', 'parts': of speech, 'boxes' and
        'chips' by cluster ({'size', 'drawn', 'cls'}, [units]), 'links' (k, k), 'w': {'id', 'name', 'count', 'held',
        'cluster', 'size': ||s||, 'cls', 'z', 'label', 'pos'}, 'codes': responses as int8 in base64, rows of U by word,
        of the 'coded' words with the largest ||s||, then of 'boxes' in the mean, with 'scale' a row; 'limits':
        percentiles 50 to 100 of |s|, 'pictures': of series.
    """
    said, own = clusters.json, np.asarray(clusters.array("word_cluster"))
    rows = np.asarray(clusters.array("word"))
    norms = np.asarray(responses.array("norm"), np.float64)[rows]
    drawn = chosen(own, norms, int(said["k"]), most)
    at = rows[drawn]
    values = np.asarray(responses.array("mean"), np.float32)[rows]
    codes, scale, coded = _codes(values, drawn, own, int(said["k"]))
    return {
        "layer": shown.layer,
        "words": shown.words,
        "units": int(values.shape[1]),
        "k": int(said["k"]),
        "total": len(rows),
        "classes": shown.class_names,
        "parts": list(responses.json["pos_names"]),
        "boxes": [
            {"size": one["size"], "drawn": int((own[drawn] == one["id"]).sum()), "cls": _or(one["class"])}
            for one in said["word_clusters"]
        ],
        "chips": [one["units"] for one in said["unit_clusters"]],
        "links": short(clusters.array("links")),
        "w": _words(responses, clusters, drawn, at, norms),
        "codes": codes,
        "scale": scale,
        "coded": coded,
        "limits": short(np.percentile(np.abs(values), np.linspace(50, 100, PERCENTILES))),
        "pictures": pictures(responses, at),
    }


def chosen(own: NDArray[Any], norms: NDArray[Any], k: int, most: int) -> NDArray[np.int64]:
    """Which of the words are drawn: of each cluster its share, the strongest first. Sorted by ||s||, the largest first.

    Args:
        own: cluster of each word (W,). norms: ||s|| (W,).
    """
    order = np.argsort(-norms, kind="stable")
    if len(own) <= most:
        return order.astype(np.int64)
    kept = []
    for number in range(k):
        members = order[own[order] == number]
        kept.append(members[: max(1, most * len(members) // len(own))])
    found = np.concatenate(kept)
    return found[np.argsort(-norms[found], kind="stable")].astype(np.int64)


def _words(
    responses: Answer, clusters: Answer, drawn: NDArray[np.int64], at: NDArray[np.int64], norms: NDArray[Any]
) -> dict[str, Any]:
    names = responses.json["names"]
    related = np.asarray(clusters.array("association"), np.float64)[drawn]
    best, z = leaning(related)
    parts = np.asarray(responses.array("pos"))[at] if "pos" in responses.names() else np.full(len(at), -1)
    return {
        "id": np.asarray(responses.array("id"))[at].tolist(),
        "name": [written(str(names[row]), MOST_NAME) for row in at],
        "count": np.asarray(responses.array("count"))[at].tolist(),
        "held": np.asarray(responses.array("sequences"))[at].tolist(),
        "cluster": np.asarray(clusters.array("word_cluster"))[drawn].tolist(),
        "size": short(norms[drawn]),
        "cls": best.tolist(),
        "z": short(np.round(z, 1)),
        "label": _labels(responses, at).tolist(),
        "pos": parts.tolist(),
    }


def leaning(z: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The class that each word goes with, -1 where that is not clear, and its z; both (V,). z: (V, C)."""
    if not z.shape[1]:
        return np.full(len(z), -1, np.int64), np.zeros(len(z))
    filled = np.where(np.isnan(z), -np.inf, z)
    best = filled.argmax(1)
    largest = filled[np.arange(len(z)), best]
    return np.where(largest >= CLEAR, best, -1), np.where(np.isfinite(largest), largest, 0.0)


def _labels(responses: Answer, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """The label that most sequences with the word have, -1 where none is labelled."""
    counts = np.asarray(responses.array("by_class"))[at]
    if not counts.shape[1]:
        return np.full(len(at), -1, np.int64)
    return np.where(counts.sum(1) > 0, counts.argmax(1), -1).astype(np.int64)


def _codes(
    values: NDArray[np.float32], drawn: NDArray[np.int64], own: NDArray[Any], k: int
) -> tuple[str, list[float], int]:
    """Responses in a byte each: the largest of a row is 127. Words that do not fit are asked for when chosen."""
    units = values.shape[1]
    coded = max(0, min(len(drawn), MOST_CODES // max(1, units) - k))
    means = np.zeros((k, units), np.float32)
    for number in np.unique(own):
        means[int(number)] = values[own == number].mean(0)
    part = np.concatenate([values[drawn[:coded]], means])
    largest = np.abs(part).max(1, initial=0.0).astype(np.float64)
    scale = np.where(largest > 0, largest / 127, 1.0)
    whole = np.rint(part / scale[:, None]).astype(np.int8)
    return base64.b64encode(whole.tobytes()).decode(), short(scale), coded


def short(values: Any) -> Any:
    """Lists of numbers with four digits."""
    found = np.asarray(values, np.float64)
    if found.ndim > 1:
        return [short(row) for row in found]
    return [float(f"{value:.4g}") for value in np.nan_to_num(found)]


def _or(value: int | None) -> int:
    return -1 if value is None else int(value)
