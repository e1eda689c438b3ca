"""From the selection to what the figures need: reads the store, asks the questions, draws nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from analysis.errors import NotFound
from analysis.records import LayerMeta, LayerRecord
from analysis.store.curves import curve
from analysis.store.reader import Run
from analysis.training.curves import continued
from analysis.training.findings import Finding, Thresholds
from analysis.training.health import curve_findings, layer_findings
from analysis.training.summary import LayerSummary, layer_summary
from analysis.training.tags import MetricGroup, pairs
from dashboard import services
from dashboard.selection import Selection
from dashboard.views.training.curve_figures import Series, points_per_line
from dashboard.views.training.perplexity_figures import LayerFrame

DEFAULT_GROUPS = ("loss", "accuracy")
MAX_GROUPS = 6


def metric_groups(runs: list[Run]) -> list[MetricGroup]:
    """Groups of the tags of all runs, without the epoch counter, which is an axis."""
    tags = [tag for run in runs for tag in run.tags() if tag != "epoch"]
    return pairs(tags)


def chosen_groups(selection: Selection, runs: list[Run]) -> list[str]:
    """Names of the groups to draw: the chosen ones, else loss and accuracy, else the first two."""
    groups = metric_groups(runs)
    names = [group.name for group in groups]
    chosen = [name for name in selection.tag if name in names]
    if not chosen:
        # A loss and an accuracy, by whatever name: 'loss' and 'acc', 'nll' and 'f1'.
        firsts = [next((g.name for g in groups if g.direction == way), None) for way in ("lower", "higher")]
        plain = [name if name in names else first for name, first in zip(DEFAULT_GROUPS, firsts, strict=True)]
        chosen = list(dict.fromkeys(name for name in plain if name)) or names[:2]
    return chosen[:MAX_GROUPS]


def tags_of(run: Run, groups: list[str]) -> list[tuple[str, str, str]]:
    """(group, role, tag) of every line this run contributes."""
    found: list[tuple[str, str, str]] = []
    for group in pairs([tag for tag in run.tags() if tag != "epoch"]):
        if group.name not in groups:
            continue
        found += [(group.name, "train", group.train)] if group.train else []
        found += [(group.name, "validation", group.validation)] if group.validation else []
        found += [(group.name, "other", tag) for tag in group.others]
    return found


def series_of(selection: Selection, runs: list[Run]) -> tuple[list[Series], list[str]]:
    """The lines to draw and the groups in order. Raises ParameterError when the x-axis is not to be had."""
    groups = chosen_groups(selection, runs)
    wanted = [(index, run, *line) for index, run in enumerate(runs) for line in tags_of(run, groups)]
    points = points_per_line(len(wanted) * (2 if selection.smooth else 1))
    cache = services.current().curves
    found = []
    for index, run, group, role, tag in wanted:
        origin, unit = scale_of(run, selection.axis)
        low, high = (value * unit + origin for value in selection.range) if selection.range else (None, None)
        answer = curve(
            run, tag, axis=selection.axis, lo=low, hi=high, points=points, smoothing=selection.smooth, cache=cache
        )
        info = run.info
        found.append(Series(info.id, info.name, index, group, role, tag, answer, origin, unit))
    return found, groups


def scale_of(run: Run, axis: str) -> tuple[float, float]:
    """Origin and unit of the x-axis: minutes since the run began, else as it is."""
    return (run.info.created, 60.0) if axis == "wall" else (0.0, 1.0)


def step_of(frame: Any) -> int | None:
    """The step that the slider shows; None follows the latest record."""
    step = frame.get("step") if isinstance(frame, dict) else None
    return step if isinstance(step, int) and 0 <= step < 2**53 else None


def record_steps(run: Run) -> list[int]:
    """Steps at which any layer of the run was recorded, ascending."""
    return sorted({place.step for places in run.layer_places().values() for place in places})


def nearest(records: list[LayerRecord], step: int | None) -> LayerRecord | None:
    """The latest record at or before the step; the first one when the step is earlier; the last one for None."""
    if not records:
        return None
    if step is None:
        return records[-1]
    at = int(np.searchsorted([record.step for record in records], step, side="right")) - 1
    return records[max(0, at)]


def baseline_of(records: list[LayerRecord], record: LayerRecord, base: str) -> LayerRecord | None:
    """The record that the change is counted from."""
    if base == "first":
        return records[0]
    if base == "previous":
        at = next(index for index, item in enumerate(records) if item is record)
        return records[at - 1] if at else None
    return nearest(records, int(base))


def frames_of(selection: Selection, runs: list[Run], step: int | None) -> list[LayerFrame]:
    """Every watched layer of run A at a step, in network order, with run B's record of the layer of that name."""
    histories = services.current().histories
    frames = []
    others = {meta.name: found.records for meta, found in histories.of(runs[1])} if len(runs) > 1 else {}
    for meta, found in histories.of(runs[0]):
        record = nearest(found.records, step)
        if record is None:
            continue
        other = nearest(others.get(meta.name, []), step)
        frames.append(LayerFrame(meta, record, baseline_of(found.records, record, selection.base), other))
    return frames


def records_of(run: Run, meta: LayerMeta) -> list[LayerRecord]:
    """The history of a layer, by step."""
    return services.current().histories.records(run, meta)


def layer_of(run: Run, name: str | None) -> LayerMeta:
    """The named layer, or the first watched one when none is chosen."""
    layers = run.layers()
    if not layers:
        raise NotFound(
            "This run has no watched layers.", "Call recorder.watch(model, probe=...) in the training script."
        )
    if name is None:
        return layers[0]
    for meta in layers:
        if meta.name == name:
            return meta
    raise NotFound(
        f"This run has no watched layer '{name}'.", f"Its layers are {', '.join(meta.name for meta in layers[:8])}."
    )


def thresholds_of(selection: Selection) -> Thresholds:
    """The rules' thresholds, with the one that the page lets the reader move."""
    return Thresholds.of({"stable_distance": selection.limit})


def summaries_of(run: Run, thresholds: Thresholds) -> list[tuple[LayerMeta, LayerSummary]]:
    """Every layer's badges: counts of unusual filters, and how far it moved between successive records."""
    memo = services.current().memo
    return [
        (
            meta,
            memo.get(
                ("summary", run.id, meta, found.version, thresholds),
                partial(layer_summary, meta, found.records, thresholds),
            ),
        )
        for meta, found in services.current().histories.of(run)
    ]


def findings_of(run: Run, selection: Selection) -> list[Finding]:
    """All findings of a run: curves first, then layers in network order."""
    thresholds = thresholds_of(selection)
    memo = services.current().memo
    found = list(_curve_findings(run, thresholds))
    for meta, history in services.current().histories.of(run):
        if history.records:
            key = ("findings", run.id, meta, history.version, thresholds)
            found += memo.get(key, partial(layer_findings, meta, history.records, thresholds))
    rank = {"problem": 0, "warning": 1, "hint": 2}
    return sorted(found, key=lambda item: rank[item.severity])


def _curve_findings(run: Run, thresholds: Thresholds) -> list[Finding]:
    """Computed anew only when something was logged."""
    answers = {tag: run.scalars(tag) for tag in run.tags() if tag != "epoch"}
    key = ("curves", run.id, tuple((tag, answer.cursor) for tag, answer in answers.items()), thresholds)

    def compute() -> list[Finding]:
        lines = {tag: continued(item.steps, item.values, item.segments) for tag, item in answers.items()}
        return curve_findings(lines, thresholds)

    return services.current().memo.get(key, compute)
