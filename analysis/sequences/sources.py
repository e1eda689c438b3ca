"""Which layers of a model have a state at every step, and how it is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import nn

from analysis.errors import CutawayError, NotFound, ParameterError
from analysis.layerinfo import LayerInfo

STATES = ("hidden", "cell")


@dataclass(frozen=True)
class Source:
    """A layer that yields a state at every step, and which of its states is meant.

    layer: key; of a module that is called once a step, the module's name. state: 'hidden' or 'cell'. depth: of a
    stacked layer, from 0 at its input; -1 is the last. name: of the module. call: which call of it is read, from 0.
    form: 'recurrent' (all steps in one call), 'loop' (one call a step) or 'layer' (no memory, but an output for each
    step). states, depths, directions: what there is. units: U of the state that is meant, both directions together.
    recurrent: the layer has a memory; else a change is that between neighbours. reason: why it cannot be read, or ''.
    info: of a 'layer', what the inventory says of it.
    """

    layer: str
    state: str = "hidden"
    depth: int = -1
    name: str = ""
    call: int = 0
    type: str = ""
    form: str = "layer"
    states: tuple[str, ...] = ("hidden",)
    depths: int = 1
    directions: int = 1
    units: int = 0
    recurrent: bool = False
    reason: str = ""
    info: LayerInfo | None = None

    @property
    def level(self) -> int:
        """The depth, from 0."""
        return self.depth % self.depths

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the answer of ``sequence_sources`` lists them."""
        return {
            "layer": self.layer,
            "type": self.type,
            "states": list(self.states),
            "depths": self.depths,
            "directions": self.directions,
            "units": self.units,
            "recurrent": self.recurrent,
            "reason": self.reason,
        }


def sources(session: Any) -> list[Source]:
    """All layers with a state at every step, in the order of the network, each with its hidden state of the last depth.

    Recurrent layers that cannot be read are listed with a reason; other layers without steps are not.
    """
    return _listed(session, "hidden", -1)


def source_of(session: Any, layer: str, state: str = "hidden", depth: int = -1) -> Source:
    """The source of these names. ``layer`` may also be the key of one call of a module that is called once a step.

    Raises:
        NotFound: no such layer, or it has no states. ParameterError: it has no such state or depth.
    """
    found = _listed(session, state, depth)
    chosen = next((one for one in found if one.layer == layer), None)
    if chosen is None and layer.rpartition("#")[2].isdigit():
        chosen = next((one for one in found if one.form == "loop" and one.layer == layer.rpartition("#")[0]), None)
    if chosen is None:
        session.infos([layer])  # says so if there is none at all
        listed = ", ".join(one.layer for one in found[:8])
        raise NotFound(
            f"The layer {layer!r} has no state at every step.", f"Choose of: {listed}." if found else "Choose another."
        )
    if chosen.reason:
        raise NotFound(f"The states of {layer!r} cannot be read: {chosen.reason}.", "Choose another layer.")
    if state not in chosen.states:
        raise ParameterError(
            f"{chosen.type} {layer!r} has no {str(state)[:40]} state.", f"Choose of: {', '.join(chosen.states)}."
        )
    if not -chosen.depths <= depth < chosen.depths:
        raise ParameterError(
            f"{layer!r} has {chosen.depths} layers, not one of number {depth}.",
            f"Give 0 to {chosen.depths - 1}, or -1 for the last.",
        )
    return chosen


def sequence_sources(session: Any, context: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answers ``sequence_sources``: every source is read once, on two instances, and has a reason where that failed.

    Returns:
        {'sources': as ``Source.to_json``, 'default': {'layer', 'state', 'depth'}, the last layer with a memory or else
        the last other one, or None, 'why': then, 'vocabularies': [{'name', 'title', 'reason'}], 'pos': {'reason': why
        there are no parts of speech, or ''}, 'typing': {'reason': why no text can be typed, or ''}}. No arrays.
    """
    from analysis.sequences import states, tagging, typed, words

    context.progress(0, 0, message="Reading states for the first time")
    batch = session.batch([int(index) for index in session.opened.sample.indices[:2]]) if session.n else None
    listed = []
    for one in sources(session):
        value = one.to_json()
        if not one.reason and batch is not None and len(batch):
            try:
                states.of_batch(session, batch, one)
            except states.NotANumber:
                pass  # it can be read; of which instances not, is said where they are asked for
            except CutawayError as error:
                value["reason"] = error.message.rstrip(".")
        listed.append(value)
    good = [value for value in listed if not value["reason"]]
    chosen = ([value for value in good if value["recurrent"]] or good)[-1:]
    why = "" if chosen else _why(session, listed)
    if session.kind not in ("text", "series"):
        chosen, why = [], f"Instances are of kind {session.kind!r}; this view reads texts and series, step by step."
    return {
        "sources": listed,
        "default": {"layer": chosen[0]["layer"], "state": "hidden", "depth": -1} if chosen else None,
        "why": why,
        "vocabularies": words.available(session),
        "pos": {"reason": tagging.reason(session, words.size_of(session))},
        "typing": {"reason": typed.reason(session)},
    }, {}


def _why(session: Any, listed: list[dict[str, Any]]) -> str:
    if listed:
        return f"No layer's states can be read; {listed[-1]['layer']!r}: {listed[-1]['reason']}."
    shown = ", ".join(dict.fromkeys(info.type for info in session.layers)) or "none"
    return f"No layer yields a state at every step (layers: {shown}); name further ones with layers= of the subject."


def _listed(session: Any, state: str, depth: int) -> list[Source]:
    modules = dict(session.model.named_modules(remove_duplicate=False))
    calls = Counter(info.name for info in session.layers)
    found, seen = [], set()
    for info in session.layers:
        module = modules[info.name]
        if isinstance(module, nn.RNNCellBase) or (calls[info.name] > 1 and _stepwise(session, info, module)):
            if info.name not in seen:
                seen.add(info.name)
                found.append(_loop(info, module, state, depth))
        elif isinstance(module, nn.RNNBase):
            found.append(_recurrent(info, module, state, depth))
        elif len(info.spatial) == 1 and not info.reason:
            found.append(Source(info.key, state, depth, info.name, info.call, info.type, units=info.filters, info=info))
    return found


def _recurrent(info: LayerInfo, module: nn.RNNBase, state: str, depth: int) -> Source:
    directions = 2 if module.bidirectional else 1
    lstm = module.mode == "LSTM"
    width = module.hidden_size if lstm and state == "cell" else module.proj_size or module.hidden_size
    return Source(
        info.key,
        state,
        depth,
        info.name,
        info.call,
        info.type,
        "recurrent",
        STATES if lstm else STATES[:1],
        module.num_layers,
        directions,
        directions * width,
        True,
        info.reason,
    )


def _loop(info: LayerInfo, module: nn.Module, state: str, depth: int) -> Source:
    """A module that is called once a step: a cell, a recurrent layer that gets one step at a time, or any other."""
    lstm = isinstance(module, nn.LSTMCell) or getattr(module, "mode", "") == "LSTM"
    units, depths, reason = info.filters, 1, info.reason
    if isinstance(module, nn.RNNBase):
        depths = module.num_layers
        units = module.hidden_size if state == "cell" else module.proj_size or module.hidden_size
        if module.bidirectional:
            reason = reason or "it runs in both directions, but gets one step at a time"
    return Source(
        info.name or info.key,
        state,
        depth,
        info.name,
        0,
        info.type,
        "loop",
        STATES if lstm else STATES[:1],
        depths,
        1,
        units,
        isinstance(module, (nn.RNNBase, nn.RNNCellBase)),
        reason,
    )


def _stepwise(session: Any, info: LayerInfo, module: nn.Module) -> bool:
    """Whether a module that is called several times is called once a step."""
    if isinstance(module, nn.RNNBase):
        return info.spatial in ((), (1,))
    if info.spatial != () or session.kind not in ("text", "series"):
        return False
    few = session.instances.batch(session.opened.sample.indices[:2])  # as the layers were traced with
    steps = few.principal.shape[session.axes[0]] if len(few) else 0
    return sum(other.name == info.name for other in session.layers) == steps
