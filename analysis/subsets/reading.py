"""Reads the text of an expression into a tree that may be evaluated. Nothing of it is ever executed.

``analysis.subsets.scanning`` goes through the characters, Python's parser makes the tree, and the tree may hold only
what is listed here. No torch.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from analysis.subsets.scanning import DEEPEST, HELP, LONGEST, ExpressionError, Source, at, scan

__all__ = ["FUNCTIONS", "HELP", "LONGEST", "ExpressionError", "Parsed", "at", "nearest", "parse"]
MOST_PARTS = 200  # of a tree, constants not counted
FUNCTIONS: dict[str, tuple[int, str]] = {  # number of arguments, and how each is written
    "contains": (2, "contains(text, 'good')"),
    "starts": (2, "starts(text, 'the')"),
    "ends": (2, "ends(text, '!')"),
    "word": (2, "word(text, 'good')"),
    "matches": (2, "matches(text, '*good*')"),
    "length": (1, "length(text)"),
    "missing": (1, "missing(label)"),
    "abs": (1, "abs(margin)"),
    "rank": (1, "rank(loss)"),
    "quantile": (2, "quantile(loss, 0.9)"),
    "subset": (1, "subset('name')"),
}
_ALLOWED = (
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.Mod, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is,
    ast.IsNot, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.Call,
)  # fmt: skip
_CALLED = {
    ast.Attribute: "An attribute (a dot and a name)",
    ast.Subscript: "A subscript (square brackets after a value)",
    ast.Lambda: "A function (lambda)",
    ast.IfExp: "A choice (if, else)",
    ast.ListComp: "A loop (for)",
    ast.GeneratorExp: "A loop (for)",
    ast.JoinedStr: "A formatted string",
    ast.NamedExpr: "An assignment (:=)",
    ast.Starred: "A star",
    ast.Pow: "A power (**)",
    ast.FloorDiv: "The operator //",
    ast.LShift: "The operator <<",
    ast.RShift: "The operator >>",
}


@dataclass(frozen=True)
class Parsed:
    """An expression that may be evaluated. tree: of allowed parts only."""

    source: Source
    tree: ast.expr

    def place(self, node: ast.AST) -> int:
        """Where a part begins in the text, from 0."""
        return self.source.place(getattr(node, "col_offset", 0))

    def name(self, node: ast.Name) -> str:
        """The name as it was written: Python's parser would fold letters that look alike."""
        return self.source.names[node.col_offset]

    def string(self, node: ast.AST) -> str | None:
        """The string that stands here, None if it is none."""
        return self.source.strings.get(node.col_offset) if isinstance(node, ast.Name) else None

    def written(self, node: ast.AST) -> str:
        """The part as it was written, cut to 60 characters."""
        end = getattr(node, "end_col_offset", 0)
        text = self.source.text[self.place(node) : self.source.place(end - 1) + 1] if end else ""
        string = self.string(node)
        if string is not None:
            text = repr(string)
        elif isinstance(node, ast.Name):
            text = self.name(node)
        return text if len(text) <= 60 else text[:57] + "..."


def nearest(name: str, names: Iterable[str], otherwise: str) -> str:
    """A remedy that names what is spelled like this."""
    listed = list(names)
    folded = {one.casefold(): one for one in reversed(listed)}
    close = [folded[one] for one in difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)]
    if close:
        return f"Similar names: {', '.join(close)}."
    return f"{otherwise}: {', '.join(listed[:12])}{', ...' if len(listed) > 12 else ''}." if listed else otherwise + "."


def parse(text: str) -> Parsed:
    """Read an expression. Raises ExpressionError, which says what is wrong, and where."""
    source = scan(text)
    try:
        tree = ast.parse(source.code, mode="eval").body
    except SyntaxError as error:
        place = source.place(error.offset - 1) if error.offset else len(text)
        raise _unreadable(source, place) from None
    except (RecursionError, MemoryError, ValueError):
        raise ExpressionError("The expression is nested too deeply.", "Save a part of it as a subset.") from None
    parsed = Parsed(source, tree)
    _check(parsed)
    return parsed


def _unreadable(source: Source, place: int) -> ExpressionError:
    before = source.text[:place].rstrip()
    if place >= len(source.text.rstrip()):
        last = before.split()[-1][-30:] if before else ""
        return ExpressionError(f"The expression ends too early: something is missing after '{last}'.", HELP, place)
    there = source.text[place : place + 20].split("\n")[0]
    return ExpressionError(f"The expression cannot be read {at(place)}, where '{there}' begins.", HELP, place)


def _check(parsed: Parsed) -> None:
    """That the tree holds nothing but what is allowed. Raises ExpressionError."""
    stack: list[tuple[ast.AST, int, ast.AST]] = [(parsed.tree, 1, parsed.tree)]
    parts = 0
    while stack:
        node, depth, owner = stack.pop()
        place = parsed.place(node if hasattr(node, "col_offset") else owner)
        odd = isinstance(node, ast.Constant) and not isinstance(node.value, bool | int | float | None)
        if odd or not isinstance(node, _ALLOWED):
            what = _CALLED.get(type(node), f"'{type(node).__name__}'")
            raise ExpressionError(f"{what} {at(place)} is not allowed in an expression.", HELP, place)
        parts += not isinstance(node, ast.Constant | ast.expr_context | ast.operator | ast.cmpop | ast.unaryop)
        if depth > DEEPEST or parts > MOST_PARTS:
            raise ExpressionError("The expression has too many parts.", "Save a part of it as a subset.", place)
        if isinstance(node, ast.Call):
            _check_call(parsed, node, place)
            stack += [(argument, depth + 1, node) for argument in node.args]
            continue
        stack += [(child, depth + 1, node) for child in ast.iter_child_nodes(node)]


def _check_call(parsed: Parsed, node: ast.Call, place: int) -> None:
    known = ", ".join(FUNCTIONS)
    if not isinstance(node.func, ast.Name) or parsed.string(node.func) is not None:
        raise ExpressionError(f"What is called {at(place)} is no function.", f"There are: {known}.", place)
    name = parsed.name(node.func)
    if name not in FUNCTIONS:
        raise ExpressionError(f"There is no function '{name[:60]}' ({at(place)}).", f"There are: {known}.", place)
    count, example = FUNCTIONS[name]
    if node.keywords or len(node.args) != count or any(isinstance(one, ast.Starred) for one in node.args):
        plural = "" if count == 1 else "s"
        raise ExpressionError(f"'{name}' {at(place)} takes {count} value{plural}.", f"Write {example}.", place)
