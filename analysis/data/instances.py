"""Reads instances and puts them into batches; learns from the first ones what an instance looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from analysis.data import collate, padding, seeds
from analysis.data.batch import Batch
from analysis.data.collate import LeafForm
from analysis.data.errors import SubjectError, Unreadable
from analysis.data.labels import Labeller
from analysis.data.order import check_order
from analysis.data.source import Source
from analysis.data.tensors import as_tensor, is_tensorlike
from analysis.data.unpack import LENGTHS, MASK, Call, Parts, Signature, choose_call, is_mapping, unpack

LEARNED = 32  # instances looked at first, evenly spaced
LEARNED_BYTES = 64 << 20  # after which FEWEST do
FEWEST = 4
_MAIN = ("input_ids", "pixel_values", "input_values", "input_features", "inputs_embeds", "inputs", "x")
_ASIDE = (MASK, "token_type_ids", "position_ids", "mask", "src_key_padding_mask", *LENGTHS)
_PACKED = SubjectError(
    "The inputs are packed sequences.", "Yield padded tensors and lengths, and pack them in the model's forward."
)
Leaves = dict[int | str, Tensor]


class Instances:
    """The instances of a data set, in the form in which a model takes them, on the CPU.

    Args:
        source: where they come from. model: what is called with them; only its signature is used.
        collate_fn: turns items into (inputs, labels), None for padding and stacking. forward_func: calls the model.
        labeller: turns labels into class numbers. label_key: key of the label in dictionaries, '' to look for it.

    ``skipped`` lists every instance that could not be read so far, with the reason. ``pad_id``: the id that fills up
    sequences, None if it is not known; see ``set_pad``.
    """

    def __init__(
        self,
        source: Source,
        model: nn.Module,
        *,
        collate_fn: Callable[[list[Any]], Any] | None,
        forward_func: Callable[..., Any] | None,
        labeller: Labeller,
        label_key: str = "",
    ) -> None:
        self.source, self.labeller, self.label_key = source, labeller, label_key
        self.collate_fn, self.forward_func = collate_fn, forward_func
        self.signature = Signature.of(model)
        self.call: Call | None = None
        self.forms: dict[int | str, LeafForm] = {}
        self.main: int | str | None = None
        self.label_how = ""
        self.varies = False
        self.pad_id: int | None = None
        self.skipped: dict[int, str] = {}

    def learn(self, count: int = LEARNED, progress: Callable[..., None] | None = None) -> Batch:
        """Look at up to ``count`` instances over the whole data set; returns those that can be read, as a batch.

        progress: told how many were looked at, of how many.

        Raises:
            SubjectError: none can be read, or what they are cannot be told.
        """
        places = np.unique(np.linspace(0, self.source.n - 1, min(count, self.source.n)).astype(int)).tolist()
        with seeds.random_states_kept():
            if self.collate_fn is None:
                places = self._learn_forms(places, progress or (lambda *_told: None))
            else:
                self._learn_collated(places)
        return self.batch(places)

    def _learn_forms(self, places: list[int], told: Callable[..., None]) -> list[int]:
        """Returns those that were looked at."""
        held = 0
        found: list[Leaves] = []
        failures: list[Exception] = []
        for done, place in enumerate(places, 1):
            told(done, len(places), "instances", "Reading the first instances")
            try:
                parts = unpack(self.source.read(place), label_key=self.label_key)
                self._settle(parts, batched=False)
                found.append(self._leaves(parts))
            except (Unreadable, SubjectError) as error:
                failures.append(error)
                continue
            held += sum(leaf.numel() * leaf.element_size() for leaf in found[-1].values())
            if held > LEARNED_BYTES and len(found) >= FEWEST:
                places = places[: places.index(place) + 1]
                break
        if not found:
            raise _nothing_readable(failures)
        usual = max((list(leaves) for leaves in found), key=lambda keys: sum(list(other) == keys for other in found))
        found = [leaves for leaves in found if list(leaves) == usual]
        self.forms = {name: collate.form_of(f"input {name}", [leaves[name] for leaves in found]) for name in usual}
        self.main = _main(found[0])
        self.varies = self.forms[self.main].free is not None
        return places

    def _learn_collated(self, places: list[int]) -> None:
        items, failures = self._items(places)
        if not items:
            raise _nothing_readable([Unreadable(reason) for _, reason in failures])
        collated, kept, failures = self._collated(items)
        if not kept:
            raise _nothing_readable([Unreadable(reason) for _, reason in failures])
        parts = unpack(collated, batched=True, label_key=self.label_key)
        self._settle(parts, batched=True)
        leaves = self._leaves(parts)
        self.main = _main(leaves)
        if leaves[self.main].dim() == 0 or len(leaves[self.main]) != len(kept):
            raise SubjectError(
                f"collate_fn yields inputs of shape {tuple(leaves[self.main].shape)} for {len(kept)} instances.",
                "Let instances be the first axis.",
            )
        check_order(self._inputs_of, [item for index, item in items if index in set(kept)])

    def _inputs_of(self, items: Sequence[Any]) -> Tensor:
        assert self.collate_fn is not None
        assert self.main is not None
        return self._leaves(unpack(self.collate_fn(list(items)), batched=True, label_key=self.label_key))[self.main]

    def _settle(self, parts: Parts, batched: bool) -> None:
        """Decide, once, which parts the model is called with."""
        if any(isinstance(part, PackedSequence) for part in (*parts.inputs, *parts.named.values())):
            raise _PACKED
        if self.call is not None:
            return
        if parts.named:
            self.call = choose_call(parts.named, self.signature, self.forward_func)
        elif any(isinstance(part, (str, bytes)) for part in parts.inputs) or not parts.inputs:
            raise SubjectError(
                "Instances are texts, not numbers.",
                "Let the data set yield token ids, or give collate_fn=, which turns items into (ids, labels).",
            )
        elif batched and isinstance(parts.inputs[0], list) and not is_tensorlike(parts.inputs[0]):
            raise SubjectError("collate_fn yields lists that are no arrays.", "Let it yield tensors (inputs, labels).")
        else:
            self.call = Call()
        self.label_how = parts.how

    def _leaves(self, parts: Parts) -> Leaves:
        """The tensors that the model is called with: by position, then by name."""
        call = self.call or Call()
        if not (call.args or call.kwargs):
            if parts.named:
                raise Unreadable("it is a dictionary, unlike the other instances")
            return {place: as_tensor(value) for place, value in enumerate(parts.inputs)}
        missing = [name for name in (*call.args, *call.kwargs) if name not in parts.named]
        if missing:
            raise Unreadable(f"it has no field {', '.join(map(repr, missing))}")
        leaves: Leaves = {place: as_tensor(parts.named[name]) for place, name in enumerate(call.args)}
        return {**leaves, **{name: as_tensor(parts.named[name]) for name in call.kwargs}}

    def set_pad(self, pad_id: int | None) -> None:
        """Say which id fills up sequences; trailing ones are then taken for padding."""
        self.pad_id = pad_id
        if pad_id is not None and self.main in self.forms:
            form = self.forms[self.main]
            self.forms[self.main] = LeafForm(form.shape, form.floating, pad_id)

    def free_axis(self, axis: int) -> None:
        """Say along which axis of an instance its steps lie: there, and in inputs of the same length, it may vary."""
        if self.main not in self.forms:
            return
        steps = self.forms[self.main].shape[axis]
        for name, form in self.forms.items():
            if name == self.main:
                self.forms[name] = form.freed(axis)
            elif steps is not None and form.shape == (steps,):
                self.forms[name] = form.freed(0)

    def batch(self, indices: Iterable[int]) -> Batch:
        """Instances as a batch on the CPU; those that cannot be read are left out and listed.

        Raises:
            SubjectError: collation fails for instances that it takes one by one, or labels are no class names.
        """
        wanted = [int(index) for index in indices]
        with seeds.random_states_kept():
            made = self._plain(wanted) if self.collate_fn is None else self._custom(wanted)
        self.skipped.update(made.skipped)
        return made

    def label(self, index: int) -> int | None:
        """The class number of one instance, -1 if it has none; None if it cannot be read."""
        with seeds.random_states_kept():
            try:
                item = self.source.read(index)
                if self.collate_fn is not None:
                    parts = unpack(self.collate_fn([item]), batched=True, label_key=self.label_key)
                    return int(self.labeller.numbers(parts.label, 1)[0])
                return self.labeller.number(unpack(item, label_key=self.label_key).label)
            except SubjectError:
                raise
            except Exception as error:
                self.skipped[index] = _reason(error)
                return None

    def _plain(self, indices: list[int]) -> Batch:
        kept: list[tuple[int, Leaves, Parts]] = []
        skipped: list[tuple[int, str]] = []
        for index in indices:
            try:
                parts = unpack(self.source.read(index), label_key=self.label_key)
                leaves = self._leaves(parts)
                if list(leaves) != list(self.forms):
                    raise Unreadable("its parts differ from those of the other instances")
                for name, form in self.forms.items():
                    form.check(leaves[name])
                kept.append((index, leaves, parts))
            except (Unreadable, SubjectError) as error:
                skipped.append((index, _reason(error)))
        if not kept:
            return Batch(skipped=skipped)
        stacked: Leaves = {}
        lengths = None
        for name, form in self.forms.items():
            stacked[name], found = collate.stack([leaves[name] for _, leaves, _ in kept], form)
            lengths = found if name == self.main else lengths
        labels = np.array([self.labeller.number(parts.label) for _, _, parts in kept], np.int64)
        texts = [parts.texts for _, _, parts in kept]
        return self._finished(stacked, labels, [index for index, _, _ in kept], lengths, skipped, texts)

    def _custom(self, indices: list[int]) -> Batch:
        items, skipped = self._items(indices)
        collated, kept, failed = self._collated(items)
        skipped = sorted([*skipped, *failed])
        if not kept:
            return Batch(skipped=skipped)
        parts = unpack(collated, batched=True, label_key=self.label_key)
        labels = self.labeller.numbers(parts.label, len(kept))
        texts = [_texts(item) for index, item in items if index in set(kept)]
        return self._finished(self._leaves(parts), labels, kept, None, skipped, texts)

    def _finished(
        self,
        leaves: Leaves,
        labels: Any,
        indices: Sequence[int],
        lengths: Tensor | None,
        skipped: list[tuple[int, str]],
        texts: list[dict[str, str]],
    ) -> Batch:
        args = tuple(value for name, value in leaves.items() if isinstance(name, int))
        kwargs: dict[str, Any] = {name: value for name, value in leaves.items() if isinstance(name, str)}
        made = Batch(args, kwargs, labels, np.array(indices, np.int64), None, skipped, self.main, texts)
        steps = None
        if lengths is not None and self.main in self.forms:
            steps = made.principal.shape[(self.forms[self.main].free or 0) + 1]
        found = padding.told_lengths(made, self.pad_id)
        lengths = found if found is not None else lengths
        if lengths is not None and (self.varies or steps is None or bool((lengths < steps).any())):
            made.lengths = lengths
        if self.forward_func is None:
            axis = (self.forms[self.main].free or 0) + 1 if self.main in self.forms else 1
            padding.tell_model(made, lengths, self.signature, axis)
        return made

    def _items(self, indices: list[int]) -> tuple[list[tuple[int, Any]], list[tuple[int, str]]]:
        items, skipped = [], []
        for index in indices:
            try:
                items.append((index, self.source.read(index)))
            except Unreadable as error:
                skipped.append((index, _reason(error)))
        return items, skipped

    def _collated(self, items: list[tuple[int, Any]]) -> tuple[Any, list[int], list[tuple[int, str]]]:
        """What collate_fn makes of items, which they are, and those it cannot take."""
        assert self.collate_fn is not None
        failed: list[tuple[int, str]] = []
        for attempt in range(2):
            if not items:
                return None, [], failed
            try:
                seeds.seed(items[0][0])
                return self.collate_fn([item for _, item in items]), [index for index, _ in items], failed
            except Exception as error:
                if attempt:
                    raise SubjectError(
                        f"collate_fn fails for {len(items)} items that it takes one by one: {_reason(error)}.",
                        "Let it pad, or bring instances to one size.",
                    ) from error
            good = []
            for index, item in items:
                try:
                    self.collate_fn([item])
                    good.append((index, item))
                except Exception as error:
                    failed.append((index, f"collate_fn: {_reason(error)}"))
            items = good
        return None, [], failed


def _main(leaves: Leaves) -> int | str:
    for name in _MAIN:
        if name in leaves:
            return name
    return next((name for name in leaves if name not in _ASIDE), next(iter(leaves)))


def _nothing_readable(failures: Sequence[Exception]) -> SubjectError:
    for failure in failures:
        if isinstance(failure, SubjectError):
            return failure
    reason = str(failures[0]) if failures else "no instance was read"
    return SubjectError(
        f"None of the {len(failures)} instances that were read can be used; the first: {reason}.",
        "Check that dataset[0] yields (input, label), or a dictionary with a label.",
    )


def _texts(item: Any) -> dict[str, str]:
    fields = item.keys() if is_mapping(item) else ()
    return {str(key): item[key] for key in fields if isinstance(item[key], str)}


def _reason(error: Exception) -> str:
    text = error.message if isinstance(error, SubjectError) else str(error)
    return text[:300] if isinstance(error, (Unreadable, SubjectError)) else f"{type(error).__name__}: {text[:300]}"
