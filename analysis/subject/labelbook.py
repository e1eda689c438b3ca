"""Class numbers of a subject's instances, read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from analysis.data.batch import Batch
from analysis.data.instances import Instances
from analysis.data.labels import MISSING, all_at_once
from analysis.subject.opening import check_labels


class LabelBook:
    """Labels of all instances, as far as they are known. classes: outputs of the model."""

    def __init__(self, instances: Instances, classes: int) -> None:
        self._instances, self._classes = instances, classes
        self._labels = np.full(instances.source.n, MISSING, np.int64)
        self._known = np.zeros(instances.source.n, bool)
        self._from: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all labels are known, also that there are none."""
        return bool(self._known.all())

    def note(self, batch: Batch) -> None:
        """Take over the labels of a batch."""
        self._labels[batch.indices], self._known[batch.indices] = batch.labels, True

    def at_once(self) -> str:
        """Take all labels from an attribute of the data set, if one can be trusted; its name, '' if there is none."""
        if self._from is None:
            found = None
            if len(self._labels) and self._instances.collate_fn is None:
                source, key = self._instances.source, self._instances.label_key
                found = all_at_once(source, self._instances.labeller, self._instances.label, key)
            self._from = found[1] if found else ""
            if found:
                self._labels, self._known[:] = found[0].copy(), True
        return self._from

    def of(self, indices: Iterable[int] | None, progress: Callable[..., None] | None) -> NDArray[np.int64]:
        """Labels of all or some instances, int64 (n,); MISSING where there is none, or the item cannot be read.

        Raises:
            SubjectError: a label beyond the model's outputs, or a text that is no class name.
        """
        self.at_once()
        places = np.arange(len(self._labels)) if indices is None else np.asarray(list(indices), np.int64)
        unknown = places[~self._known[places]].tolist()
        for done, index in enumerate(unknown):
            found = self._instances.label(index)
            self._labels[index] = MISSING if found is None else found
            self._known[index] = True
            if progress is not None:
                progress(done + 1, len(unknown), "instances", "Reading labels")
        labels: NDArray[np.int64] = self._labels[places]
        check_labels(int(labels.max(initial=MISSING)), self._classes)
        return labels
