"""Subset: which instances all panels of this view are about; by an expression, a shortcut or a name."""

from __future__ import annotations

import json
from typing import Any

import dash
from dash import ClientsideFunction, Input, Output, State, html, no_update

from analysis.errors import CutawayError, ParameterError
from dashboard import asking, members
from dashboard.readers import MAX_TEXT
from dashboard.selection import Selection
from dashboard.views.instances import (
    data,
    subset_bar,
    subset_columns,
    subset_data,
    subset_parts,
    table_data,
    table_expression,
)
from dashboard.views.instances.about_subset import SUBSET
from dashboard.views.instances.data import Frame, Picked
from dashboard.views.instances.subset_parts import Beside
from dashboard.widgets import panel as parts

NAME = "in-subset"
OUTPUTS = 9
MOST_BESIDE = 6  # subsets beside the chosen one and the rest
HOW = ("and", "or", "not")
EACH = "each:"  # a row of the matrix for each instance of a subset: nothing to compare


def panel() -> html.Section:
    """The panel; its content comes from ``draw_subset``."""
    return parts.panel(NAME, "Subset", subset_bar.bar(), about=SUBSET, picture=False, span=12)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("in-subset-mark", "data"),
        Output("in-subset-subtitle", "children"),
        Output("in-subset-body", "children"),
        Output("in-subset-error", "children"),
        Output("in-subset-columns", "children"),
        Output("in-subset-examples", "children"),
        Output("in-subset-saved", "children"),
        Output("in-subset-pick", "data"),
        Output("in-combine-with", "data"),
        *[Input(f"sel-{name}", "data") for name in data.LISTENED],
        Input("sel-rows", "data"),
        Input(data.BOOK, "data"),
        Input("pulse-answers", "data"),
        State("in-subset-mark", "data"),
        State("url", "data"),
    )(draw_subset)
    app.callback(
        Output("in-go", "children"),
        Output("in-subset-error", "children", allow_duplicate=True),
        Input("in-subset-asked", "data"),
        Input("in-table-asked", "data"),
        State("url", "data"),
        prevent_initial_call=True,
    )(check)
    app.callback(
        Output(data.BOOK, "data"),
        Output("in-subset-status", "children"),
        Output("in-save-name", "value"),
        Input("in-book-command", "data"),
        State("url", "data"),
        prevent_initial_call=True,
    )(change_book)
    app.clientside_callback(
        ClientsideFunction("instances", "follow"), Output("in-subset-text", "value"), Input("sel-subset", "data")
    )
    app.clientside_callback(
        ClientsideFunction("instances", "pick"),
        Output("in-subset-pick", "value"),
        Input("in-subset-pick", "value"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("instances", "other"), Input("in-combine-with", "value"), prevent_initial_call=True
    )


def draw_subset(*given: Any) -> tuple[Any, ...]:
    """What the subset is like. given: as ``register`` lists them."""
    before, search = given[-2], given[-1]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    shown: Frame | None = None
    try:
        shown = data.frame(search)
        found = data.picked(search, first=True)
        return _drawn(shown, found, before, None)
    except asking.NotReady as error:
        now = asking.mark_of(error)
        nothing = (now, "", asking.boxed(error, "The subset"), None, None, None, None, no_update, no_update)
        return (no_update,) * OUTPUTS if now == before else nothing
    except CutawayError as error:
        if shown is None:
            return (asking.mark_of(error), "", asking.boxed(error, "The subset"), None, *(no_update,) * 5)
        return _unread(shown, search, before, error)


def _unread(shown: Frame, search: object, before: Any, error: CutawayError) -> tuple[Any, ...]:
    """The address holds what is no subset of these data: what is wrong, and everything that helps to mend it."""
    text = shown.selection.subset or ""
    try:
        return _drawn(shown, data.picked(search, ""), before, (error, text))
    except (asking.NotReady, CutawayError) as other:
        return (asking.mark_of(other), "", asking.boxed(other, "The subset"), None, *(no_update,) * 5)


def _drawn(shown: Frame, found: Picked, before: Any, wrong: tuple[CutawayError, str] | None) -> tuple[Any, ...]:
    """The outputs of ``draw_subset``. found: all instances where the address is ``wrong``."""
    listed, compared = members.saved(shown), compared_of(shown.selection)
    now = asking.mark(
        found.key,
        [(one.name, one.created) for one in listed],
        compared,
        wrong and [str(wrong[0]), wrong[1]],
        found.table.left_out,
    )
    if now == before:
        return (no_update,) * OUTPUTS
    offered = members.options(shown)
    body = None if wrong else [subset_parts.comparison(shown, beside(found, compared)), _caveat(found)]
    subtitle = "the address names no subset of these data" if wrong else f"{data.cut(found.title, 100)} · {found.count}"
    return (
        now,
        subtitle,
        body,
        subset_parts.error(*wrong) if wrong else None,
        subset_columns.columns(found.table),
        subset_columns.examples(found.table, listed),
        subset_parts.saved_list(listed, shown.selection.subset or "", compared),
        offered,
        [one for one in offered if one["value"] != "all"],
    )


def _caveat(found: Picked) -> Any:
    if not subset_data.by_outcome(found.text):
        return None
    said = "The subset was chosen by whether answers are right, or how much: its accuracy follows from that."
    return html.P(said, className="quiet")


def compared_of(selection: Selection) -> list[str]:
    """The subsets kept for comparison: the address has them as further rows of the activation matrix."""
    try:
        found = json.loads(selection.xrows or "[]")
    except (ValueError, RecursionError):
        return []
    return [one for one in found if isinstance(one, str) and one] if isinstance(found, list) else []


def beside(found: Picked, compared: list[str]) -> list[Beside]:
    """The chosen subset, all others, and what is kept for comparison."""
    reader = found.shown.extraction
    made = [Beside(found.title, found.text, subset_data.facts(reader, found.rows))]
    rest = subset_data.rest_of(reader, found.rows)
    if len(rest) and len(found.rows):
        made.append(Beside("the rest", None, subset_data.facts(reader, rest)))
    for text in [one for one in compared if not one.startswith(EACH)][:MOST_BESIDE]:
        drop = subset_parts.rows_nav([one for one in compared if one != text])
        try:
            rows = members.rows(found.shown, text)
            title = members.title(found.shown, text)
            made.append(Beside(title, text, subset_data.facts(reader, rows), drop=drop))
        except CutawayError as error:
            made.append(Beside(text, text, None, error.message, drop))
    return made


def check(asked: Any, filters: Any, search: object) -> tuple[Any, Any]:
    """Take an expression into the address if it can be read; else say what is wrong, and leave everything as it is.

    asked: {'text'}, or {'how', 'with'} to combine the subset with another. filters: {'filters'} of the table.
    """
    if not data.is_shown(search):
        return no_update, no_update
    given = filters if dash.ctx.triggered_id == "in-table-asked" else asked
    if not isinstance(given, dict):
        return no_update, no_update
    text = str(given.get("text") or "")[:MAX_TEXT]
    try:
        text = _wanted(given, search)
        shown = data.frame(search)
        members.rows(shown, text)
    except (asking.NotReady, CutawayError) as error:
        problem = error if isinstance(error, CutawayError) else ParameterError(error.reason, error.remedy)
        return no_update, subset_parts.error(problem, text)
    at = given.get("at")
    at = at if isinstance(at, int | float) else 0
    return json.dumps({"changes": {"subset": text or None}, "at": at}), None


def _wanted(given: dict[str, Any], search: object) -> str:
    """The text that is asked for, '' for all. Raises CutawayError or NotReady."""
    now = Selection.parse(search).subset or ""
    if "filters" in given:
        found = data.picked(search)
        told = table_expression.written(table_data.columns(found), given["filters"])
        text = subset_data.combined(now, "and", told) if told else now
    elif given.get("how") in HOW:
        other = given.get("with")
        if not isinstance(other, str) or not other:
            raise ParameterError("No subset to combine with is chosen.", "Choose one beside 'Combine with'.")
        text = subset_data.combined(now, given["how"], other[:MAX_TEXT])
    else:
        text = " ".join(str(given.get("text") or "").split("\n")).strip()
    if len(text) >= MAX_TEXT:
        raise ParameterError(
            f"The expression has {len(text):,} characters; a link holds fewer than {MAX_TEXT:,}.",
            "Save a part of it under a name.",
        )
    return "" if text == "all" else text


def change_book(command: Any, search: object) -> tuple[Any, Any, Any]:
    """Save, rename or delete a subset. command: {'do', 'name', 'new', 'text', 'at'}. Says what was done, or why not."""
    if not data.is_shown(search) or not isinstance(command, dict):
        return (no_update,) * 3
    name, at = str(command.get("name") or "")[:400], command.get("at")
    at = at if isinstance(at, int | float) and not isinstance(at, bool) else 0
    try:
        shown = data.frame(search)
        do = command.get("do")
        if do == "save":
            text = shown.selection.subset or members.subsets.ALL
            kept = members.save(shown, name, text, again=command.get("again") is True)
            return at, f"Saved as '{kept.name}'.", ""
        if do == "rename":
            kept = members.rename(shown, name, str(command.get("new") or "")[:400])
            return at, f"'{name}' is now '{kept.name}'.", no_update
        if do == "delete":
            members.delete(shown, name)
            return at, f"'{name}' was deleted.", no_update
    except (asking.NotReady, CutawayError) as error:
        return no_update, asking.line_of(error).replace("<br>", " "), no_update
    return (no_update,) * 3
