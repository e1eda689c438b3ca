"""Where records go: what the recorder asks of a run's writer, and how it gets one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from analysis.errors import NewerSchema, NotARun, RunBusy, RunUnreadable, StoreError
from analysis.records import LayerMeta, LayerRecord


class Writer(Protocol):
    """The part of the store's RunWriter that is used here."""

    def scalars(self, metrics: Mapping[str, float], step: int, wall: float) -> None: ...
    def declare_layer(self, meta: LayerMeta) -> None: ...
    def layer_record(self, name: str, record: LayerRecord) -> None: ...
    def probe(self, arrays: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> None: ...
    def checkpoint(self, step: int, write: Callable[[Path], None]) -> Path | None: ...
    def note(self, kind: str, message: str, step: int) -> None: ...
    def heartbeat(self) -> None: ...
    def close(self, reason: str = "finished") -> None: ...


WriterFactory = Callable[[str | Path, Mapping[str, Any] | None, str | None], Writer]


def open_writer(
    directory: str | Path, config: Mapping[str, Any] | None, name: str | None, factory: WriterFactory | None
) -> Writer | None:
    """A writer for the run, or None (and one warning) where the directory cannot be written: training goes on.

    Raises:
        StoreError: the run is being written by another process, is none, or is of a later version.
    """
    if factory is None:
        from analysis.store.writer import RunWriter

        factory = RunWriter
    try:
        return factory(directory, config, name)
    except (RunBusy, NotARun, NewerSchema, RunUnreadable):
        raise
    except (StoreError, OSError) as error:
        warnings.warn(f"Nothing is recorded: {error}", RuntimeWarning, stacklevel=4)
        return None
