"""What will limit a view of a subject: which view, why, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.data.fingerprint import Fingerprint
from analysis.data.padding import is_told

if TYPE_CHECKING:
    from analysis.subject.session import Session

FEW = 10  # instances of a class below which its accuracy says little


def limits_of(session: Session, counts: list[int] | None, steadiness: str, data: Fingerprint) -> list[dict[str, str]]:
    """Limits of a subject: view, reason, remedy.

    Args:
        counts: instances of each class, None if there are no labels or they were not read. steadiness: whether an
            instance is the same at every reading ('fixed', 'seeded', 'random'). data: the data's fingerprint.
    """
    found = list(session.opened.limits)
    if session.n:
        found += _of_labels(session, counts)
        found += _of_pictures(session)
        found += _of_sequences(session)
        found += _of_data(session, steadiness, data)
        found += _of_layers(session)
    return [{"view": view, "reason": reason, "remedy": remedy} for view, reason, remedy in found]


Limits = list[tuple[str, str, str]]


def _of_labels(session: Session, counts: list[int] | None) -> Limits:
    views = "accuracy, classes, separation"
    if counts is None:
        if session.labelbook.complete:
            how = session.instances.label_how
            remedy = f"If they are known, give class numbers as {how}." if how else "Let items be pairs (input, label)."
            return [(views, "no instance has a label, so these are undefined", remedy)]
        reason = f"the labels of {session.n:,} instances are not read in advance, so classes are not counted"
        return [("class counts", reason, "Give the data set an attribute 'targets' with all labels.")]
    present = [n for n, count in enumerate(counts) if count]
    found: Limits = []
    if len(present) == 1:
        reason = f"all labels are {session.class_names[present[0]]!r}"
        found.append(("separation", f"{reason}, so separation of classes is undefined", "Use data of several classes."))
    missing = session.n - sum(counts)
    if missing:
        reason = f"{missing:,} of {session.n:,} instances have no label; they are left out"
        found.append(("accuracy, classes", reason, "Label them, or leave it."))
    few = sum(1 for count in counts if 0 < count < FEW)
    if few and len(present) > 1:
        reason = f"{few:,} {'class has' if few == 1 else 'classes have'} fewer than {FEW} instances"
        found.append(("accuracy by class", reason, "Read their intervals, not their values."))
    return found


def _of_pictures(session: Session) -> Limits:
    displays = session.opened.displays
    if displays is None or session.kind != "image":
        return []
    give = "Give inverse_transform=, a function from one input to a picture (values 0 to 1)."
    if displays.possible:
        return [("pictures", displays.possible, give)]
    found: Limits = []
    if not displays.scale.honest:
        found.append(("pictures", f"colours are not the original ones: {displays.scale.how}", give))
    sample, channels = session.opened.sample.principal, session.opened.kind.channels
    if channels is not None and sample.shape[channels] not in (1, 3, 4) and not displays.given:
        reason = f"instances have {sample.shape[channels]} channels; their mean is shown"
        found.append(("pictures", reason, give))
    return found


def _of_sequences(session: Session) -> Limits:
    found: Limits = []
    if session.kind == "text" and session.subject.decode is None:
        found.append(("texts", "tokens are shown as numbers", "Give decode=, a tokenizer or a dictionary of tokens."))
    if session.kind == "text" and not session.opened.embedding:
        found.append(("receptive fields", "the layer from ids to vectors is not known", "Give embedding_layer=."))
    padded = session.opened.sample.lengths is not None
    if padded and session.subject.forward_func is None and not is_told(session.instances.signature):
        reason = "sequences are padded and the model is not told where they end, so that batches influence its output"
        remedy = "Let forward take attention_mask= or lengths=, or give collate_fn=, which pads to one length."
        found.append(("predictions", reason, remedy))
    return found


def _of_data(session: Session, steadiness: str, data: Fingerprint) -> Limits:
    found: Limits = []
    if steadiness == "seeded":
        reason = "instances are drawn anew at every reading (augmentation); here each is always drawn the same way"
        found.append(("instances", reason, "Pass the data set with the transform of evaluation."))
    if steadiness == "random":
        reason = "instances differ at every reading, also with fixed seeds, so that results cannot be repeated"
        found.append(("all", reason, "Pass a data set that yields the same instance every time."))
    if not data.whole and steadiness != "random":
        remedy = "After changing single instances, save the subject file anew, so that results are computed again."
        found.append(("cached results", f"the data's fingerprint is {data.how}; other changes go unnoticed", remedy))
    skipped = session.instances.skipped
    if skipped:
        index, reason = next(iter(sorted(skipped.items())))
        text = f"{len(skipped):,} of the instances read so far cannot be used; instance {index:,}: {reason}"
        found.append(("instances", text, "Repair or remove them; they are left out and counted."))
    return found


def _of_layers(session: Session) -> Limits:
    usable = [info for info in session.layers if not info.reason]
    found: Limits = [
        ("layers", f"{info.key}: {info.reason}", "Other layers are not affected.")
        for info in session.layers
        if info.reason
    ]
    if not usable:
        found.append(("layers", "no layer can be shown", "Give layers=, names of modules that yield a tensor."))
    return found
