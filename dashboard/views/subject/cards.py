"""The panels' contents, made from the subject's description (a plain dictionary)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard.widgets.attributes import attributes
from dashboard.widgets.states import empty

MOST_CLASSES = 30
CODE = """# my_subject.py
import torch
from analysis import Subject


def subject():
    model = MyNet()                      # any torch.nn.Module
    model.load_state_dict(torch.load("weights.pt", weights_only=True))
    dataset = MyDataset("validation")    # anything with len() and [i] -> (x, y)
    return Subject(model, dataset)"""
COMMAND = "python run.py serve runs/ --subject my_subject.py"


def no_subject() -> html.Div:
    """How to begin."""
    return empty(
        "No model is open",
        "Write a file with a function subject() that returns your model and your data, and name it when you start the "
        "server. Only these two are required; class names, shapes and the kind of data are found out.",
        html.Div(
            [
                html.Pre(CODE, className="code"),
                html.P("Then start the server with it:"),
                html.Pre(COMMAND, className="code"),
                html.P(
                    "From a script or a notebook, Subject(model, dataset).serve() does the same. "
                    "Two demos of the Runs view come with a subject of their own."
                ),
            ],
            className="how-to",
        ),
    )


def understood(found: dict[str, Any]) -> list[Any]:
    """What was inferred, why, and how to override it."""
    facts = _facts(found)
    rows = [
        html.Tr(
            [
                html.Th(str(item.get("what", "")), scope="row"),
                html.Td(str(item.get("value", "")), className="value"),
                html.Td(
                    [
                        html.Span(str(item.get("why", ""))),
                        html.Span(["Override with ", html.Code(str(item["override"]))], className="override")
                        if item.get("override")
                        else None,
                    ]
                ),
            ]
        )
        for item in found.get("inferred", [])
    ]
    head = html.Thead(html.Tr([html.Th(text, scope="col") for text in ("what", "taken as", "because")]))
    table = html.Table([head, html.Tbody(rows)], className="inferred") if rows else None
    return [html.Dl(facts, className="fact-tiles"), table]


def _facts(found: dict[str, Any]) -> list[Any]:
    model, input_ = found.get("model") or {}, found.get("input") or {}
    readable = [item for item in found.get("layers", []) if not item.get("reason")]
    shape = " × ".join(str(size) for size in input_.get("shape", ())) or "not a tensor"
    rows = [
        ("model", str(model.get("type", "")), f"{model.get('modules', 0):,} modules"),
        ("parameters", f"{model.get('parameters', 0):,}", f"{model.get('trainable', 0):,} trainable"),
        ("layers to look into", f"{len(readable):,}", f"of {len(found.get('layers', [])):,} found"),
        ("data", str(found.get("kind", "")), f"{found.get('n', 0):,} instances"),
        ("classes", f"{len(found.get('classes', [])):,}", _few(found.get("classes", []))),
        ("input", shape, str(input_.get("dtype", ""))),
    ]
    return [
        html.Div([html.Dt(label), html.Dd([html.Strong(value), html.Span(more)])], className="fact-tile")
        for label, value, more in rows
    ]


def _few(names: Sequence[Any]) -> str:
    shown = ", ".join(str(name)[:24] for name in names[:4])
    return shown + (", …" if len(names) > 4 else "")


def all_limits(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What limits a view: what was found out about model and data, and the checkpoints that cannot be used."""
    bad = [item for item in found.get("checkpoints", []) if item.get("problem")]
    remedy = "Correct its entry in checkpoints=, or leave it out."
    return [
        *found.get("limits", []),
        *({"view": f"checkpoint {item.get('name')}", "reason": item["problem"], "remedy": remedy} for item in bad),
    ]


def limits(found: dict[str, Any]) -> Any:
    """Each limit with its reason and its remedy."""
    items = all_limits(found)
    if not items:
        return html.P("Nothing: every view applies to this subject.", className="quiet")
    return html.Ul(
        [
            html.Li(
                [
                    html.Strong(str(item.get("view", ""))),
                    html.P(str(item.get("reason", ""))),
                    html.P(["What to do: ", str(item["remedy"])], className="quiet") if item.get("remedy") else None,
                ]
            )
            for item in items
        ],
        className="limits",
    )


def examples(found: dict[str, Any], address: str | None) -> Any:
    """A card per instance. address: of its picture, with '{index}' for its place; None without pictures."""
    classes = found.get("classes", [])
    items = found.get("examples", [])
    if not items:
        return html.P("No instance could be read.", className="damage")
    return html.Ul([_example(item, place, classes, address) for place, item in enumerate(items)], className="examples")


def _example(item: dict[str, Any], place: int, classes: list[Any], address: str | None) -> html.Li:
    index, label = item.get("index"), item.get("label")
    state = "unlabelled" if item.get("correct") is None else "correct" if item["correct"] else "wrong"
    sign = {"correct": "✓", "wrong": "✗", "unlabelled": "–"}[state]
    words = {"correct": "correct", "wrong": "wrong", "unlabelled": "no label"}[state]
    name = name_of(classes, label)
    picture: Any = None
    if address is not None:
        picture = html.Img(
            src=address.format(index=place), alt=f"Instance {index}, {name}", className="example-picture"
        )
    elif item.get("text"):
        picture = html.P(str(item["text"])[:400], className="example-text")
    confidence = item.get("confidence")
    share = f" · {100 * confidence:.1f} %" if isinstance(confidence, int | float) else ""
    return html.Li(
        [
            picture,
            html.P(
                [
                    html.Span([sign, " ", words], className=f"verdict {state}"),
                    html.Button(
                        f"instance {index}",
                        type="button",
                        className="link",
                        **attributes({"data-nav": json.dumps({"view": "layers", "instances": str(index)})}),
                    ),
                ]
            ),
            html.P([html.Span("label ", className="quiet"), name]),
            html.P([html.Span("predicted ", className="quiet"), name_of(classes, item.get("prediction")), share]),
        ],
        className=f"example {state}",
    )


def name_of(classes: Sequence[Any], label: Any) -> str:
    """A label's name."""
    if not isinstance(label, int) or label < 0:
        return "none"
    return str(classes[label]) if label < len(classes) else f"label {label}"


def classes(found: dict[str, Any]) -> list[Any]:
    """A bar per class, the largest first, no more than fit."""
    names, counts = found.get("classes", []), found.get("class_counts")
    if not counts:
        return [html.P("The labels are not known: instances have none, or they were not counted.", className="quiet")]
    pairs = sorted(enumerate(counts), key=lambda pair: (-pair[1], pair[0]))
    largest = max([1, *counts])
    bars: list[Any] = [
        html.Div(
            [
                html.Span(name_of(names, label), className="bar-name", title=name_of(names, label)),
                html.Span(
                    html.Span(style={"width": f"{100 * count / largest:.1f}%"}, className="bar-fill"), className="bar"
                ),
                html.Span(f"{count:,}", className="bar-value"),
            ],
            className="bar-row wide",
        )
        for label, count in pairs[:MOST_CLASSES]
    ]
    if len(pairs) > MOST_CLASSES:
        rest = pairs[MOST_CLASSES:]
        bars.append(
            html.P(f"{len(rest):,} more classes with {sum(c for _, c in rest):,} instances.", className="quiet")
        )
    return bars


def weights(found: dict[str, Any]) -> list[Any]:
    """Where it runs, notices, and the checkpoints with their digests."""
    rows = [
        ("device", found.get("device", "")),
        ("torch", found.get("torch", "")),
        ("batch size", found.get("batch_size", "")),
        ("weights as given", str(found.get("weights", ""))[:64]),
        ("data fingerprint", str(found.get("data", ""))[:64]),
        ("read in", f"{float(found.get('seconds') or 0):.1f} s"),
    ]
    columns = (found.get("metadata") or {}).get("columns") or []
    if columns:
        names = [str(item.get("name") if isinstance(item, dict) else item) for item in columns[:20]]
        rows.append(("metadata", ", ".join(names)))
    parts: list[Any] = [html.P(str(text), className="damage") for text in found.get("notices", [])]
    parts += [
        html.P(f"Instance {index} could not be read: {reason}", className="damage")
        for index, reason in found.get("skipped", [])[:5]
    ]
    parts.append(
        html.Table(
            html.Tbody([html.Tr([html.Th(name, scope="row"), html.Td(str(value))]) for name, value in rows if value]),
            className="facts digests",
        )
    )
    parts.append(html.H3("Checkpoints"))
    saved = found.get("checkpoints", [])
    if not saved:
        parts.append(
            html.P(
                [
                    "None were named. Pass ",
                    html.Code('checkpoints={"epoch 3": "epoch3.safetensors"}'),
                    ", or choose a run that saved some.",
                ],
                className="quiet",
            )
        )
    parts += [_checkpoint(item) for item in saved]
    return parts


def _size(count: Any) -> str:
    """'1.7 MB'; small files in bytes."""
    if not isinstance(count, int):
        return ""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count:,} bytes"


def _checkpoint(item: dict[str, Any]) -> html.Div:
    name, problem = str(item.get("name", "")), item.get("problem")
    place = json.dumps({"view": "layers", "checkpoint": name})
    facts = [str(item.get("format") or ""), _size(item.get("bytes")) if item.get("bytes") else ""]
    head: Any = html.Strong(name)
    if not problem:
        head = html.Button(name, type="button", className="link", **attributes({"data-nav": place}))
    return html.Div(
        [
            html.P([head, html.Span(" · ".join(["", *[fact for fact in facts if fact]]), className="quiet")]),
            html.P(["SHA-256 ", html.Code(str(item["sha256"]))], className="digest") if item.get("sha256") else None,
            html.P(str(problem), className="damage") if problem else None,
        ],
        className="checkpoint",
    )
