"""``Case``: instances of a subject as methods see them: a real-valued input, and a differentiable score of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.attribution.targets import Target, Unit
from analysis.data.batch import Batch
from analysis.errors import NotFound, ParameterError
from analysis.models.watching import hookable

SEED = 0  # of every pass


class Case:
    """n instances, ready to be explained. Use it as a context: passes leave no trace on the model.

    Attributes:
        batch: the instances, on the model's device. inputs: (n, ...) real-valued, without a graph: what goes in, or
        for texts the vectors behind the embedding. places: axes of ``inputs`` along which positions lie. channels: axis
        with the channels or features, None if there is none. lengths: valid positions of each instance, or None.
        logits: (n, C). classes: those explained of each instance, a list of tuples; of a unit [()]*n. unit: explained
        instead. module: the model with ``inputs`` as its input and (n,) scores as its output, for Captum;
        ``module(x, rows)``, rows (r,) int64 says which instance each row of x belongs to.

    Raises:
        NotFound: no such instance, layer or filter, or the instance cannot be read. ParameterError: the target does not
        exist, or the input has values that are not finite.
    """

    def __init__(self, session: Any, batch: Batch, target: str = "predicted", unit: str = "") -> None:
        if not len(batch):
            reason = batch.skipped[0][1] if batch.skipped else "it is not there"
            raise NotFound(f"The instance cannot be read: {reason}.", "Choose another instance.")
        self.session, self.batch = session, batch
        self.kind: str = session.kind
        self.inputs = session.input_tensor(batch).detach().clone()
        self.places = tuple(session.axes)
        self.channels = self._channels()
        self.lengths = None if batch.lengths is None else batch.lengths.to("cpu", torch.int64)
        if not bool(self.inputs.isfinite().all()):
            wrong = (~self.inputs.flatten(1).isfinite()).sum(1)
            row = int((wrong > 0).nonzero()[0])
            raise ParameterError(
                f"Instance {int(batch.indices[row]):,} has {int(wrong[row]):,} values that are NaN or infinite: every "
                "explanation of it would be.",
                "Choose another instance, or mend it in the data.",
            )
        self.logits = session.forward(batch).detach()
        self.unit = Unit.parse(unit)
        self._tap: _UnitTap | None = None
        self.target = Target.parse(target)
        self.classes = self._classes()
        self.module = Explained(self)

    def __len__(self) -> int:
        return len(self.batch)

    def __enter__(self) -> Case:
        self._stack = self._opened()
        self._stack.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        # Fused encoder layers hide their parts from hooks, and have no gradients.
        with self.session.quiet(), hookable(), torch.enable_grad():
            if self.unit is None:
                yield
                return
            with _UnitTap(self.session, self.unit) as self._tap:
                yield

    @property
    def rows(self) -> Tensor:
        """0 .. n-1."""
        return torch.arange(len(self))

    def score(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """What is explained, for rows (r, ...) of inputs: (r,), with a graph if x has one. rows: which instance each
        belongs to; None where x are as many as instances. Only inside the context."""
        rows = self.rows if rows is None else rows.to("cpu")
        logits = self.logits_of(x, rows)
        if self.unit is not None:
            assert self._tap is not None
            lengths = None if self.lengths is None else self.lengths[rows]
            return self._tap.score(lengths)
        plus = torch.tensor([self.classes[row][0] for row in rows.tolist()], device=logits.device)
        found = logits.gather(1, plus[:, None])[:, 0]
        if len(self.classes[0]) > 1:
            minus = torch.tensor([self.classes[row][1] for row in rows.tolist()], device=logits.device)
            found = found - logits.gather(1, minus[:, None])[:, 0]
        return found

    def logits_of(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Logits (r, C) for rows of inputs. Random numbers within the model are the same in every pass."""
        rows = self.rows if rows is None else rows.to("cpu")
        whole = len(rows) == len(self) and bool((rows == self.rows).all())
        batch = self.batch if whole else self.batch.take(rows)
        state = torch.get_rng_state()
        torch.manual_seed(SEED)
        try:
            if self._tap is not None:
                self._tap.clear()
            found: Tensor = self.session.logits_from(x, batch)
        finally:
            torch.set_rng_state(state)
        return found

    def scores(self, x: Tensor, rows: Tensor | None = None, *, most: int = 64) -> Tensor:
        """``score`` without gradients, at most ``most`` rows at a time."""
        rows = self.rows if rows is None else rows
        with torch.no_grad():
            parts = [self.score(x[i : i + most], rows[i : i + most]) for i in range(0, len(x), most)]
        return torch.cat(parts) if parts else torch.zeros(0)

    def valid(self) -> Tensor:
        """Which values of ``inputs`` are no padding, bool, broadcastable to ``inputs``."""
        shape = [1] * self.inputs.dim()
        if self.lengths is None or len(self.places) != 1:
            return torch.ones(shape, dtype=torch.bool, device=self.inputs.device)
        axis = self.places[0]
        shape[0], shape[axis] = len(self), self.inputs.shape[axis]
        steps = torch.arange(self.inputs.shape[axis])
        return (steps < self.lengths[:, None]).reshape(shape).to(self.inputs.device)

    def natural(self, values: Tensor, row: int) -> NDArray[np.float32]:
        """Values of one instance, (*inputs.shape[1:]), as they are shown, without padding: image (C, H, W), series
        (channels, steps), table (columns,), text (tokens,): the sum over a token's vector."""
        one = values.detach().to("cpu", torch.float32)[row]
        if self.kind == "table" or not self.places:
            return _array(one.reshape(-1))
        places = [axis - 1 for axis in self.places]
        rest = [axis for axis in range(one.dim()) if axis not in places]
        one = one.permute(*rest, *places)
        one = one.reshape(-1, *one.shape[len(rest) :])
        if self.lengths is not None and len(places) == 1:
            one = one[..., : int(self.lengths[row])]
        return _array(one.sum(0) if self.kind == "text" else one)

    def _channels(self) -> int | None:
        rest = [axis for axis in range(1, self.inputs.dim()) if axis not in self.places]
        return rest[0] if len(rest) == 1 else None

    def _classes(self) -> list[tuple[int, ...]]:
        if self.unit is not None:
            return [()] * len(self)
        best = self.logits.argmax(1).tolist()
        labels = self.batch.labels.tolist()
        number = self.logits.shape[1]
        return [self.target.resolve(int(p), int(t), number) for p, t in zip(best, labels, strict=True)]


class Explained(nn.Module):
    """The model as a function of the real-valued input: (r, ...) and rows (r,) -> scores (r,)."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.model = case.session.model
        self._case = (case,)  # in a tuple: a case is no module

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """See ``Case.score``."""
        return self._case[0].score(x, rows)


class _UnitTap:
    """Keeps the activation of a unit, with its graph, during a pass."""

    def __init__(self, session: Any, unit: Unit) -> None:
        from analysis.attribution import units

        self._reader = units.Reader(session, unit)

    def __enter__(self) -> _UnitTap:
        self._reader.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._reader.__exit__(*error)

    def clear(self) -> None:
        self._reader.clear()

    def score(self, lengths: Tensor | None) -> Tensor:
        return self._reader.score(lengths)


def _array(values: Tensor) -> NDArray[np.float32]:
    return np.array(values.numpy(), np.float32, order="C")
