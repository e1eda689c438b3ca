"""A subject of any kind with made-up attributions, for the panels of the Attribution view; no worker, no model."""

from __future__ import annotations

import json
from typing import Any

import dash
import numpy as np
from dash import no_update
from plotly.utils import PlotlyJSONEncoder

from dashboard.views.attribution import controls_panel, instances_panel, maps_panel
from tests.extraction.fabricate import layer

from .maps_subject import MadeUp

SHAPES: dict[str, tuple[int, ...]] = {"image": (1, 28, 28), "series": (3, 50), "table": (8,), "text": (12,)}
BASELINES = {
    "name": "baselines",
    "kind": "choice",
    "default": "zero",
    "help": "What stands for 'nothing there'.",
    "low": None,
    "high": None,
    "choices": ["zero", "mean"],
}
STEPS = {"name": "n_steps", "kind": "int", "default": 50, "help": "Points.", "low": 2, "high": 1000, "choices": []}
FLAG = {"name": "abs", "kind": "flag", "default": False, "help": "Sizes.", "low": None, "high": None, "choices": []}


def method(name: str, title: str, family: str, **more: Any) -> dict[str, Any]:
    """What the pre-flight says of a method."""
    value: dict[str, Any] = {
        "name": name,
        "title": title,
        "family": family,
        "version": 1,
        "summary": f"What {title} does.",
        "source": "A paper.",
        "costs": "one pass",
        "form": "input",
        "signed": True,
        "complete": False,
        "coarse": False,
        "parameters": [],
        "reason": "",
        "notes": [],
    }
    return value | more


METHODS = [
    method("saliency", "Saliency", "gradient", parameters=[FLAG]),
    method("integrated_gradients", "Integrated Gradients", "gradient", complete=True, parameters=[BASELINES, STEPS]),
    method("deep_lift", "DeepLift", "gradient", reason="F.relu is called in 'block' twice.", complete=True),
    method("shapley_value_sampling", "Shapley values", "perturbation", complete=True),
    method("layer_conductance", "Layer conductance", "layer", form="filters"),
    method("attention", "Attention weights", "attention", form="attention", signed=False),
]
DEFAULTS = ["integrated_gradients", "saliency"]


class Explained(MadeUp):
    """As ``MadeUp``, with answers to 'attribution' that follow from the instance and the method."""

    def __init__(self, app: dash.Dash, kind: str = "image", *, name: str = "", **how: Any) -> None:
        layers = [layer("conv1", "conv", 12, (8, 8)), layer("fc", "linear", 10, (), 1)]
        about = {
            "kind": kind,
            "classes": [*map(str, range(9)), "<b>nine</b>"],
            "code": "c",
            "weights": "w",
            "data": "d",
        }
        about |= how.pop("description", {})
        super().__init__(app, f"explained {kind} {name}", description=about, layers=layers, n=80, kind=kind, **how)
        self.kind = kind
        self.methods = METHODS
        self.values: dict[str, np.ndarray] = {}  # by method, instead of random ones
        self.makers["attribution_methods"] = lambda unit: (  # noqa: ARG005
            {"methods": self.methods, "defaults": DEFAULTS},
            {},
        )
        self.makers["attribution"] = self.attribution

    def attribution(self, instance: int, method: str, **params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Random values; of a complete method with their sum as the change of the score."""
        said = next(one for one in self.methods if one["name"] == method)
        rng = np.random.default_rng(instance)
        shape = {"filters": (12,), "attention": (2, 12, 12)}.get(said["form"], SHAPES[self.kind])
        values = self.values.get(method, rng.normal(size=shape).astype("f4"))
        total = float(values.sum(dtype=np.float64))
        value: dict[str, Any] = {name: said[name] for name in ("title", "form", "signed", "complete", "coarse")}
        value |= {"method": method, "instance": instance, "target": [3], "unit": params.get("unit", "")}
        value |= {"params": params.get("params", {}), "score": total + 0.5, "baseline": 0.5, "sum": total}
        value |= {"prediction": 3, "label": 9, "scores": [[3, 0.75], [9, 0.2]], "notes": [], "layer": "conv1"}
        arrays = {"attribution": values}
        if self.kind == "text":
            value["tokens"] = ["the", "film", "<b>", "bad", "", "x", "was", "not", "very", "good", "at", "all"]
        else:
            size = {"image": (28, 28, 1), "series": (3, 50), "table": (8,)}[self.kind]
            display = rng.random(size)
            arrays["display"] = (255 * display).astype("u1") if self.kind == "image" else display.astype("f4")
        if method == "shapley_value_sampling":
            value |= {"samples": 12, "samples_planned": 100}
            arrays["spread"] = np.full(values.shape, 0.25, "f4")
        return value, arrays


def draw_maps(search: str, before: Any = None, scheme: str = "light") -> tuple[Any, ...]:
    """Outputs: mark, subtitle, state, hidden, outcome, class, three links, then the slots, then which are hidden."""
    return maps_panel.draw_maps(*[None] * 11, scheme, None, before, search)


def slots_of(drawn: tuple[Any, ...]) -> list[Any]:
    """The multiples of what ``draw_maps`` returned, those that are shown."""
    count = len(maps_panel.SLOTS)
    children, hidden = drawn[maps_panel.HEAD : maps_panel.HEAD + count], drawn[maps_panel.HEAD + count :]
    return [child for child, away in zip(children, hidden, strict=True) if away is not True]


def draw_controls(search: str, before: Any = None) -> tuple[Any, ...]:
    """See ``controls_panel.draw_controls``."""
    return controls_panel.draw_controls(*[None] * 10, before, search)


def draw_instances(search: str, before: Any = None, **local: Any) -> tuple[Any, ...]:
    """local: wrong, label, page, stored: what is not in the address."""
    wrong, label, page, stored = [local.get(name) for name in ("wrong", "label", "page", "stored")]
    return instances_panel.draw_instances(*[None] * 7, wrong, label, None, page, None, stored, before, search)


def silent(drawn: tuple[Any, ...]) -> bool:
    """Whether nothing is drawn anew."""
    return all(part is no_update for part in drawn)


def found_in(component: Any, name: str) -> list[Any]:
    """Components below one whose class names hold ``name``."""
    if isinstance(component, list | tuple):
        return [one for child in component for one in found_in(child, name)]
    here = [component] if name in str(getattr(component, "className", "") or "").split() else []
    return here + (found_in(component.children, name) if hasattr(component, "children") else [])


def pictures(component: Any) -> list[str]:
    """Addresses of all pictures below a component."""
    if isinstance(component, list | tuple):
        return [one for child in component for one in pictures(child)]
    here = [component.src] if getattr(component, "src", None) else []
    return here + (pictures(component.children) if hasattr(component, "children") else [])


def size_of(drawn: tuple[Any, ...]) -> int:
    """Bytes on the wire."""
    return len(json.dumps([part for part in drawn if part is not no_update], cls=PlotlyJSONEncoder))
