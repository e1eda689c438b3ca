"""Writing a run: one process appends, any number of others read without being asked.

An acknowledged record is in the kernel's hands when the call returns: kill -9 of the process loses none. Power loss is
not covered, records are not synchronised to the device one by one; checkpoints and descriptions are.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import NotFound, ParameterError
from analysis.records import LayerMeta, LayerRecord
from analysis.store import frames, layers, layout, opening
from analysis.store.appendfile import Appender
from analysis.store.heartbeat import Heartbeat
from analysis.store.probes import MAX_PROBE, write_probe

_HEARTBEAT = 10.0  # seconds
_SETTLE = 5.0  # seconds between notes about dropped records


class RunWriter:
    """The one writer of a run directory; every opening starts a new segment.

    Methods may be called from several threads; in forked children they do nothing. After the constructor no failure of
    the disk raises: what cannot be written is dropped, counted in ``dropped``, warned about once and noted in the run.

    Args:
        directory: created if absent; must be empty or a run.
        config: what to remember about this training; values JSON cannot hold become their repr.
        name: shown in lists, by default the directory's name. Only the first opening of a run sets it.

    Raises:
        NotARun: the directory holds other files. RunBusy: another process is writing this run. NewerSchema,
        RunUnreadable: it cannot be continued. StoreError: the directory cannot be written.
    """

    def __init__(self, directory: str | Path, config: Mapping[str, Any] | None = None, name: str | None = None) -> None:
        self.path = Path(os.path.abspath(Path(directory).expanduser()))  # noqa: PTH100 - links stay as named
        started = opening.open_run(self.path, config or {}, name)
        self.run_id: str = started.run_id
        self.segment: int = started.segment
        self._directory = started.directory
        self._lock_file = started.lock
        self._files = Appender(str(self.path))
        self._tags: dict[str, str] = {}  # tag -> file
        self._layers: dict[str, tuple[int, LayerMeta, str]] = {}  # number, description, file
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._closed = False
        self._beat = self._settled = time.monotonic()
        self._last_step = 0
        self._heartbeat = Heartbeat(self._directory / layout.SEGMENT_FILE, _HEARTBEAT)

    @property
    def dropped(self) -> int:
        """Records that could not be written since this writer was opened."""
        return self._files.dropped

    def scalars(self, metrics: Mapping[str, float], step: int, wall: float) -> None:
        """Append one record per metric; NaN and infinities are kept. wall: seconds since the epoch.

        Raises ParameterError when a value is no number or the step exceeds 64 bits; then nothing is written.
        """
        if self._silent():
            return
        encoded = []
        for tag, value in metrics.items():
            try:
                encoded.append((str(tag), frames.encode_scalar(int(step), float(wall), float(value))))
            except (TypeError, ValueError, OverflowError, struct.error) as error:
                what = f"{str(tag)[:80]!r} at step {step!r} cannot be recorded: {error}."
                raise ParameterError(what, "Give a number per tag and a whole step below 2^63.") from error
        with self._lock:
            for tag, frame in encoded:
                path = self._tags.get(tag) or self._declare_tag(tag, int(step))
                if path is not None:
                    self._files.append(path, frame, int(step))
            self._after(int(step))

    def declare_layer(self, meta: LayerMeta) -> None:
        """Describe a layer before its records. The same description again does nothing, a changed one replaces it."""
        if self._silent():
            return
        with self._lock:
            number, known, path = self._layers.get(meta.name, (len(self._layers) + 1, None, ""))
            if known == meta:
                return
            path = path or self._file(layout.LAYERS, layout.records_file(number))
            described = self._file(layout.LAYERS_FILE)
            if not self._files.create(path, self._last_step):
                return
            if self._files.append(described, frames.encode(layers.encode_meta(number, meta)), self._last_step):
                self._layers[meta.name] = (number, meta, path)

    def layer_record(self, name: str, record: LayerRecord) -> None:
        """Append one record of a declared layer. Patch arrays left empty mean: as in the record before.

        Raises NotFound when the layer was not declared, ParameterError when an array is not numeric or the record is
        larger than a reader accepts.
        """
        if self._silent():
            return
        payload = layers.encode_record(record)
        if len(payload) > frames.MAX_PAYLOAD:
            raise ParameterError(
                f"A record of {name} has {len(payload):,} bytes; {frames.MAX_PAYLOAD:,} is the most.",
                "Watch it with fewer bins, neighbours or patches per instance.",
            )
        with self._lock:
            if name not in self._layers:
                if self._files.dropped:  # its description did not fit on the disk
                    self._files.drop(int(record.step))
                    return
                raise NotFound(f"The layer {name!r} was not declared.", "Call declare_layer before layer_record.")
            self._files.append(self._layers[name][2], frames.encode(payload), int(record.step))
            self._after(int(record.step))

    def probe(self, arrays: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> None:
        """Keep the instances that layer records refer to: arrays 'inputs' and 'labels', info with class names and more.

        The same content again does nothing; another content in a later segment is kept beside the first. Within one
        segment the probe cannot change: a note says so. Raises ParameterError when an array is not numeric.
        """
        if self._silent():
            return
        encoded = layers.encode_arrays(dict(arrays))
        if len(encoded) > MAX_PROBE:
            message = f"The probe set has {len(encoded):,} bytes and is not copied into the run; its labels are."
            self.note("warning", message, self._last_step)
            encoded = layers.encode_arrays({name: array for name, array in arrays.items() if name == "labels"})
        with self._lock:
            try:
                kept = write_probe(self.path, self.segment, encoded, layout.plain(info))
            except OSError as error:
                self._files.fail(error, self._last_step)
                return
            if not kept:
                self.note("warning", "The probe changed while recording; the first one is kept.", self._last_step)

    def checkpoint(self, step: int, write: Callable[[Path], None]) -> Path | None:
        """Let ``write(path)`` save weights as safetensors, then give the file its name. None: it could not be saved.

        An existing file is never overwritten. A failure of ``write`` counts as a dropped record.
        """
        if self._silent():
            return None
        with self._lock:
            folder = self.path / layout.CHECKPOINTS
            temporary = folder / f"{layout.TEMPORARY}step-{int(step):010d}.safetensors"
            try:
                folder.mkdir(exist_ok=True)
                write(temporary)
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
                final = self._free_name(folder, int(step))
                size = temporary.stat().st_size
                temporary.rename(final)
                layout.sync_directory(folder)
            except Exception as error:  # serialisers wrap a full disk in exceptions of their own
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
                self._files.fail(error, int(step))
                return None
            entry = {"name": final.stem, "step": int(step), "wall": time.time(), "bytes": size}
            saved = self._file(layout.SAVED_FILE)
            self._files.append(saved, frames.encode(json.dumps(entry).encode()), int(step))
            self._after(int(step))
            return final

    def note(self, kind: str, message: str, step: int) -> None:
        """Append a note. kind: 'dropped', 'warning' or 'info'."""
        if not self._silent():
            with self._lock:
                self._note(kind, message, int(step))

    def heartbeat(self) -> None:
        """Tell readers that the training is alive though it writes nothing; touches the disk every 10 s at most."""
        if self._silent() or time.monotonic() - self._beat < _HEARTBEAT:
            return
        self._beat = time.monotonic()
        with contextlib.suppress(OSError):
            os.utime(self._directory / layout.SEGMENT_FILE)

    def close(self, reason: str = "finished") -> None:
        """End the segment. reason: 'finished', or the name of the exception that ended the training."""
        if self._silent():
            return
        with self._lock:
            self._closed = True
            self._heartbeat.stop()
            self._files.try_now()
            self._settle()
            try:
                layout.write_json(
                    self._directory / layout.CLOSED_FILE, {"finished": time.time(), "reason": str(reason)}
                )
            except OSError as error:
                self._files.fail(error, self._last_step)
            self._files.close()
            self._lock_file.release()

    def _silent(self) -> bool:
        """Closed, or a copy of the writer in a forked child, whose lock may be held by a thread that is not there."""
        return os.getpid() != self._pid or self._closed

    def _file(self, *parts: str) -> str:
        return os.path.join(self._directory, *parts)  # noqa: PTH118 - a key that is quicker to look up than a Path

    def _declare_tag(self, tag: str, step: int) -> str | None:
        number = len(self._tags) + 1
        path = self._file(layout.SCALARS, layout.records_file(number))
        if not self._files.create(path, step):
            return None
        frame = frames.encode(json.dumps({"id": number, "tag": tag}).encode())
        if not self._files.append(self._file(layout.TAGS_FILE), frame, step):
            return None
        self._tags[tag] = path
        return path

    def _free_name(self, folder: Path, step: int) -> Path:
        base, again = f"step-{step:010d}", f"step-{step:010d}-seg{self.segment:04d}"
        names = (base, again, *(f"{again}-{count}" for count in range(2, 100_000)))
        return next(path for name in names if not (path := folder / f"{name}.safetensors").exists())

    def _note(self, kind: str, message: str, step: int) -> bool:
        note = {"kind": kind, "message": message, "step": step, "wall": time.time()}
        return self._files.append(self._file(layout.NOTES_FILE), frames.encode(json.dumps(note).encode()), step)

    def _after(self, step: int) -> None:
        self._last_step = step
        now = time.monotonic()
        if now - self._beat >= _HEARTBEAT:
            self.heartbeat()
        if self._files.unsettled and now - self._settled > _SETTLE and not self._files.blocked():
            self._settle()

    def _settle(self) -> None:
        """Write down what was dropped, now that writing may work again."""
        self._settled = time.monotonic()
        if not self._files.unsettled or self._files.steps is None:
            return
        count, (first, last) = self._files.unsettled, self._files.steps
        message = f"{count:,} records were not written, steps {first:,} to {last:,}: the disk refused them."
        if self._note("dropped", message, last):
            self._files.settle()
