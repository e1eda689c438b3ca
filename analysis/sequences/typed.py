"""Texts that somebody types: from words to ids, and to a batch as the model takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.data.batch import Batch
from analysis.data.tensors import as_tensor
from analysis.data.unpack import LENGTHS, MASK
from analysis.errors import CutawayError, ParameterError
from analysis.sequences import words

UNKNOWN = ("<unk>", "<unknown>", "[unk]", "[unknown]", "unk", "<oov>", "[oov]", "<|unk|>", "__unk__")
LONGEST = 2_000  # tokens
TYPED = -1  # number of an instance that is none of the data set
_PIECES = re.compile(r"\w+|[^\w\s]")
_HOW = "Give encode= to the subject: a function from a text to ids."


@dataclass(frozen=True)
class Typed:
    """A text that was typed. batch: of one instance, number -1. ids: of its tokens. tokens: as they were
    typed, [] where encode= or a tokenizer made ids of them."""

    batch: Batch
    ids: list[int]
    tokens: list[str]


def read(session: Any, text: str) -> Typed:
    """A text as ids and as a batch.

    By ``encode=`` of the subject; else by ``decode=``, if it is a tokenizer that encodes, or a list or a dictionary of
    tokens, in which words between blanks are looked up (letters, where tokens are letters).

    Raises:
        ParameterError: instances are no texts, it cannot be told how a text becomes ids, a word is not known and the
            vocabulary names no token for it, or the text is empty or too long.
    """
    if session.kind != "text":
        raise ParameterError("Only texts can be typed; instances are series here.", "Choose an instance.")
    if not text.strip():
        raise ParameterError("The text is empty.", "Type at least one word.")
    ids, tokens = ids_of(session, text)
    if not ids:
        raise ParameterError(f"No token was found in {text[:60]!r}.", "Type another text.")
    if len(ids) > LONGEST:
        raise ParameterError(f"The text has {len(ids):,} tokens.", f"Type at most {LONGEST:,}.")
    size = words.size_of(session)
    wrong = [number for number in ids if number < 0 or (size and number >= size)]
    if wrong:
        raise ParameterError(
            f"The text becomes the id {wrong[0]:,}, but the model knows {size:,} tokens.",
            "Mend encode= of the subject.",
        )
    return Typed(_batch(session, ids), ids, tokens)


def reason(session: Any) -> str:
    """'' if texts can be typed, else why not."""
    if session.kind != "text":
        return "instances are no texts"
    if _encoder(session) is not None or _table(session.subject.decode):
        return ""
    return f"it is not known how a text becomes ids. {_HOW}"


def ids_of(session: Any, text: str) -> tuple[list[int], list[str]]:
    """Ids of a text, and its tokens as they were typed (see ``Typed``). Raises ParameterError."""
    encode, table = _encoder(session), _table(session.subject.decode)
    if encode is not None:
        return _encoded(encode, text), []
    if not table:
        what = "there is no decode=" if session.subject.decode is None else "decode= is no list and no dictionary"
        raise ParameterError(f"It is not known how a text becomes ids: {what}.", _HOW)
    tokens, stands_in = _split(text, table), _unknown(session)
    missing = [token for token in tokens if token not in table]
    if missing and not stands_in:
        listed = ", ".join(repr(token) for token in dict.fromkeys(missing[:5]))
        raise ParameterError(
            f"The vocabulary has no {listed}, and no token for unknown words.", "Type other words, or give encode=."
        )
    return [table.get(token, min(stands_in, default=0)) for token in tokens], tokens


def unknown_in(session: Any, ids: list[int]) -> list[int]:
    """Positions of ids that stand for words which the model does not know."""
    stands_in = _unknown(session)
    return [place for place, number in enumerate(ids) if number in stands_in]


def _unknown(session: Any) -> set[int]:
    """Ids that stand for whatever is not known: told by their names, or by the tokenizer."""
    found = {number for token, number in _table(session.subject.decode).items() if token.lower() in UNKNOWN}
    told = getattr(session.subject.decode, "unk_token_id", None)
    return found | ({told} if isinstance(told, int) and not isinstance(told, bool) else set())


def _encoder(session: Any) -> Any:
    """``encode=``, or the method of a tokenizer given as ``decode=``."""
    if session.subject.encode is not None:
        return session.subject.encode
    found = getattr(session.subject.decode, "encode", None)
    return found if callable(found) and hasattr(session.subject.decode, "convert_ids_to_tokens") else None


def _encoded(encode: Any, text: str) -> list[int]:
    try:
        found = encode(text)
        found = getattr(found, "ids", found)  # of the package tokenizers
        numbers = as_tensor(found)
    except CutawayError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise ParameterError(f"encode= fails for {text[:60]!r}: {type(error).__name__}: {reason}.", _HOW) from error
    if not numbers.numel():
        return []
    if numbers.is_floating_point() or numbers.dim() not in (1, 2) or (numbers.dim() == 2 and len(numbers) != 1):
        raise ParameterError(
            f"encode= yields {str(numbers.dtype).removeprefix('torch.')} of shape {tuple(numbers.shape)}.",
            "Let it return the ids of one text, a list of whole numbers.",
        )
    return [int(number) for number in numbers.reshape(-1).tolist()]


def _table(decode: Any) -> dict[str, int]:
    """From token to id, of a list or a dictionary; empty for anything else."""
    found: dict[str, int] = {}
    if isinstance(decode, Mapping):
        by_id = all(isinstance(key, int) or (isinstance(key, str) and key.isdigit()) for key in decode)
        for key, value in decode.items():
            token, number = (str(value), int(key)) if by_id else (str(key), int(value))
            found.setdefault(token, number)
    elif isinstance(decode, Sequence) and not isinstance(decode, (str, bytes)):
        for number, token in enumerate(decode):
            found.setdefault(str(token), number)
    return found


def _split(text: str, table: dict[str, int]) -> list[str]:
    """Words between blanks, as the vocabulary writes them: small letters where it knows no others, signs on their own
    where it knows them so. Letters, where all but a few tokens are single ones."""
    short = sum(len(token) == 1 for token in table)
    if short > 0.8 * len(table):
        return [_written(letter, table) for letter in text]
    found: list[str] = []
    for word in text.split():
        parts = [_written(part, table) for part in _PIECES.findall(word)]
        whole = _written(word, table)
        found += parts if whole not in table and len(parts) > 1 and any(p in table for p in parts) else [whole]
    return found


def _written(token: str, table: dict[str, int]) -> str:
    return token if token in table or token.lower() not in table else token.lower()


def _batch(session: Any, ids: list[int]) -> Batch:
    """A batch of one, like one of the data set's, with these ids; filled up where all instances have one length."""
    made: Batch = session.batch([int(session.opened.sample.indices[0])])
    whole, count = made.principal.shape[1], len(ids)
    fixed = not session.instances.varies and session.instances.collate_fn is None and made.lengths is not None
    if fixed and count > whole:
        raise ParameterError(f"The text has {count:,} tokens; instances have {whole:,}.", "Type a shorter text.")
    size = whole if fixed else count
    pad = session.instances.pad_id or 0
    row = torch.tensor([[*ids, *[pad] * (size - count)]], device=made.principal.device, dtype=made.principal.dtype)

    def follow(name: Any, value: Any) -> Any:
        if name == made.main:
            return row
        if not isinstance(value, Tensor):
            return value
        if name in LENGTHS and value.dim() == 1:
            return torch.full_like(value, count)
        if value.shape != (1, whole):
            what = repr(name) if isinstance(name, str) else f"argument {name + 1}"
            raise ParameterError(
                f"The model also takes {what}, which a typed text does not have.", "Choose an instance."
            )
        places = torch.arange(size, device=value.device)[None]
        if name == "position_ids":
            return places.to(value.dtype)
        return (
            (places < count).to(value.dtype) if name == MASK or value.dtype == torch.bool else value.new_zeros(1, size)
        )

    args = tuple(follow(place, value) for place, value in enumerate(made.args))
    kwargs = {name: follow(name, value) for name, value in made.kwargs.items()}
    lengths = torch.tensor([count], device=row.device) if count < size else None
    return Batch(args, kwargs, np.array([-1]), np.array([TYPED]), lengths, [], made.main, [])
