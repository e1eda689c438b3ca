"""Records a model by running the probe set through it: the same instances and positions each time."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from analysis.errors import RecordingError
from analysis.recording import layout, positions
from analysis.recording.capture import Batch, Capture
from analysis.recording.isolation import undisturbed
from analysis.recording.observer import Observer
from analysis.recording.options import Options
from analysis.recording.probe import Probe, device_of
from analysis.recording.sink import Writer
from analysis.recording.trace import Reading, Trace, default_reading
from analysis.recording.unwrap import eager


class ProbeWatch:
    """A watched model and its probe set.

    Raises:
        RecordingError: the model cannot run the probe, or a layer yields no activations.
    """

    def __init__(
        self, model: nn.Module, layers: Mapping[str, nn.Module], probe: Probe, options: Options, writer: Writer
    ) -> None:
        self._model = model
        self._probe = probe
        self._options = options
        generator = torch.Generator().manual_seed(options.random_state)
        self._numbers = positions.draw(probe.count, options.patches, generator)
        self._move()
        _initialise(model, probe)
        self._observer = Observer(self._read_once(layers), options, writer, frugal=False)

    def _move(self) -> None:
        device = device_of(self._model)
        if device is not None:
            self._probe.move(device)

    def _read_once(self, layers: Mapping[str, nn.Module]) -> list[Reading]:
        """Learn from the first mini-batch how to read each layer."""
        first = next(self._probe.batches(self._options.batch_size))
        try:
            return _traced(self._model, layers, first)
        except layout.Unreadable as error:
            raise RecordingError(str(error), "Leave it out with exclude=[...].") from None
        except Exception:  # the model may not bear being traced; whether it runs at all is decided here
            with _reported(), undisturbed(self._model), eager():
                self._model(*first[2], **first[3])
            return [default_reading(name, layer) for name, layer in layers.items()]

    def settle(self) -> None:
        """Wait for the training's own work on a GPU, which must not be counted as recording."""
        device = device_of(self._model)
        if device is not None and device.type == "cuda":
            torch.cuda.synchronize(device)

    def record(self, step: int, wall: float) -> None:
        """Run the probe set and write a record of each layer. Raises whatever the model raises."""
        self._move()
        capture = Capture(self._observer.readings)
        passes = 0
        with undisturbed(self._model), eager():
            capture.attach()
            try:
                for start, count, args, kwargs in self._probe.batches(self._options.batch_size):
                    capture.batch = Batch(count, self._numbers_for(start, count), start)
                    self._model(*args, **kwargs)
                    passes += 1
            finally:
                capture.detach()
        self._observer.write(capture.caught, passes, self._probe.labels, None, step, wall)

    def _numbers_for(self, start: int, count: int) -> Any:
        def numbers(units: int, device: torch.device) -> Tensor:
            if units == count:
                return self._numbers[start : start + count].to(device)
            # Rows that are no instances (regions, nodes): drawn alike at every record.
            generator = torch.Generator().manual_seed(self._options.random_state + start + 1)
            return positions.draw(units, self._options.patches, generator).to(device)

        return numbers

    def detach(self) -> None:
        """Nothing stays on the model between records."""


def _traced(model: nn.Module, layers: Mapping[str, nn.Module], batch: tuple[Any, ...]) -> list[Reading]:
    _, count, args, kwargs = batch
    with undisturbed(model), eager():
        trace = Trace(layers, model, count)
        with trace:
            output = model(*args, **kwargs)
        return trace.readings(output)


def _initialise(model: nn.Module, probe: Probe) -> None:
    """Give lazy modules their weights. This draws from the random state as the first training pass would have."""
    if not any(torch.nn.parameter.is_lazy(p) for p in (*model.parameters(), *model.buffers())):
        return
    flags = [(module, module.training) for module in model.modules()]
    _, _, args, kwargs = next(probe.batches(2))
    try:
        with _reported(), torch.no_grad(), eager():
            model.eval()
            model(*args, **kwargs)
    finally:
        for module, training in flags:
            module.training = training


@contextlib.contextmanager
def _reported() -> Any:
    """Turn what the model raises into a RecordingError with its message."""
    try:
        yield
    except Exception as error:
        text = (str(error).strip().splitlines() or ["no message"])[0]
        raise RecordingError(
            f"The model cannot run the probe: {type(error).__name__}: {text}",
            "Pass inputs as the model takes them: a tensor, a tuple of tensors, or a dictionary of keyword arguments.",
        ) from error
