"""Finds the model inside compiled and distributed wrappers, so that it is read without them."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import torch
from torch import nn

from analysis.errors import RecordingError


def unwrap(model: Any) -> nn.Module:
    """The module inside compiled (``_orig_mod``), DataParallel and DistributedDataParallel wrappers.

    Raises:
        RecordingError: not a module, or one whose layers cannot be hooked (TorchScript) or are spread over processes
            (fully sharded).
    """
    while True:
        if not isinstance(model, nn.Module):
            raise RecordingError(
                f"A {type(model).__name__} is not a PyTorch module.", "Pass the torch.nn.Module that is trained."
            )
        if isinstance(model, torch.jit.ScriptModule):
            raise RecordingError(
                "TorchScript modules run without the hooks that recording needs.",
                "Watch the Python module before it is scripted or traced.",
            )
        if any(
            "FullyShardedDataParallel" in base.__name__ or base.__name__ == "FSDPModule" for base in type(model).__mro__
        ):
            raise RecordingError(
                "The parameters of a fully sharded model are spread over processes.",
                "Watch an unsharded model, or record metrics only.",
            )
        inner = model._modules.get("_orig_mod")
        if inner is None and isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = model.module
        if inner is None:
            return model
        model = inner


def is_compiled(model: nn.Module) -> bool:
    """Whether the model or a part of it runs compiled, in a wrapper or in place."""
    return any(
        "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
        for module in model.modules()
    )


def eager() -> contextlib.AbstractContextManager[Any]:
    """Context in which compiled models run uncompiled, so that hooks see the layers and nothing is compiled anew."""
    if "torch._dynamo" not in sys.modules:  # nothing can be compiled, and importing it is slow
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")


def is_first_process() -> bool:
    """Whether this process is the one of a distributed training that records (rank 0), or the only one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank() == 0
    rank = os.environ.get("RANK", "0")
    return os.environ.get("WORLD_SIZE", "1") in ("", "1") or rank in ("", "0")
