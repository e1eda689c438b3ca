"""Feeds values of any make into a digest: different values, different bytes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.data import tensors
from analysis.data.unpack import is_mapping

DEPTH = 16  # containers within containers; deeper is taken for a ring
_SIMPLE = (str, bytes, int, float, complex, bool, np.generic, type(None))


def feed(digest: Any, value: Any, contents: bool = True, depth: int = 0) -> None:
    """Add a value, whatever it is made of.

    Args:
        digest: of hashlib. contents: whether numbers count, or only their types and shapes.
    """
    if depth > DEPTH:
        digest.update(b"<deep>")
    elif isinstance(value, Tensor):
        value = value.detach().cpu()
        digest.update(f"<tensor {value.dtype} {tuple(value.shape)}>".encode())
        if contents and value.layout is torch.strided:
            flat = value.contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    elif isinstance(value, np.ndarray):
        digest.update(f"<array {value.dtype} {value.shape}>".encode())
        if contents and value.dtype.hasobject:
            feed(digest, value.tolist(), contents, depth + 1)
        elif contents:
            digest.update(value.tobytes())
    elif tensors.is_picture(value):
        width, height = value.size
        digest.update(f"<picture {value.mode} {value.size}>".encode())
        # Looking at its size opens nothing; a small file may claim any.
        if contents and width * height <= tensors.MAX_PIXELS:
            digest.update(value.tobytes())
    elif isinstance(value, _SIMPLE):
        digest.update(f"<{value!r}>".encode() if contents else f"<{type(value).__name__}>".encode())
    else:
        _feed_parts(digest, value, contents, depth + 1)


def _feed_parts(digest: Any, value: Any, contents: bool, depth: int) -> None:
    if is_mapping(value):
        digest.update(b"<keys>")
        for key in value.keys():  # noqa: SIM118 (not always a dict)
            digest.update(f"<{key!r}>".encode())
            feed(digest, value[key], contents, depth)
    elif isinstance(value, (tuple, list)):
        digest.update(f"<{len(value)} parts>".encode())
        for part in value:
            feed(digest, part, contents, depth)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        feed(digest, {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}, contents, depth)
    elif getattr(value, "__dict__", None):
        feed(digest, dict(vars(value)), contents, depth)
    else:
        text = repr(value)  # dates, paths, sets; not what tells its place in memory
        digest.update(f"<{type(value).__name__}>".encode())
        digest.update(text.encode() if contents and " at 0x" not in text else b"")


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is data and nothing else: numbers, texts, arrays, and containers of them."""
    if isinstance(value, Tensor):
        return not isinstance(value, torch.nn.Parameter) and value.grad_fn is None
    if isinstance(value, (*_SIMPLE, np.ndarray, torch.dtype)):
        return True
    if isinstance(value, dict):
        return depth < DEPTH and all(is_plain(part, depth + 1) for part in value.values())
    return isinstance(value, (tuple, list)) and depth < DEPTH and all(is_plain(part, depth + 1) for part in value)
