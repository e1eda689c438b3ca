"""A handful of instances with what the model says about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.errors import SubjectError

if TYPE_CHECKING:
    from analysis.subject.session import Session

COUNT = 8
TEXT = 400  # characters


def examples_of(session: Session) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    """Up to COUNT instances, of as many classes as possible, with predictions; and how they are shown, if of one shape.

    Returns:
        For each: index, label and prediction (class numbers, label None if missing), confidence, correct (None without
        a label), and text for texts. Arrays: 'examples', as ``Session.display``, one axis more.
    """
    if not session.n:
        return [], {}
    batch = session.batch(_chosen(session))
    logits = session.forward(batch).cpu().double()
    if not len(batch):
        return [], {}
    confidence, predicted = logits.softmax(1).max(1)
    rows: list[dict[str, Any]] = []
    shown: list[NDArray[Any]] = []
    for row, index in enumerate(batch.indices.tolist()):
        label, guess = int(batch.labels[row]), int(predicted[row])
        sure = float(confidence[row])
        entry: dict[str, Any] = {
            "index": index,
            "label": label if label >= 0 else None,
            "prediction": guess,
            "confidence": sure if np.isfinite(sure) else None,
            "correct": None if label < 0 else label == guess,
        }
        if session.kind == "text":
            entry["text"] = (session.text(index) or _joined(session, index))[:TEXT]
        else:
            shown.append(session.display(index))
        rows.append(entry)
    return rows, _stacked(shown)


def _chosen(session: Session) -> list[int]:
    """Of the instances looked at first, one of each class in turn until there are enough."""
    sample = session.opened.sample
    waiting: dict[int, list[int]] = {}
    for index, label in zip(sample.indices.tolist(), sample.labels.tolist(), strict=True):
        waiting.setdefault(label, []).append(index)
    chosen: list[int] = []
    while len(chosen) < COUNT and any(waiting.values()):
        for members in waiting.values():
            if members and len(chosen) < COUNT:
                chosen.append(members.pop(0))
    return sorted(chosen)


def _joined(session: Session, index: int) -> str:
    try:
        return " ".join(session.tokens(index))
    except SubjectError as error:
        return error.message


def _stacked(shown: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Arrays of one shape as one; series of several lengths are filled up with NaN."""
    if not shown or any(array.ndim != shown[0].ndim or not array.size for array in shown):
        return {}
    if len({array.shape for array in shown}) > 1:
        if shown[0].ndim != 2 or len({len(array) for array in shown}) > 1:
            return {}
        steps = max(array.shape[1] for array in shown)
        shown = [np.pad(a, ((0, 0), (0, steps - a.shape[1])), constant_values=np.nan) for a in shown]
    return {"examples": np.stack(shown)}
