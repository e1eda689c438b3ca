"""Saves a model's weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from analysis.errors import RecordingError
from analysis.recording.unwrap import unwrap


def weights_writer(model: nn.Module) -> Callable[[Path], None]:
    """A function that writes the model's state as safetensors, under its names without wrappers.

    Tied weights are written under each of their names, so that any reader can load the file strictly; the metadata says
    which name holds the same tensor: {alias: name}.

    Raises:
        RecordingError: not a module, or one with weights that do not exist yet (lazy, or on the meta device).
    """
    state: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    first: dict[tuple[object, ...], str] = {}
    for name, value in unwrap(model).state_dict().items():
        if not isinstance(value, Tensor):
            continue
        if torch.nn.parameter.is_lazy(value) or value.is_meta:
            raise RecordingError(f"The weight {name!r} has no values yet.", "Run the model once before saving it.")
        name = name.replace("_orig_mod.", "")  # compiled parts inside the model
        place = (value.device, value.data_ptr(), value.dtype, tuple(value.shape), value.stride())
        if value.numel() and first.setdefault(place, name) != name:
            tied[name] = first[place]
        # A copy each: safetensors refuses tensors that share memory.
        state[name] = value.detach().to("cpu", copy=True).contiguous()

    def write(path: Path) -> None:
        save_file(state, str(path), metadata={"format": "pt", **tied})

    return write
