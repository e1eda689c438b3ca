"""What a file of weights claims to hold, checked against its size before anything is allocated or unpickled.

A file of 1.5 kB can claim terabytes. Pickles are read here as a list of instructions, none of which is carried out.
"""

from __future__ import annotations

import json
import math
import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled magic number of torch.save before 1.6
_HEADER_LIMIT = 16 * 2**20  # bytes of a safetensors header
_PICKLE_LIMIT = 64 * 2**20  # bytes of pickled structure
_OPCODE_LIMIT = 2_000_000
_PLAIN_INTEGER = 4096  # largest integer given to a function that may take it for a size
_SAFETENSORS_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "C64": 64, "F8_E8M0": 8}
_SIZES = {"Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "ComplexFloat": 8}
_SIZED = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_qtensor")
_INTEGERS_WELCOME = (
    "torch._utils._rebuild",
    "torch._tensor._rebuild",
    "torch.Size",
    "torch.device",
    "builtins.complex",
)


class BadClaim(Exception):
    """The file is damaged, or claims more than it holds."""


def check_safetensors(path: Path) -> None:
    """Compare the header of a safetensors file with its size.

    Raises:
        BadClaim: header or tensors reach beyond the file, overlap, or do not fit their shapes.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, _HEADER_LIMIT):
            raise BadClaim(f"its header claims {length:,} bytes in a file of {size:,}")
        try:
            _check_header(json.loads(file.read(length)), size - 8 - length)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            raise BadClaim("its header cannot be read") from None


def _check_header(header: Any, room: int) -> None:
    """Compare the entries of a safetensors header with the bytes that follow it."""
    reached = 0
    entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
    for name, entry in sorted(entries, key=lambda pair: [int(offset) for offset in pair[1]["data_offsets"]]):
        begin, end = (int(offset) for offset in entry["data_offsets"])
        shape = [int(n) for n in entry["shape"]]
        bits = _bits(str(entry["dtype"])) * math.prod(shape)
        if min(shape, default=0) < 0 or begin != reached or not begin <= end <= room or bits != 8 * (end - begin):
            raise BadClaim(f"the entry of {name[:80]!r} does not fit the file")
        reached = end


def _bits(dtype: str) -> int:
    return _SAFETENSORS_BITS.get(dtype) or int("".join(c for c in dtype.split("_")[0] if c.isdigit()))


def check_torch_zip(path: Path) -> None:
    """Check a file of ``torch.save``: entries are stored plainly, and storages fit into the file.

    Raises:
        BadClaim: they do not, or the structure cannot be read.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if len(set(names)) != len(names) or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise BadClaim("it is not a plain archive of torch.save")
            if sum(entry.file_size for entry in entries) > size:
                raise BadClaim("its entries claim more than the file holds")
            pickles = [entry for entry in entries if entry.filename.split("/")[-1] == "data.pkl"]
            if len(pickles) != 1 or pickles[0].file_size > _PICKLE_LIMIT:
                raise BadClaim("its structure is missing or too large")
            with archive.open(pickles[0]) as stream:
                storages = _scan(stream, size)
    except BadClaim:
        raise
    except Exception as error:  # a damaged archive raises many kinds
        raise BadClaim(f"its archive cannot be read ({type(error).__name__})") from None
    _compare(storages, size)


def check_torch_legacy(path: Path) -> None:
    """Check a file of ``torch.save`` from before torch 1.6: storages fit into what follows the structure.

    Raises:
        BadClaim: they do not, or the structure cannot be read.
    """
    size = path.stat().st_size
    storages: dict[Any, int] = {}
    with path.open("rb") as file:
        for _ in range(5):  # magic number, version, system, the object, keys of the storages
            storages |= _scan(file, size)
        _compare(storages, size - file.tell())


def _compare(storages: dict[Any, int], room: int) -> None:
    claimed = sum(storages.values())
    if claimed > room:
        raise BadClaim(f"it claims {claimed:,} bytes of weights but holds {room:,}")


@dataclass(frozen=True)
class _Global:
    name: str


_MARK, _OPAQUE = object(), object()


def _scan(stream: IO[bytes], size: int) -> dict[Any, int]:
    """Storages by key with their claimed bytes, in one pickle. ``size``: bytes of the file.

    Raises:
        BadClaim: something claims more than the file can hold, or the pickle is damaged.
    """
    machine = _Machine(8 * size + 2**16)
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if number > _OPCODE_LIMIT:
                raise BadClaim("its structure is too large")
            machine.step(opcode, argument)
    except (BadClaim, OSError):
        raise
    except Exception as error:  # pickletools raises many kinds on damaged input
        raise BadClaim(f"its structure cannot be read ({type(error).__name__})") from None
    return machine.storages


class _Machine:
    """Follows numbers, names and tuples through a pickle; everything else is opaque."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # of integers that may be sizes
        self.storages: dict[Any, int] = {}
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, opcode: Any, argument: Any) -> None:
        """Take in one instruction."""
        name, stack = opcode.name, self._stack
        if name == "GLOBAL":
            stack.append(_Global(str(argument).replace(" ", ".")))
        elif name == "STACK_GLOBAL":
            inner = stack.pop()
            stack[-1] = _Global(f"{stack[-1]}.{inner}")
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if argument is None else int(argument)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo[int(argument)])
        elif name == "TUPLE":
            stack.append(tuple(self._slice()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "BINPERSID":
            self._storage(stack.pop())
            stack.append(_OPAQUE)
        elif name in ("REDUCE", "NEWOBJ"):
            given = stack.pop()
            self._call(stack.pop(), given)
            stack.append(_OPAQUE)
        elif isinstance(argument, (int, str)) and not opcode.stack_before:
            stack.append(argument)
        else:
            self._other(opcode)

    def _slice(self) -> list[Any]:
        at = len(self._stack) - 1
        while self._stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise BadClaim("its structure is damaged")
        taken = self._stack[at + 1 :]
        del self._stack[at:]
        return taken

    def _other(self, opcode: Any) -> None:
        before = [kind for kind in opcode.stack_before if kind is not pickletools.markobject]
        if pickletools.stackslice in before:
            before.remove(pickletools.stackslice)
            self._slice()
        for _ in before:
            self._stack.pop()
        self._stack += [_MARK if kind is pickletools.markobject else _OPAQUE for kind in opcode.stack_after]

    def _storage(self, identity: Any) -> None:
        match identity:
            case ("storage", _Global(name), str() | int() as key, str(), int() as count, *_) if count >= 0:
                kind = name.split(".")[-1].removesuffix("Storage")
                claimed = count * _SIZES.get(kind, 1)
                self.storages[key] = max(claimed, self.storages.get(key, 0))
            case _:
                raise BadClaim("it refers to weights in an unknown way")

    def _call(self, function: Any, given: Any) -> None:
        if not isinstance(given, tuple):
            given = (given,)
        name = function.name if isinstance(function, _Global) else ""
        if name == "torch._tensor._rebuild_from_type_v2" and len(given) > 2:
            self._call(given[0], given[2])
        if name.startswith(_SIZED) and len(given) > 2:
            shape = given[2] if isinstance(given[2], tuple) else ()
            if math.prod(n for n in shape if isinstance(n, int)) > self.limit:
                raise BadClaim(f"a tensor claims the shape {shape}")
        largest = self.limit if name.startswith(_INTEGERS_WELCOME) else _PLAIN_INTEGER
        if _largest(given) > largest:
            raise BadClaim(f"{name or 'a call'} claims {_largest(given):,} values")


def _largest(given: tuple[Any, ...], depth: int = 0) -> int:
    """The largest integer in nested tuples."""
    if depth > 8:
        raise BadClaim("its structure is nested too deeply")
    found = 0
    for item in given:
        if isinstance(item, int):
            found = max(found, abs(item))
        elif isinstance(item, tuple):
            found = max(found, _largest(item, depth + 1))
    return found
