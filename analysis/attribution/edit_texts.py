"""What-if edits of texts: other tokens, with lengths and masks kept right."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from analysis.data.batch import Batch
from analysis.data.collate import valid_lengths
from analysis.data.errors import SubjectError
from analysis.data.unpack import LENGTHS, MASK
from analysis.errors import ParameterError

KNOWN = (MASK, "token_type_ids", "position_ids", "segment_ids", "src_key_padding_mask", "mask")  # of a text's tokens
LARGEST = 1_000_000  # ids of a vocabulary that is decoded as a whole


def applied(session: Any, batch: Batch, edit: Mapping[str, Any]) -> Batch:
    """A batch of one text with a token replaced, inserted or deleted. Raises ParameterError."""
    ids = batch.principal[0]
    length = int(batch.lengths[0]) if batch.lengths is not None else len(ids)
    at, last = edit["at"], length if edit["op"] == "insert" else length - 1
    if at > last:
        raise ParameterError(f"There is no place {at:,} in the text.", f"Give 0 to {last:,}.")
    if edit["op"] == "delete":
        if length == 1:
            raise ParameterError("The text has only one token.", "Replace it instead.")
        return _without(session, batch, at, length)
    number = id_of(session, edit["token"])
    if edit["op"] == "replace":
        changed = batch.principal.clone()
        changed[0, at] = number
        return batch.with_principal(changed)
    return _with(session, batch, at, length, number)


def id_of(session: Any, token: str) -> int:
    """The id of a token, which decodes to it; '#17' is the id 17 where no token is called so.

    Raises:
        ParameterError: there is no such token; the message names close ones.
    """
    layer = session._embedding()
    size = int(getattr(layer, "num_embeddings", 0) or 0)
    decoder = session._decoder
    number = _asked(session.subject.decode, token)
    if number is not None and decoder is not None and 0 <= number < (size or LARGEST) and decoder([number]) == [token]:
        return number
    table = _vocabulary(decoder, min(size, LARGEST))
    if token in table:
        return table[token]
    if token.startswith("#") and token[1:].isdigit() and int(token[1:]) < size:
        return int(token[1:])
    if decoder is None:
        raise ParameterError(
            f"There is no token {token!r}: tokens are numbers here, as there is no decode=.",
            f"Give '#0' to '#{size - 1}'.",
        )
    near = difflib.get_close_matches(token, list(table), n=3, cutoff=0.6)
    listed = ", ".join(repr(one) for one in near)
    raise ParameterError(
        f"The vocabulary has no token {token!r}.", f"Close ones: {listed}." if near else "Choose another word."
    )


def _asked(decode: Any, token: str) -> int | None:
    """What a tokenizer itself says."""
    function = getattr(decode, "convert_tokens_to_ids", None)
    if not callable(function):
        return None
    try:
        found = function(token)
    except Exception:
        return None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _vocabulary(decoder: Any, size: int) -> dict[str, int]:
    """From token to id, by decoding every id the embedding has; the first id where several have one token."""
    if decoder is None:
        return {}
    try:
        tokens = decoder(list(range(size)))
    except SubjectError as error:
        raise ParameterError(
            f"No token can be looked up: decode= fails for some ids ({error.message}).",
            "Give decode= as a tokenizer, a list or a dictionary, or name a token by its id, such as '#17'.",
        ) from None
    found: dict[str, int] = {}
    for number, token in enumerate(tokens):
        found.setdefault(token, number)
    return found


def _with(session: Any, batch: Batch, at: int, length: int, number: int) -> Batch:
    steps = batch.principal.shape[1]
    padded = steps > length and not session.instances.varies  # of one length for all: a place of the padding is taken
    neighbour = min(at, length - 1)

    def insert(value: Tensor, new: int | None) -> Tensor:
        middle = value[:, neighbour : neighbour + 1] if new is None else torch.full_like(value[:, :1], new)
        grown = torch.cat([value[:, :at], middle, value[:, at:]], 1)
        return grown[:, :-1] if padded else grown

    return _rebuilt(batch, insert, number, length + 1)


def _without(session: Any, batch: Batch, at: int, length: int) -> Batch:
    padded = batch.principal.shape[1] > length and not session.instances.varies
    pad = session.instances.pad_id

    def delete(value: Tensor, new: int | None) -> Tensor:
        shrunk = torch.cat([value[:, :at], value[:, at + 1 :]], 1)
        if not padded:
            return shrunk
        fill = value[:, -1:] if new is None else torch.full_like(value[:, :1], pad or 0)
        return torch.cat([shrunk, fill], 1)

    return _rebuilt(batch, delete, pad or 0, length - 1)


def _rebuilt(batch: Batch, change: Any, number: int, length: int) -> Batch:
    """All inputs with an entry for each token changed alike; lengths, masks and positions follow."""
    steps = batch.principal.shape[1]
    given: list[tuple[Any, Any]] = [*enumerate(batch.args), *batch.kwargs.items()]
    for name, value in given:
        if name != batch.main and _per_token(value, steps) and not _belongs(name, value):
            which = repr(name) if isinstance(name, str) else f"argument {name + 1}"
            raise ParameterError(
                f"The model's {which} is as long as the text, {steps:,}, and it cannot be told whether it belongs to "
                "its tokens.",
                "Replace tokens instead: that leaves the length as it is.",
            )

    def follow(name: Any, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if name == batch.main:
            return change(value, number)
        if name in LENGTHS and value.dim() == 1:
            return torch.full_like(value, length)
        if not _per_token(value, steps):
            return value
        changed = change(value, None)
        size = changed.shape[1]
        if name == MASK and valid_lengths(value) is not None:
            return (torch.arange(size, device=value.device)[None] < length).to(value.dtype)
        if name == "position_ids" and bool((value[0] == torch.arange(steps, device=value.device)).all()):
            return torch.arange(size, device=value.device, dtype=value.dtype)[None]
        return changed

    args = tuple(follow(place, value) for place, value in enumerate(batch.args))
    kwargs = {name: follow(name, value) for name, value in batch.kwargs.items()}
    lengths = None if batch.lengths is None else torch.full_like(batch.lengths, length)
    return Batch(args, kwargs, batch.labels, batch.indices, lengths, batch.skipped, batch.main, batch.texts)


def _per_token(value: Any, steps: int) -> bool:
    return isinstance(value, Tensor) and tuple(value.shape) == (1, steps)


def _belongs(name: Any, value: Tensor) -> bool:
    """Whether an input of a text's length follows its tokens: known by its name, or a mask by its values. Others, such
    as the ids of a second text, may have that length by chance."""
    return name in KNOWN or value.dtype == torch.bool or bool(((value == 0) | (value == 1)).all())
