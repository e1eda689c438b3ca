"""From what a data set holds - arrays, pictures, lists of numbers - to tensors."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.data.errors import Unreadable

MAX_PIXELS = 50_000_000  # of one picture; a small file may claim any size


def is_number(value: Any) -> bool:
    """A plain number, not an array."""
    return isinstance(value, (numbers.Number, np.number, np.bool_))


def is_picture(value: Any) -> bool:
    """A Pillow image (told without importing Pillow)."""
    return all(hasattr(value, name) for name in ("mode", "size", "getbands", "convert"))


def is_tensorlike(value: Any) -> bool:
    """Whether ``as_tensor`` may take it: arrays, pictures, numbers, and lists of numbers."""
    if isinstance(value, Tensor) or is_number(value) or is_picture(value):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    while isinstance(value, (list, tuple)) and len(value):
        value = value[0]
    return (
        is_number(value) or isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf")
    )


def as_tensor(value: Any) -> Tensor:
    """A tensor on the CPU. Lists of Python's floats become float32; a picture becomes (C, H, W) in 0..1.

    Raises:
        Unreadable: it holds no regular array of real numbers, or is a picture of unreasonable size.
    """
    if is_picture(value):
        return _picture(value)
    try:
        if isinstance(value, Tensor):
            tensor = value.detach().cpu()
        elif isinstance(value, np.ndarray):
            tensor = torch.from_numpy(_plain(value))
        elif isinstance(value, (list, tuple)) and len(value) and isinstance(value[0], Tensor):
            tensor = torch.stack([part.detach().cpu() for part in value])
        else:
            array = np.asarray(value)
            tensor = torch.from_numpy(_plain(array.astype(np.float32) if array.dtype == np.float64 else array))
    except (TypeError, ValueError, RuntimeError) as error:
        raise Unreadable(f"a {type(value).__name__} is no regular array of numbers ({str(error)[:200]})") from error
    if tensor.is_complex() or tensor.layout is not torch.strided:
        raise Unreadable(f"it is a {tensor.dtype} tensor of layout {tensor.layout}")
    return tensor


def _plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """In native byte order, C order, writable: what torch shares memory with."""
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
    return array if array.flags.writeable else array.copy()


def _picture(picture: Any) -> Tensor:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise Unreadable(f"the picture has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}")
    try:
        if picture.mode not in ("L", "RGB"):
            picture = picture.convert("L" if picture.mode in ("1", "LA") else "RGB")
        array = np.array(picture)
    except (OSError, ValueError, SyntaxError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    array = array[..., None] if array.ndim == 2 else array
    return torch.from_numpy(array).permute(2, 0, 1).float().div_(255)
