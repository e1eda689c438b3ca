"""Answers ``computation_graph``: what a model computes, call by call, with shapes, parameters, work and time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from analysis.errors import CutawayError, NotFound
from analysis.models import flops
from analysis.models.graph_answer import modules_of, nodes_of, totals, uncalled
from analysis.models.graph_flow import named_tensors
from analysis.models.graph_symbolic import same_path
from analysis.models.graph_times import LEAST, SECONDS, Times, clock_of, function_times, module_times
from analysis.models.graph_trace import DECIDING, Trace
from analysis.models.hooks import no_hooks_left
from analysis.models.watching import hookable

INSTANCES = 2  # in a pass
_LISTED = 4  # modules named in a sentence
_EVERY = "torch.fx finds the same calls without values: the graph is the same for every input."


class GraphError(CutawayError):
    """A model cannot be run, so it has no graph."""


@dataclass
class Found:
    """A graph and how it was found. how: 'fx' or 'hooks'. why: the reason for what is less than 'fx', in a sentence.
    note: what the graph holds for, in sentences. times: seconds of a pass by call; functions: by node."""

    trace: Trace
    how: str
    why: str
    note: str
    times: Times = field(default_factory=dict)
    functions: dict[str, float] = field(default_factory=dict)
    whole: float = 0.0
    passes: int = 0


def computation_graph(session: Any, context: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The computation graph of a model, noted in a pass over a few instances.

    Nodes are calls: a module without modules inside is one, and so is a function between modules. Whether the graph
    holds for every input is told by ``torch.fx``, which follows the model without values; else it is that of the pass.
    Times are medians over several passes in which only modules are timed, those of functions over further ones.

    Returns:
        A plain dictionary: 'how' ('fx': the same graph for every input; 'hooks': that of a pass), 'why' and 'note' in
        sentences, 'instances' of a pass, 'passes' timed, 'convention' of the FLOPs, 'device'; and 'nodes', 'edges',
        'modules', 'total', 'uncalled' as in ``graph_answer``. No arrays.

    Raises:
        NotFound: none of the first instances can be read. GraphError: the model fails; the module is named.
    """
    batch = _batch(session)
    model = session.model
    context.progress(0, 0, "", "Following a pass")
    with session.quiet(), hookable(), no_hooks_left(model):
        found = _found(session, batch)
        nodes = found.trace.notes.nodes
        clock = clock_of(session.device)

        def told(done: int, total: int) -> None:
            context.progress(done, total, "passes", "Timing")

        found.times, found.whole, found.passes = module_times(model, lambda: session.call(batch), clock, told)
        if any(node.kind == "function" for node in nodes.values()):
            passes = max(1, min(LEAST, round(SECONDS / max(found.whole, 1e-9))))
            found.functions = function_times(model, lambda: session.call(batch), clock, passes)
    return _answer(session, found, len(batch)), {}


def _batch(session: Any) -> Any:
    indices = [int(index) for index in session.opened.sample.indices[:INSTANCES]] if session.n else []
    batch = session.batch(indices)
    if not len(batch):
        raise NotFound("None of the first instances can be read.", "Look at the reasons on the subject page.")
    return batch


def _found(session: Any, batch: Any) -> Found:
    """The graph of a pass: with functions where that goes through, else by modules alone. Within ``session.quiet``;
    each pass within another, so that it begins like the one before.
    """
    model, instances = session.model, len(batch)
    trace = Trace(model)
    try:
        with trace:
            session.call(batch)
    except (MemoryError, CutawayError):
        raise
    except Exception as error:  # the model fails, or what watches it does: a pass by hooks alone decides
        return _by_modules(session, batch, error)
    if trace.given is None:  # forward_func calls parts of the model
        trace = Trace(model, inputs={**{str(place): value for place, value in enumerate(batch.args)}, **batch.kwargs})
        with trace:
            _ends(trace, session.run(batch))
        why = "The model is not called as a whole: forward_func calls its parts."
        return Found(trace, "hooks", why, _holds_for(trace, instances))
    called = [node.name for node in trace.notes.nodes.values() if node.kind == "module"]
    why = same_path(model, trace.given, called)
    if not why:
        return Found(trace, "fx", "", _EVERY)
    return Found(trace, "hooks", why, _holds_for(trace, instances))


def _by_modules(session: Any, batch: Any, first: Exception) -> Found:
    instances = len(batch)
    trace = Trace(session.model, functions=False)
    try:
        with trace:
            output = session.call(batch)
    except (MemoryError, CutawayError):
        raise
    except Exception as error:
        raise GraphError(
            f"The model fails on {instances} instances, in {trace.failed or 'its forward'}: {_line(error)}",
            "Check that it takes what the data set yields.",
        ) from error
    if trace.given is None:
        _ends(trace, output)
    for node in trace.notes.nodes.values():
        node.flops = None
    why = f"Functions between modules cannot be watched: {_line(first)}"
    note = f"The graph is that of a pass over {instances} instances, by hooks on modules alone; functions between them"
    note += " are missing, FLOPs are not counted"
    note += ", and edges there follow the order of the calls." if trace.notes.assumed else "."
    return Found(trace, "hooks", why, note)


def _ends(trace: Trace, output: Any) -> None:
    for place, tensor in named_tensors(output):
        trace.notes.output(tensor, place)


def _holds_for(trace: Trace, instances: int) -> str:
    of_pass = f"The graph is that of a pass over {instances} instance{'s' if instances > 1 else ''}"
    if trace.notes.assumed:
        of_pass += " (where tensors come from that nobody saw being made is assumed from the order of the calls)"
    if not trace.reads:
        return f"{of_pass}. No value decides the path in it: inputs of the same shapes take the same one."
    places = list(dict.fromkeys(f"{how} in {f'{name} ({kind})' if name else kind}" for how, name, kind in trace.reads))
    more = len(places) - _LISTED
    listed = ", ".join(places[:_LISTED]) + (f" and {more} more" if more > 0 else "")
    if any(how in DECIDING for how, _, _ in trace.reads):
        return f"The path depends on values ({listed}). {of_pass}; another input may take another path."
    return f"Values become numbers of Python ({listed}), and a path may hang on them. {of_pass}."


def _answer(session: Any, found: Found, instances: int) -> dict[str, Any]:
    keys = {(info.name, info.call): info.key for info in session.layers if info.order >= 0}
    nodes = nodes_of(found.trace.notes.nodes, keys, found.times, found.functions, instances)
    missing = uncalled(session.model, found.trace.notes.nodes)
    return {
        "how": found.how,
        "why": found.why,
        "note": found.note,
        "instances": instances,
        "passes": found.passes,
        "device": str(session.device),
        "convention": flops.CONVENTION,
        "nodes": nodes,
        "edges": [[source, node.id] for node in found.trace.notes.nodes.values() for source in node.sources],
        "modules": modules_of(session.model, nodes, keys, found.times, instances),
        "uncalled": missing,
        "total": totals(session.model, nodes, found.whole / instances),
    }


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(". ") + "."
