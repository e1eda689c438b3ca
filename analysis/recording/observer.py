"""Keeps the statistics of every watched layer and hands them to the run's writer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from analysis.recording.capture import Caught
from analysis.recording.layer_statistics import LayerStatistics, Sample
from analysis.recording.options import Options
from analysis.recording.selection import kind_of
from analysis.recording.sink import Writer
from analysis.recording.trace import Reading
from analysis.records import LayerMeta

_PAIR_PATCHES = 64  # patches compared between filters in a record of training batches, which must be cheap


class Observer:
    """One model's layers.

    Args:
        readings: watched layers. options: as set by the user. writer: where records go.
        frugal: compare filters over few patches of each record only.
    """

    def __init__(self, readings: list[Reading], options: Options, writer: Writer, frugal: bool) -> None:
        self.readings = readings
        self._options = options
        self._writer = writer
        self._pair_patches = _PAIR_PATCHES if frugal else None
        self._layers: dict[str, LayerStatistics] = {}
        self._absent: set[str] = set()
        self._counted: set[int] = set()  # parameters, so that tied ones count once
        for reading in readings:
            if reading.order >= 0:
                self._declare(reading, reading.filters, reading.spatial)

    def _declare(self, reading: Reading, filters: int, spatial: tuple[int, ...]) -> LayerStatistics:
        own = {id(p): p.numel() for p in reading.layer.parameters() if id(p) not in self._counted}
        self._counted |= own.keys()
        meta = LayerMeta(
            name=reading.name,
            kind=kind_of(reading.layer),
            type=type(reading.layer).__name__,
            filters=filters,
            order=reading.order if reading.order >= 0 else len(self._layers),
            rectifier=reading.rectifier,
            read_after=reading.read_after,
            output=reading.output,
            spatial=spatial,
            beta=self._options.beta,
            theta=self._options.theta,
            bins=self._options.bins,
            parameters=sum(own.values()),
        )
        self._writer.declare_layer(meta)
        statistics = LayerStatistics(meta, self._options.neighbours, self._options.decay, self._pair_patches)
        self._layers[reading.name] = statistics
        return statistics

    def write(
        self,
        caught: Mapping[str, Caught],
        passes: int,
        labels: Tensor | None,
        ids: Tensor | None,
        step: int,
        wall: float,
    ) -> None:
        """Finish the record of ``step``.

        Args:
            caught: what ``passes`` passes through the model left. labels: of each instance, shape (N,), or None.
            ids: what to call each instance, shape (N,), negative where unknown; None: by its index.
        """
        for reading in self.readings:
            seen = caught.get(reading.name)
            if seen is None or not seen.patches:
                self._note_absent(reading.name, step)
                continue
            layer = self._layers.get(reading.name) or self._declare(reading, seen.patches[0].shape[1], seen.spatial)
            record = layer.record(_sample(seen, passes, labels, ids), step, wall)
            self._writer.layer_record(reading.name, record)

    def _note_absent(self, name: str, step: int) -> None:
        if name not in self._absent:
            self._absent.add(name)
            self._writer.note("warning", f"The layer {name!r} was not called for these inputs.", step)


def _sample(seen: Caught, passes: int, labels: Tensor | None, ids: Tensor | None) -> Sample:
    patches = _joined(seen.patches)
    instances = _joined(seen.instances)
    highest = torch.stack(seen.maxima).cpu()
    highest = highest.nan_to_num(nan=-torch.inf).amax(dim=0)
    highest = torch.where(highest == -torch.inf, torch.nan, highest.clamp_min(0))
    if labels is None or len(labels) == 0:
        of_patches = instances.new_full(instances.shape, -1)
    else:
        of_patches = labels[instances.clamp_min(0)].masked_fill(instances < 0, -1)
    if ids is not None:
        instances = ids[instances.clamp_min(0)].masked_fill(instances < 0, -1) if len(ids) else instances.fill_(-1)
    calls = max(1, -(-seen.calls // max(passes, 1)))
    return Sample(patches, highest, of_patches, instances, _places(seen), calls)


def _places(seen: Caught) -> Tensor:
    axes = [torch.cat(parts) for parts in zip(*seen.places, strict=True)]
    count = sum(len(part) for part in seen.patches)
    return (torch.stack(axes, dim=1) if axes else torch.zeros(count, 0, dtype=torch.int64)).cpu()


def _joined(parts: list[Tensor]) -> Tensor:
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).cpu()
