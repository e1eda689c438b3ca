"""What the panels of the Layers view have in common: statistics, findings and answers that are already there.

Everything is kept between requests under the activations' own key, so that a redraw costs nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from analysis.layers.findings import LayerFinding, layer_findings, network_findings
from analysis.layers.health import case_of
from analysis.layers.health import health as health_of
from analysis.layers.statistics import FilterStatistics, filter_statistics
from analysis.questions import keys
from analysis.results import Answer
from dashboard import services, subjects
from dashboard.views.layers import data


def peek(shown: data.Frame, question: str, **params: Any) -> Answer | None:
    """An answer that somebody asked for before; it is not asked for now."""
    checkpoint = subjects.checkpoint_of(shown.selection)
    sample = subjects.sample_of(shown.selection, shown.description)
    key = keys.answer_key(shown.description, question, params, checkpoint, sample)
    return services.current().answers.get(key)


def asked(shown: data.Frame, question: str, **params: Any) -> subjects.Asked:
    """The answer if it is there; else it is on its way, or failed. Nothing is waited for: the pulse comes back."""
    return subjects.ask(shown.selection, question, wait=0.0, **params)


def filter_map(shown: data.Frame, layer: str | None = None) -> Answer | None:
    """Similarities and tallies of a layer's filters, if they were computed. layer: a key; None for the one shown."""
    return peek(shown, "filter_map", layer=layer or shown.layer.key, count=data.PATCHES)


def statistics(shown: data.Frame) -> FilterStatistics:
    """Of the filters of the layer shown."""
    found: FilterStatistics = data.memo(
        "statistics", (shown.key, shown.layer.key), partial(filter_statistics, shown.extraction, shown.layer.key)
    )
    return found


def health(shown: data.Frame) -> list[str]:
    """What is wrong with each filter of the layer shown, '' for nothing."""
    answer = filter_map(shown)
    found: list[str] = data.memo(
        "health",
        (shown.key, shown.layer.key, answer.key if answer else None),
        lambda: health_of(case_of(shown.extraction, shown.layer.key, answer)),
    )
    return found


def findings(shown: data.Frame, layer: str) -> list[LayerFinding]:
    """Of one layer, the gravest first."""
    answer = filter_map(shown, layer)
    found: list[LayerFinding] = data.memo(
        "findings",
        (shown.key, layer, answer.key if answer else None),
        partial(layer_findings, shown.extraction, layer, answer),
    )
    return found


def by_layer(shown: data.Frame) -> dict[str, list[LayerFinding]]:
    """Findings of every layer; {} until the sample is complete, because every layer's activations are read for it."""
    if not shown.extraction.complete:
        return {}
    return {info.key: findings(shown, info.key) for info in shown.layers}


def of_network(shown: data.Frame) -> list[LayerFinding]:
    """Findings about the depth of the network; none until the separation of the classes was measured."""
    measured, _ = separation(shown, ask=False)
    if measured is None:
        return []
    found: list[LayerFinding] = data.memo("network", shown.key, partial(network_findings, shown.extraction, measured))
    return found


def separation(shown: data.Frame, *, ask: bool) -> tuple[dict[str, Any] | None, str]:
    """How far each layer separates the classes, once measured, else None and how far measuring it is.

    ask: start measuring it; else only an answer that is there already is shown.
    """
    answer = peek(shown, "separation")
    if answer is not None:
        return answer.json, ""
    if not ask:
        return None, ""
    found = asked(shown, "separation")
    if found.answer is not None:
        return found.answer.json, ""
    return None, progress_of(found, "Measuring class separation")


def progress_of(found: subjects.Asked, what: str) -> str:
    """One line for a question that is not answered yet, or that failed."""
    job = found.job
    if found.state == "failed":
        error = (job.error if job else None) or {}
        if job is not None and job.state == "cancelled":
            return f"{what} was cancelled."
        return f"{what} failed: {error.get('message') or 'no reason was given'} {error.get('remedy') or ''}".strip()
    progress = (job.progress if job else None) or {}
    if progress.get("total"):
        unit = progress.get("unit") or ""
        return f"{what}: {progress.get('done', 0):,} of {progress['total']:,} {unit}".strip() + " …"
    return f"{what} …"
