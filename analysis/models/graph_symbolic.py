"""Whether a model's path can be followed without values, by ``torch.fx``. Needs torch.

Reed, DeVito, He, Ussery and Ansel: torch.fx: Practical Program Capture and Transformation for Deep Learning in Python
(MLSys 2022). A graph that is found so is the same for every input; where values decide, it cannot be found.
"""

from __future__ import annotations

import copy
import inspect
import threading
import traceback
from pathlib import Path
from typing import Any

from torch import Tensor, fx, nn

from analysis.models.graph_flow import tensors_of
from analysis.models.graph_leaves import is_leaf

_LENGTH = 160  # of a reason


class _Tracer(fx.Tracer):
    """Stops at the modules that are one node of the graph."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        """Whether a module is one node."""
        return is_leaf(m, self.root)


def same_path(model: nn.Module, given: tuple[tuple[Any, ...], dict[str, Any]], called: list[str]) -> str:
    """'' if ``torch.fx`` follows the model without values and finds the same calls, else why not, in a sentence.

    It works on a copy that shares the weights, so that the model is not touched. While it traces, it replaces how
    modules are called in the whole process; so it is not used where other threads may run models.

    Args:
        model: not wrapped. given: what its forward was called with, args and kwargs. called: dotted names of the leaves
            in the order of their calls.
    """
    if threading.current_thread() is not threading.main_thread():
        return "torch.fx is not used while the program of the model runs beside it."
    if is_leaf(model, model):
        return ""
    shared = {id(value): value for value in (*model.parameters(), *model.buffers())}
    try:
        twin = copy.deepcopy(model, dict(shared))
    except Exception as error:  # whatever the classes of somebody's model raise
        return f"The model cannot be copied for torch.fx: {_first(error)}"
    try:
        graph = _Tracer().trace(twin, concrete_args=_fixed(twin, given) or None)
    except Exception as error:  # fx and the code of the model raise anything when there are no values
        return f"torch.fx cannot follow the model without values{_line_of(error)}: {_first(error)}"
    found = [str(node.target) for node in graph.nodes if node.op == "call_module"]
    if found != called:
        return (
            f"torch.fx finds other calls of layers without values: {len(found):,}, not {len(called):,} as a pass does."
        )
    return ""


def _fixed(model: nn.Module, given: tuple[tuple[Any, ...], dict[str, Any]]) -> dict[str, Any]:
    """Arguments without tensors, which are part of the path (None where a mask may be given)."""
    args, kwargs = given
    try:
        bound = inspect.signature(model.forward).bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    plain = {
        name: parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for name, parameter in bound.signature.parameters.items()
    }
    return {
        name: value
        for name, value in bound.arguments.items()
        if plain[name] and not isinstance(value, Tensor) and not tensors_of(value)
    }


def _line_of(error: Exception) -> str:
    """' at line 12 of net.py': where somebody's code is, '' if none of it was reached."""
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = Path(frame.f_code.co_filename)
        if "torch" not in file.parts and file != Path(__file__) and file.suffix == ".py":
            found = f" at line {line} of {file.name}"
    return found


def _first(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if "control flow" in line:
        line = "it branches there"
    elif "cannot be iterated" in line:
        line = "it goes through the parts of a tensor there, whose number is not known"
    elif "Proxy" in line or "proxy" in line or line.startswith(("`__", "invalid __")):
        line = "a function there needs the values themselves"
    return line.split(". ")[0][:_LENGTH].rstrip(". ") + "."
