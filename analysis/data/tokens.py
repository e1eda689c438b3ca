"""From ids to tokens, with whatever the user has: a tokenizer, a vocabulary, a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.data.errors import SubjectError

_REMEDY = "decode= is a tokenizer, a dictionary or list from id to token, or a function from a list of ids to tokens."
Decoder = Callable[[list[int]], list[str]]


def decoder_of(decode: Any) -> Decoder | None:
    """A function from ids to as many tokens; None if ``decode`` is None.

    Accepts a tokenizer (``convert_ids_to_tokens``), a vocabulary (``lookup_tokens``), a dictionary or list from id to
    token, or a function of a list of ids, or of one id.

    Raises:
        SubjectError: it is none of these.
    """
    if decode is None:
        return None
    for method in ("convert_ids_to_tokens", "lookup_tokens"):
        found = getattr(decode, method, None)
        if callable(found):
            return _checked(found)
    if isinstance(decode, Mapping):
        table = {int(key): str(token) for key, token in decode.items()} if _by_id(decode) else _turned(decode)
        return lambda ids: [table.get(number, f"#{number}") for number in ids]
    if isinstance(decode, Sequence) and not isinstance(decode, (str, bytes)):
        tokens = [str(token) for token in decode]
        return lambda ids: [tokens[n] if 0 <= n < len(tokens) else f"#{n}" for n in ids]
    if callable(decode):
        return _checked(decode)
    raise SubjectError(f"decode is a {type(decode).__name__}.", _REMEDY)


def numbered(ids: list[int]) -> list[str]:
    """Tokens where no decoder is known: '#17'."""
    return [f"#{number}" for number in ids]


def pad_id_of(decode: Any) -> int | None:
    """The padding id that a tokenizer names, None if it names none."""
    found = getattr(decode, "pad_token_id", None)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _by_id(table: Mapping[Any, Any]) -> bool:
    return all(isinstance(key, int) or (isinstance(key, str) and key.isdigit()) for key in table)


def _turned(table: Mapping[Any, Any]) -> dict[int, str]:
    """A dictionary from token to id, turned round."""
    try:
        return {int(number): str(token) for token, number in table.items()}
    except (TypeError, ValueError):
        raise SubjectError("decode is a dictionary, but not between ids and tokens.", _REMEDY) from None


def _checked(function: Callable[..., Any]) -> Decoder:
    def decode(ids: list[int]) -> list[str]:
        try:
            result = function(list(ids))
        except MemoryError:
            raise
        except Exception:
            result = None  # perhaps it takes one id
        if isinstance(result, (list, tuple)) and len(result) == len(ids):
            return [str(token) for token in result]
        return [_single(function, number) for number in ids]

    return decode


def _single(function: Callable[..., Any], number: int) -> str:
    reason = ""
    for argument in ([number], number):
        try:
            result = function(argument)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            continue
        if isinstance(result, (list, tuple)) and len(result) == 1:
            result = result[0]
        if isinstance(result, str):
            return result
        reason = f"it returns a {type(result).__name__}"
    raise SubjectError(f"decode fails for the id {number}: {reason}.", _REMEDY)
