"""Whether a module that is called once a step goes through the steps from the first to the last."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn

from analysis.data.batch import Batch
from analysis.models.watching import hookable
from analysis.sequences.faults import SequenceError
from analysis.sequences.sources import Source

_known: weakref.WeakKeyDictionary[Any, dict[str, bool]] = weakref.WeakKeyDictionary()


def check(session: Any, batch: Batch, source: Source) -> None:
    """Of a module in a loop, looked at once: what comes into its first and last call when the first step is changed.

    Raises:
        SequenceError: the loop begins at the last step, so that states would be told to the wrong steps.
    """
    if source.form != "loop" or not len(batch) or batch.principal.shape[session.axes[0]] < 2:
        return
    known = _known.setdefault(session, {})
    if source.layer not in known:
        plain, other = _ends(session, batch, source), _ends(session, _other(session, batch), source)
        first, last = (not torch.equal(one, changed) for one, changed in zip(plain, other, strict=True))
        known[source.layer] = last and not first
    if known[source.layer]:
        raise SequenceError(
            f"{source.layer!r} goes through the steps from the last to the first, one call for each, so its states "
            "would be told to the wrong steps.",
            "Use a bidirectional layer of torch.nn, or choose another layer.",
        )


def _ends(session: Any, batch: Batch, source: Source) -> tuple[Tensor, Tensor]:
    """What comes into the first and the last call."""
    module = dict(session.model.named_modules(remove_duplicate=False))[source.name]
    seen: list[Tensor] = []

    def note(_module: nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = inputs[0] if inputs else next((one for one in kwargs.values() if isinstance(one, Tensor)), None)
        value = given.detach().clone() if isinstance(given, Tensor) else torch.zeros(0)
        seen[1 if seen else 0 :] = [value]

    with hookable():
        handle = module.register_forward_pre_hook(note, with_kwargs=True)
        try:
            session.forward(batch)
        finally:
            handle.remove()
    return (seen[0], seen[-1]) if seen else (torch.zeros(0), torch.zeros(0))


def _other(session: Any, batch: Batch) -> Batch:
    """The same with another first step: another id that the model knows, or other numbers."""
    changed = batch.principal.clone()
    first = changed.narrow(session.axes[0], 0, 1)
    first.copy_(first + 1 if changed.is_floating_point() else torch.where(first == 1, 0, 1))
    args = tuple(changed if place == batch.main else value for place, value in enumerate(batch.args))
    kwargs = {name: changed if name == batch.main else value for name, value in batch.kwargs.items()}
    return Batch(args, kwargs, batch.labels, batch.indices, batch.lengths, batch.skipped, batch.main, batch.texts)
