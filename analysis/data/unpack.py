"""What is input and what is label in an item, or in a collated batch; and what of it the model is called with."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn

from analysis.data.errors import SubjectError, Unreadable
from analysis.data.tensors import is_number, is_tensorlike

LABEL_KEYS = ("label", "labels", "y", "target", "targets", "label_ids", "class_id")
# Arguments of a model that say where padded sequences end.
MASK = "attention_mask"
LENGTHS = ("lengths", "length", "seq_lengths", "seq_lens")
_PAIR = "Yield pairs (inputs, label), or give collate_fn=, which turns a list of items into (inputs, labels)."


@dataclass(frozen=True)
class Parts:
    """An item or a batch, taken apart. inputs: positional, or named: by key. label: None if there is none.

    texts: fields that are text, by key; they are shown, not passed to the model. how: where the label was, in words.
    """

    inputs: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    label: Any = None
    texts: dict[str, str] = field(default_factory=dict)
    how: str = ""


@dataclass(frozen=True)
class Signature:
    """Arguments that the model's ``forward`` takes. required: without default. rest: any further one by name."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    rest: bool

    @classmethod
    def of(cls, model: nn.Module) -> Signature:
        """Read from ``model.forward``; empty if it does not say."""
        try:
            parameters = list(inspect.signature(model.forward).parameters.values())
        except (TypeError, ValueError):
            return cls((), (), False)
        usual = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        names = tuple(p.name for p in usual if p.kind is not p.POSITIONAL_ONLY)
        required = tuple(p.name for p in usual if p.default is p.empty)
        return cls(names, required, any(p.kind is p.VAR_KEYWORD for p in parameters))


def is_mapping(value: Any) -> bool:
    """A dictionary, or what behaves like one (a tokenizer's BatchEncoding)."""
    return hasattr(value, "keys") and hasattr(value, "__getitem__") and not isinstance(value, (Tensor, np.ndarray))


def unpack(item: Any, *, batched: bool = False, label_key: str = "") -> Parts:
    """Take an item, or with ``batched`` what collation made of several, apart.

    Args:
        label_key: the key of the label in dictionaries, '' to look for it.

    Raises:
        Unreadable: there is nothing in it. SubjectError: which part is the label cannot be told.
    """
    if item is None:
        raise Unreadable("the data set yields None")
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        item = {each.name: getattr(item, each.name) for each in dataclasses.fields(item)}
    elif isinstance(item, tuple) and hasattr(item, "_fields") and set(item._fields) & set(LABEL_KEYS):
        item = dict(zip(item._fields, item, strict=True))
    if is_mapping(item):
        return _of_mapping(item, label_key)
    if isinstance(item, (tuple, list)):
        return _of_sequence(item, batched, label_key)
    return Parts((item,))


def _of_mapping(item: Any, label_key: str) -> Parts:
    fields = {str(key): item[key] for key in item.keys()}  # noqa: SIM118 (not always a dict)
    if not fields:
        raise Unreadable("the data set yields an empty dictionary")
    found = [key for key in LABEL_KEYS if key in fields]
    key = label_key if label_key in fields else ""
    if not key and len(found) > 1:
        raise SubjectError(f"Labels are found under several keys: {', '.join(found)}.", _PAIR)
    key = key or (found[0] if found else "")
    label = fields.pop(key) if key else None
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    named = {name: value for name, value in fields.items() if name not in texts and value is not None}
    return Parts((), named, label, texts, f"the key {key!r}" if key else "")


def _of_sequence(item: Any, batched: bool, label_key: str) -> Parts:
    if len(item) == 0:
        raise Unreadable(f"the data set yields an empty {type(item).__name__}")
    if all(is_number(part) for part in item):
        if len(item) == 2:
            raise SubjectError("Items are two numbers: an input and its label, or two inputs.", _PAIR)
        return Parts((item,))
    if len(item) == 1:
        return unpack(item[0], batched=batched, label_key=label_key) if is_mapping(item[0]) else Parts((item[0],))
    if len(item) == 2:
        return _with_label(item[0], item[1], "the second of each pair")
    labels = [n for n, part in enumerate(item) if _like_label(part, batched)]
    if labels != [len(item) - 1]:
        raise SubjectError(f"Items have {len(item)} parts, and which of them is the label cannot be told.", _PAIR)
    return _with_label(tuple(item[:-1]), item[-1], f"the last of {len(item)} parts, the only one that can be one")


def _with_label(inputs: Any, label: Any, how: str) -> Parts:
    if is_mapping(inputs):
        rest = {str(key): inputs[key] for key in inputs.keys()}  # noqa: SIM118 (not always a dict)
        texts = {name: value for name, value in rest.items() if isinstance(value, str)}
        return Parts((), {name: value for name, value in rest.items() if name not in texts}, label, texts, how)
    if isinstance(inputs, (tuple, list)):
        # Torch's collation turns tuples into lists; a list of numbers, or of such lists, is one array.
        arrays = any(isinstance(part, (Tensor, np.ndarray)) for part in inputs)
        if arrays or (isinstance(inputs, tuple) and not all(is_number(part) for part in inputs)):
            return Parts(tuple(inputs), {}, label, {}, how)
    return Parts((inputs,), {}, label, {}, how)


def _like_label(part: Any, batched: bool) -> bool:
    if is_number(part):
        return not batched
    if not isinstance(part, (Tensor, np.ndarray)):
        return batched and isinstance(part, list) and bool(part) and all(is_number(value) for value in part)
    whole = not part.dtype.is_floating_point if isinstance(part, Tensor) else part.dtype.kind in "iub"
    return whole and part.ndim == (1 if batched else 0)


@dataclass(frozen=True)
class Call:
    """How the model is called: names of its arguments. args: keys passed by position; kwargs: by name.

    dropped: keys that are not passed. how: in words, '' where nothing had to be inferred.
    """

    args: tuple[str, ...] = ()
    kwargs: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    how: str = ""


def choose_call(named: dict[str, Any], signature: Signature, forward_func: Callable[..., Any] | None) -> Call:
    """Which fields of a dictionary the model is called with.

    Raises:
        SubjectError: the model's arguments and the fields do not fit in one way only.
    """
    usable = [name for name, value in named.items() if is_tensorlike(value)]
    others = tuple(name for name in named if name not in usable)
    if forward_func is not None:
        return Call((), tuple(usable), others)
    if not usable:
        raise SubjectError(
            f"No field of the items holds numbers (fields: {', '.join(named) or 'texts only'}).",
            "Yield tensors (tokenise texts first), or give collate_fn=, which turns items into (inputs, labels).",
        )
    matching = [name for name in usable if name in signature.names or signature.rest]
    open_ = [name for name in signature.required if name not in (*matching, MASK, *LENGTHS)]  # these can be made
    rest = [name for name in usable if name not in matching]
    if matching and not open_:
        return Call((), tuple(matching), (*rest, *others))
    if len(open_) == len(rest) == 1 or (not signature.names and len(rest) == 1):
        how = f"the field {rest[0]!r} is passed as {open_[0]!r}" if open_ else f"the field {rest[0]!r} is passed"
        return Call((rest[0],), tuple(matching), others, how)
    if len(usable) == 1 and not matching:
        return Call((usable[0],), (), others, f"the field {usable[0]!r} is passed as the first argument")
    raise SubjectError(
        f"The items' fields ({', '.join(usable)}) and the arguments of the model's forward "
        f"({', '.join(signature.names) or 'unknown'}) do not fit.",
        "Give forward_func=: a function of (model, inputs) that calls the model, inputs being a dictionary.",
    )
