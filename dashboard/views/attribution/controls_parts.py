"""The list of methods, and the parameters of those shown, made from what each method declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from analysis.attribution.parameters import Parameter
from analysis.errors import ParameterError
from dashboard.readers import MAX_METHODS
from dashboard.views.attribution import data
from dashboard.widgets.attributes import attributes

FAMILIES = {
    "gradient": "Gradient",
    "propagation": "Propagation",
    "perturbation": "Perturbation",
    "layer": "Layers and units",
    "attention": "Attention",
}
COMMON = "baselines"  # has a control for all methods
MANY = 3  # methods with the same note: it is said once


def declared(method: dict[str, Any]) -> list[Parameter]:
    """What a method declares, as the pre-flight fitted it to the model."""
    return [Parameter.from_json(one) for one in method["parameters"]]


def methods(shown: data.Frame) -> list[Any]:
    """All methods by family; those that do not fit are grey, with the reason below them."""
    shared = shared_notes(shown)
    told = {"data-at-defaults": ",".join(shown.defaults), "data-at-most": str(MAX_METHODS)}
    parts: list[Any] = [html.Span(id="at-methods-known", hidden=True, **attributes(told))]
    parts += [html.P(line, className="at-done") for line in shared.values()]
    known = dict.fromkeys([*FAMILIES, *(str(item["family"]) for item in shown.methods)])
    full = len(shown.chosen) >= MAX_METHODS
    for family in known:
        listed = [item for item in shown.methods if item["family"] == family]
        if listed:
            title = FAMILIES.get(family, family.capitalize())
            parts.append(
                html.Div(
                    [html.H4(title), *(_method(item, shown, full, shared) for item in listed)],
                    className="at-family",
                    role="group",
                    **attributes({"aria-label": title}),
                )
            )
    return parts


def note(shown: data.Frame) -> str:
    """How many are shown, and whether more can be; assets/attribution.js says it in the same words between answers."""
    count = len(shown.chosen)
    text = f"{count} shown, at most {MAX_METHODS}"
    if count >= MAX_METHODS:
        text = f"{count} shown, the most there can be: untick one to choose another"
    return text + ("." if shown.selection.methods else "; these are the defaults.")


def shared_notes(shown: data.Frame) -> dict[str, str]:
    """What is done alike for many methods, said once: the note, and the line that says for how many."""
    fitting = [item for item in shown.methods if not item["reason"]]
    count: dict[str, int] = {}
    for item in fitting:
        for note in item["notes"]:
            count[str(note)] = count.get(str(note), 0) + 1
    most = len(fitting)
    return {
        note: f"{note} ({'All' if number == most else f'{number} of {most}'} methods that fit.)"
        for note, number in count.items()
        if number >= MANY
    }


def _method(item: dict[str, Any], shown: data.Frame, full: bool, shared: dict[str, str]) -> html.Div:
    name, reason = str(item["name"]), str(item["reason"])
    chosen = name in shown.chosen
    blocked = not chosen and (bool(reason) or full)
    state = {
        "aria-checked": "true" if chosen else "false",
        "aria-disabled": "true" if blocked else "false",
        "data-at-method": name,
        "data-at-fits": "no" if reason else "yes",
    }
    box = html.Button(
        [html.Span(className="at-box", **attributes({"aria-hidden": "true"})), item["title"]],
        type="button",
        role="checkbox",
        className="at-check",
        **attributes(state),
    )
    lines: list[Any] = [box]
    if reason:
        lines.append(html.P(reason, className="at-reason"))
    else:
        own = [str(note) for note in item["notes"] if str(note) not in shared]
        lines += [html.P(note, className="at-done") for note in own[:3]]
    about = [html.P(item["summary"]), html.P(item["source"], className="quiet")]
    if item.get("costs"):
        about.insert(1, html.P(f"Costs: {item['costs']}.", className="quiet"))
    lines.append(html.Details([html.Summary("about", **attributes({"aria-label": f"About {item['title']}"})), *about]))
    return html.Div(lines, className="at-method grey" if reason else "at-method")


def parameters(shown: data.Frame) -> list[Any]:
    """The parameters of every method shown; the common baseline is not among them."""
    parts: list[Any] = []
    for name in shown.chosen:
        method = shown.method(name)
        own = [one for one in declared(method) if one.name != COMMON]
        if method["reason"] or not own:
            continue
        values, problem = _values(shown, method)
        rows: list[Any] = [_parameter(name, one, values.get(one.name, one.default)) for one in own]
        if problem:
            rows.insert(0, html.P(problem, className="damage"))
        opened = bool(problem) or name == shown.selection.method
        parts.append(html.Details([html.Summary(method["title"]), *rows], open=opened, className="at-parameters"))
    return parts


def _values(shown: data.Frame, method: dict[str, Any]) -> tuple[dict[str, Any], str]:
    try:
        return data.params_of(shown.selection, method), ""
    except ParameterError as error:
        return {}, f"{error.message} {error.remedy}"


def _parameter(method: str, one: Parameter, value: Any) -> html.Div:
    """The control of one parameter; its id says which it is. assets/attribution.js writes it into the address."""
    label = one.name.replace("_", " ")
    said = attributes({"aria-label": f"{label} of {method.replace('_', ' ')}"})
    name = {"type": "at-param", "name": f"{method}.{one.name}"}
    if one.kind in ("int", "float"):
        control: Any = dmc.NumberInput(
            id=name,
            value=value,
            min=one.low,
            max=one.high,
            step=1 if one.kind == "int" else _step(one),
            allowDecimal=one.kind == "float",
            debounce=500,
            size="xs",
            w=112,
            **said,
        )
    else:
        options = [("true", "on"), ("false", "off")] if one.kind == "flag" else _options(one)
        text = str(value).lower() if one.kind == "flag" else str(value)
        control = dmc.Select(
            id=name,
            data=[{"value": key, "label": shown} for key, shown in options],
            value=text or None,
            allowDeselect=False,
            searchable=len(options) > 8,
            placeholder="automatic",
            size="xs",
            w=150,
            **said,
        )
    return html.Div([html.Span(label, className="control-label"), control, html.P(one.help, className="at-help")])


def _options(one: Parameter) -> Sequence[tuple[str, str]]:
    return [(choice, choice.replace("_", " ") if one.kind == "choice" else choice) for choice in one.choices if choice]


def _step(one: Parameter) -> float:
    if one.low is not None and one.high is not None and one.high > one.low:
        return float(f"{(one.high - one.low) / 20:.0e}")
    return 0.1


def baselines(shown: data.Frame) -> list[dict[str, str]]:
    """What the common baseline may be for this model: what any method that fits offers."""
    words = {
        "zero": "zero: as the model gets it",
        "mean": "mean of instances",
        "blur": "the instance, blurred",
        "own": "the subject's own",
    }
    offered: dict[str, None] = {}
    for method in shown.methods:
        for one in declared(method):
            if one.name == COMMON and not method["reason"]:
                offered |= dict.fromkeys(choice for choice in one.choices if choice in words)
    return [{"value": name, "label": words[name]} for name in words if name in offered] or [
        {"value": "zero", "label": words["zero"]}
    ]


def defaults(shown: data.Frame) -> dict[str, str]:
    """Defaults of all parameters as an address would write them: a value at its default leaves the address."""
    found: dict[str, str] = {}
    for method in shown.methods:
        for one in declared(method):
            value = str(one.default).lower() if one.kind == "flag" else one.default
            found[f"{method['name']}.{one.name}"] = f"{value:.12g}" if isinstance(value, float) else str(value)
    return found
