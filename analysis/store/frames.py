"""TFRecord framing: length, masked CRC32C of the length, payload, masked CRC32C of the payload.

A scalar's frame has a fixed size, so that a file of them is an array: record N lies at byte N * 40, and the checksums
of a million records are verified with a dozen table look-ups a record instead of a call a record.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

HEADER = 12
FOOTER = 4
OVERHEAD = HEADER + FOOTER
MAX_PAYLOAD = 128 << 20  # bytes; a record of a layer of 100,000 filters has 25 MB

SCALAR = np.dtype(
    [
        ("length", "<u8"),
        ("length_crc", "<u4"),
        ("step", "<i8"),
        ("wall", "<f8"),
        ("value", "<f8"),
        ("crc", "<u4"),
    ]
)
SCALAR_PAYLOAD = 24
_WORDS = SCALAR_PAYLOAD // 2
_FIRST_WORD = HEADER // 2
_MASK = 0xA282EAD8

Frames = NDArray[np.void]


def masked(data: bytes) -> int:
    """CRC32C of ``data``, rotated and offset as the TFRecord format asks."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def encode(payload: bytes) -> bytes:
    """The whole frame of ``payload``."""
    length = struct.pack("<Q", len(payload))
    return b"".join((length, struct.pack("<I", masked(length)), payload, struct.pack("<I", masked(payload))))


_SCALAR_HEADER = struct.pack("<Q", SCALAR_PAYLOAD) + struct.pack("<I", masked(struct.pack("<Q", SCALAR_PAYLOAD)))
_SCALAR_PAYLOAD = struct.Struct("<qdd")
_CRC = struct.Struct("<I")
_SCALAR_LENGTH_CRC = np.uint32(struct.unpack("<I", _SCALAR_HEADER[8:])[0])


def encode_scalar(step: int, wall: float, value: float) -> bytes:
    """The 40 bytes of one scalar record. Raises struct.error or OverflowError if the step exceeds 64 bits."""
    payload = _SCALAR_PAYLOAD.pack(step, wall, value)
    crc = google_crc32c.value(payload)
    return _SCALAR_HEADER + payload + _CRC.pack((((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF)


@cache
def _tables() -> tuple[np.uint32, NDArray[np.uint32]]:
    """CRC of an all-zero payload, and per 16-bit word of a payload the change that each of its values makes.

    CRC32C is affine: crc(a ^ b) = crc(a) ^ crc(b) ^ crc(0), so 192 single-bit messages determine every other.
    """
    zero = google_crc32c.value(bytes(SCALAR_PAYLOAD))
    tables = np.zeros((_WORDS, 1 << 16), np.uint32)
    for word in range(_WORDS):
        for bit in range(16):
            message = bytearray(SCALAR_PAYLOAD)
            message[2 * word + bit // 8] = 1 << (bit % 8)
            change = np.uint32(google_crc32c.value(bytes(message)) ^ zero)
            tables[word, 1 << bit : 2 << bit] = tables[word, : 1 << bit] ^ change
    return np.uint32(zero), tables


def scalar_checksums(frames: Frames) -> NDArray[np.uint32]:
    """Masked CRC32C of the payloads of ``frames`` (shape (n,), dtype ``SCALAR``), shape (n,)."""
    zero, tables = _tables()
    words = frames.view("<u2").reshape(-1, SCALAR.itemsize // 2)
    crc = np.full(len(frames), zero, np.uint32)
    for word in range(_WORDS):
        crc ^= tables[word].take(words[:, _FIRST_WORD + word])
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(_MASK)


def valid_prefix(frames: Frames) -> int:
    """How many of the leading ``frames`` are whole and unchanged."""
    good = (frames["length"] == SCALAR_PAYLOAD) & (frames["length_crc"] == _SCALAR_LENGTH_CRC)
    good &= scalar_checksums(frames) == frames["crc"]
    return len(frames) if good.all() else int(np.argmin(good))


def next_frame(read: Callable[[int, int], bytes], offset: int, size: int) -> tuple[bytes | None, str, str]:
    """The payload of the frame at ``offset`` of a file of ``size`` bytes, or why it cannot be read.

    read(offset, n) returns at most n bytes. Returns (payload, '', '') or (None, kind of damage, detail). The declared
    length is compared with the file before anything is read.
    """
    header = read(offset, HEADER)
    if len(header) < HEADER:
        return None, "partial", ""
    (length,) = struct.unpack_from("<Q", header)
    if struct.unpack_from("<I", header, 8)[0] != masked(header[:8]):
        # Network file systems show zeros where bytes are still on their way.
        return (None, "partial", "") if _zeros(read, offset + 8, size) else (None, "corrupt", "The length is damaged.")
    if length > MAX_PAYLOAD:
        return None, "corrupt", "It claims more bytes than a record can have."
    if length > size - offset - OVERHEAD:
        return None, "partial", ""
    rest = read(offset + HEADER, length + FOOTER)
    if len(rest) < length + FOOTER:
        return None, "partial", ""
    payload, footer = rest[:length], rest[length:]
    if struct.unpack("<I", footer)[0] != masked(payload):
        return None, ("partial" if _zeros(read, offset + HEADER + length, size) else "corrupt"), ""
    return payload, "", ""


def _zeros(read: Callable[[int, int], bytes], offset: int, size: int) -> bool:
    """Whether everything from ``offset`` to the end is zero; looks at 1 MiB at most."""
    return size - offset <= 1 << 20 and not any(read(offset, size - offset))


def tail_damage(tail: bytes) -> str:
    """Kind of damage of a scalars file whose bytes ``tail`` begin at the first frame that is not valid."""
    whole = len(tail) >= SCALAR.itemsize
    zeros = not any(tail[SCALAR.itemsize - FOOTER :])
    return "partial" if not whole or zeros else "corrupt"


def as_frames(buffer: Any) -> Frames:
    """View whole scalar frames in ``buffer`` as a structured array, shape (n,)."""
    return np.frombuffer(buffer, SCALAR)
