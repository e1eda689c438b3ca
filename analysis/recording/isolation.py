"""Runs a model without leaving a trace: whatever a pass may change is put back as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Inside, the model is in evaluation mode and builds no graph; afterwards everything is as before, come what may.

    Put back: training flags and plain attributes of every module, buffers and tensors held as attributes (also when
    overwritten in place), the random states of Python, NumPy and torch on the CPU and on the model's GPUs, gradient
    mode. The weight cache of autocast is not filled: weights cached without a graph would cut training off from it.
    """
    modules = list(model.modules())
    states = [(module, dict(vars(module)), dict(module._buffers)) for module in modules]
    held = [(tensor, tensor._version, tensor.detach().clone()) for tensor in _tensors(states)]
    random_states = _random_states(model)
    caching = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        with torch.no_grad():
            for module in modules:
                vars(module)["training"] = False
            yield
    finally:
        torch.set_autocast_cache_enabled(caching)
        for module, attributes, buffers in states:
            _put_back(vars(module), attributes)
            _put_back(module._buffers, buffers)
        with torch.no_grad():
            for tensor, version, copy in held:
                if tensor._version != version:
                    tensor.copy_(copy)
        _restore_random(random_states)


def _tensors(states: list[tuple[nn.Module, dict[str, Any], dict[str, Any]]]) -> list[Tensor]:
    """Buffers and tensors kept as plain attributes, each once; inference tensors have no version and are left out."""
    found: dict[int, Tensor] = {}
    for _, attributes, buffers in states:
        for value in (*attributes.values(), *buffers.values()):
            if isinstance(value, Tensor) and not value.is_inference() and not torch.nn.parameter.is_lazy(value):
                found[id(value)] = value
    return list(found.values())


def _put_back(now: dict[str, Any], before: dict[str, Any]) -> None:
    for name in [name for name in now if name not in before]:
        del now[name]
    for name, value in before.items():
        if name not in now or now[name] is not value:
            now[name] = value


def _random_states(model: nn.Module) -> tuple[Any, ...]:
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    cuda = [(device, torch.cuda.get_rng_state(device)) for device in devices]
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda


def _restore_random(states: tuple[Any, ...]) -> None:
    python, numpy, cpu, cuda = states
    random.setstate(python)
    np.random.set_state(numpy)
    torch.set_rng_state(cpu)
    for device, state in cuda:
        torch.cuda.set_rng_state(state, device)
