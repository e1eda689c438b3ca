"""A batch, as the model is called with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NO_INDICES: NDArray[np.int64] = np.zeros(0, np.int64)


@dataclass
class Batch:
    """n instances that could be read.

    args, kwargs: what the model is called with. labels: class numbers (n,), -1 where missing. indices: in the data set
    (n,). lengths: valid steps of each instance (n,), None where nothing is padded. skipped: instances that could not
    be read, with the reason. main: which argument holds what is shown: a position, or a name; None in an empty batch.
    texts: text fields of each instance.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    labels: NDArray[np.int64] = field(default_factory=lambda: NO_INDICES.copy())
    indices: NDArray[np.int64] = field(default_factory=lambda: NO_INDICES.copy())
    lengths: Tensor | None = None
    skipped: list[tuple[int, str]] = field(default_factory=list)
    main: int | str | None = None
    texts: list[dict[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def principal(self) -> Tensor:
        """The tensor that is shown: picture, ids, series or row. Raises KeyError in an empty batch."""
        if self.main is None:
            raise KeyError("an empty batch")
        found: Tensor = self.args[self.main] if isinstance(self.main, int) else self.kwargs[self.main]
        return found

    def with_principal(self, tensor: Tensor) -> Batch:
        """The same batch with another tensor in the place of the principal one."""
        args = tuple(tensor if place == self.main else value for place, value in enumerate(self.args))
        kwargs = {name: tensor if name == self.main else value for name, value in self.kwargs.items()}
        return Batch(args, kwargs, self.labels, self.indices, self.lengths, self.skipped, self.main, self.texts)

    def take(self, rows: Tensor) -> Batch:
        """The instances at these rows (r,) int64 on the CPU, in their order; one may come several times."""

        def pick(value: Any) -> Any:
            if isinstance(value, Tensor) and value.dim() and len(value) == len(self):
                return value[rows.to(value.device)]
            if isinstance(value, list) and len(value) == len(self):
                return [value[row] for row in rows.tolist()]
            return value

        at = rows.numpy()
        return Batch(
            tuple(pick(value) for value in self.args),
            {name: pick(value) for name, value in self.kwargs.items()},
            self.labels[at],
            self.indices[at],
            pick(self.lengths),
            self.skipped,
            self.main,
            [self.texts[row] for row in at.tolist()] if len(self.texts) == len(self) else [],
        )

    def moved(self, device: torch.device, floating: torch.dtype | None, stay: tuple[str, ...] = ()) -> Batch:
        """On a device, real numbers in the precision ``floating``; arguments named in ``stay`` remain on the CPU."""

        def move(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            return value.to(device, floating if floating and value.is_floating_point() else value.dtype)

        args = tuple(move(value) for value in self.args)
        kwargs = {name: value if name in stay else move(value) for name, value in self.kwargs.items()}
        lengths = None if self.lengths is None else self.lengths.to(device)
        return Batch(args, kwargs, self.labels, self.indices, lengths, self.skipped, self.main, self.texts)
