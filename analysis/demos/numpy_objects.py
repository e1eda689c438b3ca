"""Reads a NumPy file of Python objects without executing anything in it.

Such a file holds a pickle, a program for a small stack machine, whose danger is that it may call any function by name.
Here its opcodes are only listed, by the standard library's disassembler, and the few that data need are followed; the
names of functions are compared with the four that NumPy writes, and stand for nothing else. Anything unknown is
refused.
"""

from __future__ import annotations

import pickletools
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import CutawayError

# What NumPy under Python 2 and 3 writes: an empty array, its class and type, and bytes written as text.
_ARRAY, _CLASS, _TYPE, _BYTES = (
    "numpy.core.multiarray _reconstruct",
    "numpy ndarray",
    "numpy dtype",
    "_codecs encode",
)
_NAMES = (_ARRAY, _CLASS, _TYPE, _BYTES)
_MARK = object()


class NotData(CutawayError):
    """A file holds something else than lists, dictionaries, texts, numbers and arrays of numbers."""


class _Name(str):
    """One of ``_NAMES``: compared, never looked up."""


class _Filled:
    """An array or a type that was announced, and later filled in."""

    def __init__(self, kind: str, code: str = "") -> None:
        self.kind, self.code = kind, code
        self.value: Any = None

    def fill(self, state: tuple[Any, ...]) -> None:
        if self.kind == _TYPE:
            self.code = str(state[1]).replace("|", "") + self.code  # the byte order
            return
        _version, shape, dtype, fortran, content = state
        if isinstance(content, list):
            self.value = content if shape else content[0]  # of objects
            return
        if not isinstance(dtype, _Filled) or not isinstance(content, bytes):
            raise _refused("an array without content")
        flat = np.frombuffer(content, np.dtype(dtype.code))
        self.value = flat.reshape(shape, order="F" if fortran else "C")


def read_objects(path: Path) -> Any:
    """The object in a NumPy file of one object (shape ()): lists, dictionaries, texts, numbers and arrays of numbers.

    Raises:
        NotData: the file is no such file, or holds anything else.
    """
    stream = BytesIO(path.read_bytes())
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise _refused("another version of the format")
        shape, _fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        if shape != () or dtype != np.dtype(object):
            raise _refused("no single object")
        return _plain(_Machine().run(stream.read()))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, UnicodeError) as error:
        raise _refused(str(error)[:200]) from error


def _refused(what: str) -> NotData:
    return NotData(f"The file holds something that is no data: {what}.", "Install the package again.")


class _Machine:
    """Follows the opcodes that lists, dictionaries, texts, numbers and arrays are written with."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        for opcode, argument, _position in pickletools.genops(program):
            if opcode.name == "STOP":
                [result] = self.stack
                return result
            self._step(opcode.name, argument)
        raise _refused("it ends early")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in ("BININT", "BININT1", "BININT2", "BINUNICODE", "BINFLOAT"):
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name.startswith("TUPLE"):
            stack.append(tuple(self._taken(int(name[5:])) if name[5:] else self._marked()))
        elif name in ("APPEND", "APPENDS"):
            items = self._taken(1) if name == "APPEND" else self._marked()
            stack[-1].extend(items)
        elif name == "SETITEMS":
            items = self._marked()
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "GLOBAL":
            if argument not in _NAMES:
                raise _refused(f"the name {argument!r}")
            stack.append(_Name(argument))
        elif name == "REDUCE":
            function, arguments = self._taken(2)
            stack.append(_made(function, arguments))
        elif name == "BUILD":
            [state] = self._taken(1)
            stack[-1].fill(state)
        elif name != "PROTO":
            raise _refused(f"the operation {name}")

    def _taken(self, count: int) -> list[Any]:
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _marked(self) -> list[Any]:
        at = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        taken = self.stack[at + 1 :]
        del self.stack[at:]
        return taken


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "MARK": _MARK}


def _made(function: Any, arguments: tuple[Any, ...]) -> Any:
    if not isinstance(function, _Name):
        raise _refused("a call of something that is no function")
    if function == _BYTES:
        text, encoding = arguments
        if encoding != "latin1":
            raise _refused(f"the encoding {encoding!r}")
        return text.encode("latin1")
    if function == _TYPE:
        code = str(arguments[0])
        if code[:1] not in "fiubO" or not code[1:].isdigit():
            raise _refused(f"the type {code!r}")
        return _Filled(_TYPE, code)
    if function == _ARRAY:
        return _Filled(_ARRAY)
    raise _refused(f"a call of {function}")


def _plain(value: Any) -> Any:
    """Arrays in the place of what announced them."""
    if isinstance(value, _Filled) and value.kind == _ARRAY:
        return _plain(value.value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (_Filled, _Name, tuple)) or value is _MARK:
        raise _refused("an unfinished object")
    return value
