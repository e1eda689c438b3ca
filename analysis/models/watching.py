"""What has to be switched off so that hooks see every layer and ordinary tensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from analysis.recording.unwrap import eager


@contextmanager
def hookable() -> Iterator[None]:
    """Inside, compiled parts run uncompiled, and encoder layers call their parts rather than one fused function.

    The fused function drops padding by nested tensors, which have no shape, so its results may differ in the last bits.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with eager():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
