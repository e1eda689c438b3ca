"""What was understood of a subject: the pre-flight page's content, and part of the key of every answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.data.draws import draws
from analysis.data.fingerprint import Fingerprint, fingerprint
from analysis.errors import CutawayError
from analysis.models import checkpoints
from analysis.subject.examples import examples_of
from analysis.subject.limits import limits_of
from analysis.subject.opening import value_range
from analysis.subject.subject import parameters_of

if TYPE_CHECKING:
    from analysis.subject.session import Progress, Session

READ_LABELS = 20_000  # instances whose labels are read one by one, where no attribute holds them
OPENED_BYTES = 4 << 30  # of checkpoints that are opened to compare them with the model; further ones are hashed only
PROBED = 3  # instances that are read again, to see whether they change


def describe(session: Session, progress: Progress | None = None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A subject as plain values, and its example instances.

    Returns:
        The description, JSON; and arrays: 'examples' as uint8 (e, H, W, C), float32 (e, channels, steps) or
        (e, columns), if the examples have one shape. Not for texts.
    """
    began = time.monotonic()
    subject, opened = session.subject, session.opened
    steadiness = _steadiness(session)
    from_attribute = session.labelbook.at_once()
    readable = bool(from_attribute) or session.n <= READ_LABELS
    counts = _counts(session, progress) if readable else None
    known = session.labels() if from_attribute else None
    data = fingerprint(subject.source, stable=steadiness != "random", labels=known, progress=progress)
    if progress is not None:
        progress(0, 0, "", "Predicting a few instances")
    examples, arrays = examples_of(session)
    files = _checkpoints(session, progress)
    total, trainable = parameters_of(session.model)
    principal = opened.sample.principal if opened.sample.main is not None else None
    value: dict[str, Any] = {
        "name": subject.name or type(session.model).__name__,
        "kind": session.kind,
        "kind_reason": opened.kind.reason,
        "n": session.n,
        "classes": session.class_names,
        "class_counts": counts,
        "device": str(session.device),
        "torch": torch.__version__,
        "batch_size": subject.batch_size,
        "sampling_rate": subject.sampling_rate,
        "feature_names": subject.feature_names,
        "input": {
            "shape": [] if principal is None else list(principal.shape[1:]),
            "dtype": "" if principal is None else str(principal.dtype).removeprefix("torch."),
            "range": value_range(opened.sample),
        },
        "output": {"shape": list(opened.scores.shape[1:]), "how": opened.scores.how},
        "model": {
            "type": type(session.model).__name__,
            "parameters": total,
            "trainable": trainable,
            "modules": sum(1 for _ in session.model.modules()) - 1,
        },
        "layers": [info.to_json() for info in session.layers],
        "axes": session.axes,
        "inferred": inferred(session, data, from_attribute, counts),
        "limits": limits_of(session, counts, steadiness, data),
        "examples": examples,
        "checkpoints": files,
        "metadata": {"columns": [column.to_json() for column in session.metadata]} if session.metadata else None,
        "always_include": list(subject.always_include),
        "skipped": [[index, reason] for index, reason in sorted(session.instances.skipped.items())],
        "weights": session.weights,
        "data": data.digest,
        "code": session.code,
        "notices": list(session.notices),
        "weight_notices": list(subject.weight_notes),
        "seconds": round(time.monotonic() - began, 3),
    }
    return value, arrays


def inferred(session: Session, data: Fingerprint, labels_from: str, counts: list[int] | None) -> list[dict[str, str]]:
    """What was inferred: what, its value, why, and how it is overridden. ``labels_from``: the attribute that holds all
    labels, '' if none does. ``counts``: instances of each class, None if there are no labels or they were not read.
    """
    subject, opened, instances = session.subject, session.opened, session.instances
    rows: list[tuple[str, str, str, str]] = []

    def say(what: str, value: Any, why: str, override: str) -> None:
        rows.append((what, str(value), why, override))

    say("data", f"{session.n:,} instances", subject.source.how, "dataset")
    if session.n:
        say("kind", session.kind, opened.kind.reason, "kind=")
        say("scores", f"{opened.scores.classes:,} classes", opened.scores.how, "output= or forward_func=")
        say("class names", f"{len(session.class_names):,}", opened.names_how, "class_names=")
        call = instances.call
        if call is not None and (call.args or call.kwargs):
            passed = ", ".join((*call.args, *call.kwargs))
            dropped = f"; not passed: {', '.join(call.dropped)}" if call.dropped else ""
            why = call.how or "the fields that the model's forward takes by name"
            say("model's inputs", passed, f"{why}{dropped}", "forward_func= or collate_fn=")
        label = instances.label_how or "items hold nothing but inputs"
        absent = counts is None and session.labelbook.complete
        if absent and instances.label_how:
            label += " is no class number in any instance"
        say("labels", "none" if absent or not instances.label_how else "found", label, "collate_fn=")
        if labels_from and not absent:
            say("all labels", labels_from, "it agrees with the items that were compared", "collate_fn=")
        for remark in instances.labeller.unusual.values():
            say("labels", "as class numbers", remark, "collate_fn=")
    if opened.displays is not None and opened.displays.scale.how:
        say("pixels", "0 to 255 of bytes", opened.displays.scale.how, "inverse_transform=")
    if opened.embedding:
        say("embedding", opened.embedding, "the first layer that takes the ids", "embedding_layer=")
    if opened.pad_how:
        say("padding id", opened.pad_how.split(",")[0], opened.pad_how, "embedding's padding_idx, or collate_fn=")
    if session.floating not in (None, torch.float32):
        dtype = str(session.floating).removeprefix("torch.")
        say("precision", dtype, "that of the model's weights; inputs are converted to it", "model.float()")
    say("fingerprint of the data", data.digest[:12], data.how, "")
    return [{"what": a, "value": b, "why": c, "override": d} for a, b, c, d in rows]


def _counts(session: Session, progress: Progress | None) -> list[int] | None:
    labels = session.labels(progress=progress)
    present = labels[labels >= 0]
    if not len(present):
        return None
    return [int(count) for count in np.bincount(present, minlength=len(session.class_names))]


def _steadiness(session: Session) -> str:
    """'fixed', 'seeded' or 'random': the worst of a few instances."""
    found = {draws(session.subject.source, int(index)) for index in session.opened.sample.indices[:PROBED]}
    return next((state for state in ("random", "seeded") if state in found), "fixed")


def _checkpoints(session: Session, progress: Progress | None) -> list[dict[str, Any]]:
    """Each checkpoint's checksum, size and format, and what keeps it from being used, '' if nothing does."""
    listed = []
    opened = 0
    files = session.subject.checkpoints
    for done, (name, path) in enumerate(files.items()):
        if progress is not None:
            progress(done, len(files), "checkpoints", "Comparing checkpoints with the model")
        size = _size(path)
        entry: dict[str, Any] = {"name": name, "path": str(path.absolute()), "sha256": "", "format": "", "bytes": size}
        try:
            if opened + size <= OPENED_BYTES:
                state = checkpoints.load_checkpoint(path, trusted=session.trusted)
                opened += size
                differs = checkpoints.differences(session.model, state.tensors)
                entry |= {"sha256": state.sha256, "format": state.format, "notes": list(state.notes)}
                entry["problem"] = differs.sentence() if differs else ""
            else:
                entry |= {"sha256": checkpoints.sha256_of(path), "format": "not opened yet", "problem": ""}
        except CutawayError as error:
            entry["problem"] = f"{error.message} {error.remedy}".strip()
        except OSError as error:
            entry["problem"] = f"{path} cannot be read: {error.strerror}."
        listed.append(entry)
    return listed


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
