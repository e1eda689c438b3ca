"""What is to be said about a layer's filters and about the depth of a network, each with the test that checks it.

The sentences are of the kind of ``analysis.training.findings``, but of one set of weights and a whole sample. None
claims that a filter or a layer can go: that is what the test is for (D8: dead or duplicate filters, dense layers after
the classes are separated).
"""

from __future__ import annotations

from typing import Any

from analysis.extraction.reader import Extraction
from analysis.layerinfo import LayerInfo
from analysis.layers import rules
from analysis.layers.health import case_of
from analysis.layers.rules import LayerFinding
from analysis.layers.undetected import undetected
from analysis.results import Answer
from analysis.training.findings import Finding, Thresholds, layer_name, plural

__all__ = ["LayerFinding", "layer_findings", "network_findings", "undetected"]

# A dense layer repeats an earlier one if it raises kNN purity and silhouette by no more. In LeNets of several sizes a
# second dense layer brings 0 to .016 and .03 to .11; the first one behind the convolutions .18 to .5, .16 to .3.
PURITY_GAIN = 0.02
SILHOUETTE_GAIN = 0.15
_SEVERITIES = ("problem", "warning", "hint")


def layer_findings(
    extraction: Extraction, key: str, filter_map: Answer | None = None, thresholds: Thresholds | None = None
) -> list[LayerFinding]:
    """What is to be said about a layer, the gravest first.

    filter_map: the answer of that question for the layer; without it, duplicates are not looked for. Fewer than 32
    instances yield nothing, and the model's output layer is judged only by what it does not detect.
    Raises NotFound for an unknown layer.
    """
    case = case_of(extraction, key, filter_map, thresholds)
    found = [
        *rules.nonfinite(case),
        *rules.dead(case),
        *rules.always_on(case),
        *rules.duplicates(case),
        *rules.undetected(extraction, case),
        *rules.specific(case, extraction),
    ]
    return sorted(found, key=lambda one: _SEVERITIES.index(one.finding.severity))


def network_findings(extraction: Extraction, separation: dict[str, Any]) -> list[LayerFinding]:
    """What is to be said about the depth: dense layers behind one that separates the classes as well.

    separation: the plain part of the answer to the question of that name.
    """
    return _redundant(extraction, separation)


def _redundant(extraction: Extraction, separation: dict[str, Any]) -> list[LayerFinding]:
    """Dense layers whose kNN purity and silhouette do not improve on an earlier dense layer's."""
    infos = {info.key: info for info in extraction.layers if info.kind == "linear" and not info.spatial}
    rows = [row for row in separation["layers"] if row["layer"] in infos and _told(row)]
    rows.sort(key=lambda row: infos[row["layer"]].order)
    found = []
    for place, row in enumerate(rows):
        info = infos[row["layer"]]
        earlier = [other for other in rows[:place] if infos[other["layer"]].filters > 1]
        if info.output or not earlier:
            continue
        before = max(earlier, key=lambda other: float(other["knn_purity"]))
        purity, silhouette = (row[name] - before[name] for name in ("knn_purity", "silhouette"))
        if purity <= PURITY_GAIN and silhouette <= SILHOUETTE_GAIN and row["knn_purity"] > 2 * separation["chance"]:
            found.append(_repeats(info, infos[before["layer"]], row, before, separation))
    return found


def _told(row: dict[str, Any]) -> bool:
    return row["knn_purity"] is not None and row["silhouette"] is not None


def _repeats(
    info: LayerInfo, first: LayerInfo, row: dict[str, Any], before: dict[str, Any], separation: dict[str, Any]
) -> LayerFinding:
    name, other = layer_name(rules.meta_of(info)), layer_name(rules.meta_of(first))
    finding = Finding(
        "redundant",
        "hint",
        "layer",
        f"{name} separates the classes hardly better than {other} does already "
        f"(kNN purity {row['knn_purity']:.2f} against {before['knn_purity']:.2f}).",
        layer=info.key,
        evidence=(
            ("kNN purity", f"{before['knn_purity']:.3f} in {other}, {row['knn_purity']:.3f} in {name}"),
            ("silhouette", f"{before['silhouette']:.3f} in {other}, {row['silhouette']:.3f} in {name}"),
            ("by chance", f"purity {separation['chance']:.3f}"),
            ("measured on", plural(int(row["n"]), "instance")),
        ),
        explanation=f"Reported when a dense layer raises the purity of the {separation['k']} nearest neighbours by no "
        f"more than {PURITY_GAIN:g} and the silhouette by no more than {SILHOUETTE_GAIN:g} over an earlier one.",
        action="Test what the model loses without it; if hardly anything, train again without it.",
    )
    return LayerFinding(finding, {"question": "bypass", "params": {"layer": info.key}})
