"""The layers of a model, as one forward pass finds them: each call of a layer is one entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from analysis.errors import RecordingError
from analysis.layerinfo import LayerInfo
from analysis.models.watching import hookable
from analysis.recording import layout
from analysis.recording.isolation import undisturbed
from analysis.recording.selection import kind_of, select_layers
from analysis.recording.trace import Trace, _final, _rectifier

NOT_CALLED = "not called for these inputs"


def inventory(
    model: nn.Module, forward: Callable[[], Any], instances: int, include: Iterable[str] | str | None = None
) -> list[LayerInfo]:
    """List the layers of a model, those that were called first, in the order of their calls.

    The pass is watched, so every intermediate result is held until it ends: two instances are enough, and one leaves
    open which axis is that of the instances. The model is left as it was.

    Args:
        model: not wrapped (``recording.unwrap``). forward: runs one pass; returns what the model yields, or its scores.
        instances: instances in that pass. include: names or patterns of modules, of any type that yields a tensor;
            None for convolutions, linear and recurrent layers, or for the innermost modules where there are none.

    Raises:
        RecordingError: a pattern matches nothing, or the model has no modules. Whatever ``forward`` raises.
    """
    layers = _chosen(model, include)
    trace = _CallTrace(layers, model, instances)
    with undisturbed(model), hookable(), trace:
        output = forward()
    return trace.infos(output)


def _chosen(model: nn.Module, include: Iterable[str] | str | None) -> dict[str, nn.Module]:
    try:
        return select_layers(model, include)
    except RecordingError:
        leaves = {name: module for name, module in model.named_modules() if name and not list(module.children())}
        if include is not None or not leaves:
            raise
        return leaves


class _CallTrace(Trace):
    """As the recorder's trace, but telling the calls of a reused module apart."""

    def __init__(self, layers: dict[str, nn.Module], model: nn.Module, instances: int) -> None:
        super().__init__(layers, model, instances)
        self._calls: list[tuple[str, Any]] = []  # of all layers, in order
        self._through: dict[tuple[str, int], Any] = {}  # what a normalisation made of a tensor

    def _layer_hook(self, name: str) -> Callable[..., None]:
        follow = super()._layer_hook(name)

        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            self._calls.append((name, output))
            follow(module, inputs, output)

        return hook

    def _norm_exit(self, name: str) -> Callable[..., None]:
        follow = super()._norm_exit(name)

        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if inputs:
                self._through[(name, id(inputs[0]))] = output
            follow(module, inputs, output)

        return hook

    def _normalisation(self, own: Any) -> tuple[str, Any]:
        names = self._entered.get(id(own), [])
        if len(names) != 1 or len(self._users.get(id(own), [])) != 1 or names[0] in self._layers:
            return "", own
        output = self._through.get((names[0], id(own)))
        if output is None or getattr(output, "shape", None) != own.shape:
            return "", own
        return names[0], output

    def infos(self, model_output: Any) -> list[LayerInfo]:
        """What was called, in order, then what was not."""
        final = _final(model_output)
        total = Counter(name for name, _ in self._calls)
        seen: Counter[str] = Counter()
        counted: set[int] = set()
        found = []
        for order, (name, output) in enumerate(self._calls):
            number = seen[name]
            seen[name] += 1
            key = _key(name, self._layers[name]) + (f"#{number + 1}" if total[name] > 1 else "")
            found.append(self._info(key, name, number, order, output, final, counted))
        for name, layer in self._layers.items():
            if name not in total:
                found.append(
                    LayerInfo(
                        key=_key(name, layer),
                        name=name,
                        call=0,
                        kind=kind_of(layer),
                        type=type(layer).__name__,
                        read_after=name,
                        parameters=_parameters(layer, counted),
                        reason=NOT_CALLED,
                    )
                )
        return found

    def _info(
        self, key: str, name: str, call: int, order: int, output: Any, final: Any, counted: set[int]
    ) -> LayerInfo:
        layer = self._layers[name]
        info = LayerInfo(
            key=key,
            name=name,
            call=call,
            kind=kind_of(layer),
            type=type(layer).__name__,
            read_after=name,
            parameters=_parameters(layer, counted),
            order=order,
        )
        values = vars(info)
        try:
            shape = layout.read(layer, output, self._instances)
        except layout.Unreadable as error:
            return LayerInfo(**{**values, "reason": str(error)})
        if shape.per_row == 0:
            rows = f"it yields {shape.rows} rows for {self._instances} instances"
            return LayerInfo(**{**values, "reason": rows})
        after, value = self._normalisation(layout.first_tensor(output))
        reached, applied = self._consequences(value)
        is_output = final is not None and id(final) in reached
        return LayerInfo(
            **{
                **values,
                "filters": shape.filters,
                "spatial": shape.spatial,
                "read_after": after or name,
                "rectifier": _rectifier(layer, shape.filters, is_output, applied),
                "output": is_output,
            }
        )


def _key(name: str, layer: nn.Module) -> str:
    return name or type(layer).__name__.lower()  # the model itself has no name


def _parameters(layer: nn.Module, counted: set[int]) -> int:
    """Numbers in the layer's parameters that no layer before it has: the sum over layers counts tied weights once."""
    new = [p for p in layer.parameters() if id(p) not in counted and not nn.parameter.is_lazy(p)]
    counted.update(id(p) for p in new)
    return sum(p.numel() for p in new)
