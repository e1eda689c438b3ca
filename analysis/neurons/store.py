"""Tables of instances x neurons in one piece, so that a sample of any size is read as a memory map. No torch.

Answers ``neuron_table``.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound
from analysis.extraction.reader import Extraction
from analysis.results import Answer
from analysis.results.cache import ARRAYS

_TYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "U8": np.uint8}
_HEADER = 100 << 20  # bytes, at most, as the format has it


def neuron_table(session: Any, context: Any, *, layer: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The activations of a layer over the whole sample, in one array.

    Returns:
        {'layer', 'filters', 'n', 'scale': what the numbers are, in words}; 'values' (N, F) float32, the mean over
        (valid) positions of each rectified activation in the order of the extraction's rows, NaN where the layer was
        not called; 'index' (N,) int64, their places in the data set.

    Raises:
        NotFound: the layer has no activations.
    """
    extraction: Extraction = session.extraction()
    info = extraction.layer(layer)
    context.progress(0, 1, "tables", "Joining the activations")
    values = extraction.mean(layer)
    context.progress(1, 1, "tables", "Joining the activations")
    scale = "mean over positions of the rectified activation" if info.spatial else "rectified activation"
    value = {"layer": layer, "filters": int(info.filters), "n": int(extraction.done), "scale": scale}
    return value, {"values": values, "index": np.asarray(extraction.indices)}


def mapped(answer: Answer, name: str = "values") -> NDArray[Any]:
    """An array of an answer as a ``numpy.memmap`` that cannot be written to: nothing is read before it is used, and
    what is read is the operating system's copy. An array without elements comes as an ordinary one.

    Raises:
        NotFound: the answer has no such array, or its file is damaged.
    """
    path = Path(answer.path) / ARRAYS
    try:
        dtype, shape, start = _place(path, name)
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.memmap(path, dtype, mode="r", offset=start, shape=shape)
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise NotFound(f"The table {name!r} of this answer cannot be read.", "Ask for it again.") from error


def _place(path: Path, name: str) -> tuple[Any, tuple[int, ...], int]:
    """Type, shape and first byte of an array in a file of safetensors."""
    with path.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        if length > _HEADER:
            raise ValueError("header")
        header = json.loads(opened.read(length))
    entry = header[name]
    shape = tuple(int(size) for size in entry["shape"])
    dtype = np.dtype(_TYPES[entry["dtype"]]).newbyteorder("<")
    first, last = entry["data_offsets"]
    start = 8 + length + int(first)
    if int(last) - int(first) != dtype.itemsize * int(np.prod(shape)) or start < 8 + length:
        raise ValueError("size")
    return dtype, shape, start
