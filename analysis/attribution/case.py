"""``Case``: instances of a subject as methods see them: a real-valued input, and a differentiable score of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.attribution import units
from analysis.attribution.embedded import Entry, Watch
from analysis.attribution.targets import Target, Unit
from analysis.data.batch import Batch
from analysis.data.unpack import LENGTHS, MASK
from analysis.errors import NotFound, ParameterError
from analysis.models.hooks import no_hooks_left
from analysis.models.watching import hookable

if TYPE_CHECKING:
    from analysis.attribution.method import Found

SEED = 0  # of every pass
EDGE = 1e-3  # above the logarithm of the smallest number, up to which a probability counts as 0
NUMBERS = 1_200_000  # of inputs in one pass: more are slower on a CPU, and activations take many times as much
ASIDE = (MASK, *LENGTHS, "token_type_ids", "position_ids", "src_key_padding_mask", "mask")  # of no interest in a note


class Case:
    """n instances, ready to be explained. Use it as a context: passes leave no trace on the model.

    Attributes:
        batch: the instances, on the model's device. inputs: (n, ...) real-valued, float32 or float64, without a graph:
        what goes in, or for texts the vectors behind the embedding. places: axes of ``inputs`` along which positions
        lie. channels: axis with the channels or features, None if there is none. lengths: valid positions of each
        instance, or None. logits: (n, C). classes: those explained of each instance, a list of tuples; [()]*n of a
        unit. unit: explained instead. module: the model with ``inputs`` as its input and (n,) scores as its output, for
        Captum; ``module(x, rows)``, rows (r,) int64 says which instance each row of x belongs to. publish: called by
        methods that refine while they run, with what they have, how many samples it is of, and how many are planned.
        entry: where ids become vectors, None for other kinds. edits: changes made to the instance (``edits``).
        notes: what was done to fit the model, in sentences.

    Raises:
        NotFound: no such instance, layer or filter, or the instance cannot be read. ParameterError: the target does not
        exist, or the input has values that are not finite. AttributionError: of a text, what becomes of ids cannot be
        told. SubjectError: the embedding is not known. Whatever the model raises.
    """

    def __init__(self, session: Any, batch: Batch, target: str = "predicted", unit: str = "") -> None:
        if not len(batch):
            reason = batch.skipped[0][1] if batch.skipped else "it is not there"
            raise NotFound(f"The instance cannot be read: {reason}.", "Choose another instance.")
        self.session, self.batch = session, batch
        self.kind: str = session.kind
        self.places = tuple(session.axes)
        self.lengths = None if batch.lengths is None else batch.lengths.to("cpu", torch.int64)
        self.entry: Entry | None = None
        self.edits: list[dict[str, Any]] = []
        self.unit = Unit.parse(unit)
        self.target = Target.parse(target)
        self._tap: units.Reader | None = None
        with hookable():
            inputs = self._first_pass()
        self._dtype = inputs.dtype
        # Half precision is for passes: sums over many of them would be off in the second digit.
        self.inputs = inputs.to(torch.float64 if inputs.dtype == torch.float64 else torch.float32).detach().clone()
        self.channels = self._channels()
        self._refuse_infinite()
        self.classes = self._classes()
        self._numbers = self._numbered()
        self.notes = self._notes()
        self.module = Explained(self)
        self.publish: Callable[[Found, int, int], None] = lambda _found, _samples, _planned: None

    def _first_pass(self) -> Tensor:
        """Sets ``logits`` and, of texts, ``entry``; returns the input."""
        fresh = self.batch.with_principal(self.batch.principal.clone())  # models may write into what they get
        if self.kind != "text":
            self.logits: Tensor = self.session.forward(fresh).detach()
            found: Tensor = self.session.input_tensor(self.batch)
            return found
        with Watch(self.session) as watch:
            self.logits = self.session.forward(fresh).detach()
        self.entry, vectors = watch.entry(self.batch.principal)
        return vectors

    def _refuse_infinite(self) -> None:
        if not bool(self.inputs.isfinite().all()):
            wrong = (~self.inputs.flatten(1).isfinite()).sum(1)
            row = int((wrong > 0).nonzero()[0])
            raise ParameterError(
                f"Instance {int(self.batch.indices[row]):,} has {int(wrong[row]):,} values that are NaN or infinite: "
                "every explanation of it would be.",
                "Choose another instance, or mend it in the data.",
            )

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
        # Fused encoder layers hide their parts from hooks, and have no gradients; nor have cuDNN's recurrent layers in
        # evaluation mode.
        model, device = self.session.model, self.inputs.device.type
        recurrent = device == "cuda" and any(isinstance(module, nn.RNNBase) for module in model.modules())
        plain = torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()
        with self.session.quiet(), hookable(), plain, no_hooks_left(model), torch.enable_grad():
            if self.unit is None:
                yield
                return
            with units.Reader(self.session, self.unit) as self._tap:
                try:
                    yield
                finally:
                    self._tap = None

    @property
    def rows(self) -> Tensor:
        """0 .. n-1."""
        return torch.arange(len(self))

    def at_most(self, wanted: int = 64) -> int:
        """How many rows to put into one pass where ``wanted`` would be right for small instances: fewer for large ones,
        and after memory ran out."""
        size = max(1, self.inputs[0].numel())
        scale = min(1.0, self.session.batch_size / max(1, self.session.subject.batch_size))
        return max(1, int(min(wanted, max(NUMBERS // size, 4)) * scale))

    def score(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """What is explained, for rows (r, ...) of inputs: (r,), with a graph if x has one. rows: which instance each
        belongs to; None where x are as many as instances. Only inside the context."""
        logits = self.logits_of(x, rows)
        if self._tap is not None:
            return self._tap.score()
        return self.score_of(logits, rows)

    def score_of(self, logits: Tensor, rows: Tensor | None = None) -> Tensor:
        """The scores of the explained classes (r,), of logits (r, C). rows: as for ``score``."""
        chosen = self._numbers if rows is None else self._numbers[rows.to(self._numbers.device)]
        found = logits.gather(1, chosen)
        return found[:, 0] - found[:, 1] if chosen.shape[1] > 1 else found.flatten()

    def _numbered(self) -> Tensor:
        """The classes explained of each instance, int64 (n, 1), or (n, 2) where one is explained against another."""
        if self.contrasts:
            # Of a single number, the score of a class is that against the other one.
            pairs = [pair if len(pair) > 1 else (pair[0], 1 - pair[0]) for pair in self.classes]
        else:
            pairs = [pair[:1] or (0,) for pair in self.classes]
        return torch.tensor(pairs, device=self.logits.device)

    @property
    def contrasts(self) -> bool:
        """Whether a class is explained against another."""
        return self.unit is None and (len(self.classes[0]) > 1 or self.session.opened.scores.form == "binary")

    def vanished(self) -> list[str]:
        """A sentence if the model ends in a softmax and yields a probability of 0: nothing can be told of its slope."""
        if self.unit is not None or self.session.opened.scores.form != "probabilities":
            return []
        lowest = math.log(torch.finfo(self.logits.dtype).tiny)
        gone = sorted(
            {
                one
                for row, pair in zip(self.logits, self.classes, strict=True)
                for one in pair
                if row[one] <= lowest + EDGE
            }
        )
        if not gone:
            return []
        names = ", ".join(repr(str(self.session.class_names[number])) for number in gone)
        return [f"The probability of {names} is 0 to machine precision: its gradient vanishes, and says nothing."]

    def logits_of(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Logits (r, C) for rows of inputs. Random numbers within the model are the same in every pass."""
        if rows is not None:
            rows = rows.to("cpu")
            rows = None if len(rows) == len(self) and torch.equal(rows, self.rows) else rows
        batch = self.batch if rows is None else self._beside().take(rows)
        x = x.to(self._dtype) if x.dtype != self._dtype else x.clone()  # models may write into what they get
        state = torch.get_rng_state()
        _seed()
        try:
            if self._tap is not None:
                lengths = self.lengths if self.lengths is None or rows is None else self.lengths[rows]
                self._tap.begin(len(batch), lengths, self._steps())
            found = self._passed(x, batch)
        finally:
            torch.set_rng_state(state)
        return found

    def _passed(self, x: Tensor, batch: Batch) -> Tensor:
        if self.entry is None:
            found: Tensor = self.session.logits_from(x, batch)
            return found
        with self.entry.yielding(self.entry.output(x, batch.principal)):
            output = self.session.run(batch)
        logits: Tensor = self.session.opened.scores.logits(output, len(batch), graph=True)
        return logits

    def _beside(self) -> Batch:
        """The batch without what each pass gets from elsewhere, which need not be copied for it."""
        return self.batch if self.entry is not None else self.batch.with_principal(torch.zeros(()))

    def _steps(self) -> int:
        """With the padding; 0 where nothing is padded."""
        return self.inputs.shape[self.places[0]] if self.lengths is not None and len(self.places) == 1 else 0

    def scores(self, x: Tensor, rows: Tensor | None = None, *, most: int = 64) -> Tensor:
        """``score`` without gradients, at most ``at_most(most)`` rows at a time."""
        rows = self.rows if rows is None else rows
        most = self.at_most(most)
        with torch.no_grad():
            parts = [self.score(x[i : i + most], rows[i : i + most]) for i in range(0, len(x), most)]
        return torch.cat(parts) if parts else torch.zeros(0)

    def valid(self) -> Tensor:
        """Which values of ``inputs`` are no padding, bool, broadcastable to ``inputs``."""
        shape = [1] * self.inputs.dim()
        if len(self.places) == 1:
            axis = self.places[0]
            steps = self.inputs.shape[axis]
            mask = self.batch.kwargs.get(MASK)
            seen = None
            if self.lengths is not None:
                seen = torch.arange(steps) < self.lengths[:, None]
            elif self.kind == "text" and isinstance(mask, Tensor) and tuple(mask.shape) == (len(self), steps):
                seen = mask != 0  # padded in front
            if seen is not None:
                shape[0], shape[axis] = len(self), steps
                return seen.reshape(shape).to(self.inputs.device)
        return torch.ones(shape, dtype=torch.bool, device=self.inputs.device)

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

    def _notes(self) -> list[str]:
        found = [] if self.entry is None else [self.entry.note]
        main, named = self.batch.main, self.batch.kwargs
        others = [repr(name) for name in named if name != main and name not in ASIDE]
        others += [f"argument {place + 1}" for place, value in enumerate(self.batch.args) if place != main]
        if others and isinstance(main, int | str):
            which = repr(main) if isinstance(main, str) else f"argument {main + 1}"
            found.append(f"Only {which} is explained; the model's other inputs ({', '.join(others)}) stay as they are.")
        if self._dtype not in (torch.float32, torch.float64):
            name = str(self._dtype).removeprefix("torch.")
            found.append(f"The model computes in {name}: values are good to two or three digits.")
        return found


class Explained(nn.Module):
    """The model as a function of the real-valued input: (r, ...) and rows (r,) -> scores (r,)."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.model = case.session.model
        self._case = (case,)  # in a tuple: a case is no module

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """See ``Case.score``."""
        return self._case[0].score(x, rows)


def _seed() -> None:
    """``torch.manual_seed`` without the traceback that it notes for devices that begin later, which takes longer than a
    small model's pass."""
    torch.default_generator.manual_seed(SEED)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(SEED)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(SEED)


def _array(values: Tensor) -> NDArray[np.float32]:
    return np.array(values.numpy(), np.float32, order="C")
