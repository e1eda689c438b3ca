"""What is known of one layer of a subject: shared by the worker, which finds it out, and the page, which shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class LayerInfo:
    """A layer, or one call of a layer that is called several times in a pass.

    key: what the page calls it: its dotted ``named_modules()`` name, with '#2' for the second call of a reused module
    (then the first is '#1'). call: from 0. kind: 'conv', 'linear', 'recurrent' or 'other'. type: the module's class.
    filters: F. spatial: shape of its positions, () for one per instance. read_after: dotted name of the module whose
    output is read (a normalisation that follows, or the layer itself). rectifier: how activations are made
    non-negative: 'relu', 'abs' or 'softmax'. output: it yields the model's output. parameters: of the module, tied
    weights once. order: place in the network (order of the calls), -1 if it is not reached. reason: why it cannot be
    shown, '' if it can.
    """

    key: str
    name: str
    call: int
    kind: str
    type: str
    filters: int = 0
    spatial: tuple[int, ...] = ()
    read_after: str = ""
    rectifier: str = "relu"
    output: bool = False
    parameters: int = 0
    order: int = -1
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "spatial": list(self.spatial)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> LayerInfo:
        """The layer that ``to_json`` wrote."""
        return cls(**{**value, "spatial": tuple(value["spatial"])})
