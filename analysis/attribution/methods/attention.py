"""Attention weights: which positions each head of an attention layer mixes into which. No explanation of the output."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from analysis.attribution import layer_choice
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter
from analysis.attribution.structure import Structure
from analysis.errors import NotFound

PARAMETERS = (Parameter("layer", "layer", "", "The attention layer; by default the last."),)
WARNING = (
    "Attention weights say which positions are mixed, not what the score owes to them: other weights often give the "
    "same output (Jain & Wallace 2019; Wiegreffe & Pinter 2019)."
)
PADDING = 0.005  # share of the weights of real positions that goes to padding, from which on it is said


class Weights:
    """Context that notes the weights of attention layers, averaged over nothing.

    The layers run as they are; each is then run once more on the same arguments, past all hooks, and asked for its
    weights. So what the model computes stays the same to the last bit, whether its layers return weights or not.

    Args:
        layers: by name. Attributes: found: by key, (N, heads, T, S), of the last pass; keys as those of layers: a name,
            with '#2' for the second call of a layer that is called several times.
    """

    def __init__(self, layers: dict[str, nn.MultiheadAttention]) -> None:
        self._layers = layers
        self._calls: dict[str, list[Tensor]] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> Weights:
        for name, layer in self._layers.items():
            self._handles.append(layer.register_forward_hook(self._hook(name), with_kwargs=True))
        return self

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()

    @property
    def found(self) -> dict[str, Tensor]:
        """Weights of each call, in the order of the layers' first calls."""
        listed: dict[str, Tensor] = {}
        for name, calls in self._calls.items():
            listed |= {name if len(calls) == 1 else f"{name}#{at}": one for at, one in enumerate(calls, 1)}
        return listed

    def _hook(self, name: str) -> Any:
        def hook(layer: nn.MultiheadAttention, args: tuple[Any, ...], kwargs: dict[str, Any], _output: Any) -> None:
            given = {**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs}
            given |= {"need_weights": True, "average_attn_weights": False}
            with torch.no_grad():
                _, weights = layer.forward(**given)
            assert weights is not None  # they were asked for
            weights = weights if weights.dim() == 4 else weights[None]
            self._calls.setdefault(name, []).append(weights.detach().to(torch.float32))

        return hook


_ARGUMENTS = (
    "query",
    "key",
    "value",
    "key_padding_mask",
    "need_weights",
    "attn_mask",
    "average_attn_weights",
    "is_causal",
)


def attention_layers(model: nn.Module) -> dict[str, nn.MultiheadAttention]:
    """By name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.MultiheadAttention)}


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """The weights of each head, (n, heads, T, S): from each position (row) to each position (column), rows adding up to
    1 over valid positions; 0 at padding.

    Raises:
        NotFound: no such layer, or the instance does not reach it.
    """
    told(0, 1, "passes", "Attention")
    layers = attention_layers(case.session.model)
    with Weights(layers) as weights, torch.no_grad():
        case.score(case.inputs)
        found = weights.found
    key = parameters["layer"] or next(reversed(found), "")
    if key not in found:
        listed = ", ".join(found) or "none"
        raise NotFound(f"There is no attention layer {key!r} that the instance reaches.", f"Those there are: {listed}.")
    values, notes = _unpadded(case, found[key])
    extra = {"layer": key, "heads": values.shape[1], "aligned": _aligned(case, values)}
    if not extra["aligned"]:
        notes.append(
            f"The layer has {values.shape[2]:,} positions, the input {_steps(case):,}: they are numbered, and need not "
            "be the input's."
        )
    return Found(values, notes=[WARNING, *notes], extra=extra)


def _steps(case: Case) -> int:
    return case.inputs.shape[case.places[0]] if len(case.places) == 1 else 0


def _aligned(case: Case, values: Tensor) -> bool:
    """Whether rows and columns are the positions of the input."""
    return values.shape[2] == values.shape[3] == _steps(case)


def _unpadded(case: Case, values: Tensor) -> tuple[Tensor, list[str]]:
    valid = case.valid()
    if not _aligned(case, values) or bool(valid.all()):
        return values, []
    valid = valid.reshape(len(case), -1).to(values.device)
    lost = (values * ~valid[:, None, None]).sum(3)[valid[:, None].expand(-1, values.shape[1], -1)]
    notes = []
    if len(lost) and float(lost.mean()) > PADDING:
        notes.append(
            f"{100 * float(lost.mean()):.0f} % of the weights go to padding, which this model does not mask; they are "
            "left out."
        )
    return values * valid[:, None, None] * valid[:, None, :, None], notes


def applies(structure: Structure) -> str:
    """Needs an attention layer that is a module."""
    if structure.attention:
        return ""
    return "The model has no nn.MultiheadAttention layer, whose weights could be read."


def fit(structure: Structure, given: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """The attention layers."""
    return layer_choice.offered(given, _keys(structure))


def _keys(structure: Structure) -> list[str]:
    """Names; with '#1', '#2' where a layer is called twice, as far as is known of its calls."""
    calls = Counter(one.module for one in structure.of("multi_head_attention_forward"))
    return [
        f"{name}#{number}" if calls[name] > 1 else name
        for name in structure.attention
        for number in range(1, max(1, calls[name]) + 1)
    ]


METHOD = Method(
    name="attention",
    title="Attention weights",
    family="attention",
    version=1,
    summary="Which positions each head of an attention layer mixes into which: not an explanation of the output.",
    source="Vaswani et al., NeurIPS 2017, equation 1; what they do not show: Jain & Wallace, NAACL 2019; Wiegreffe & "
    "Pinter, EMNLP 2019.",
    result=Result(form="attention", signed=False),
    parameters=PARAMETERS,
    run=run,
    applies=applies,
    fit=fit,
    costs="1 pass forward",
)
