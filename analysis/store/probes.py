"""The probe: the instances that layer records refer to, as safetensors with a description beside it.

The description is written last and carries the checksum of the arrays: a pair that does not match is reported.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from analysis.records import Damage
from analysis.store import layout
from analysis.store.layers import decode_arrays
from analysis.store.logfile import damage_of

# Bytes of a probe's arrays. The web process reads them whole, and a run should not grow by a data set.
MAX_PROBE = 256 << 20


def write_probe(run: Path, segment: int, encoded: bytes, info: dict[str, Any]) -> bool:
    """Keep a probe; False if this segment already kept another one. Raises OSError."""
    description = {"crc32c": google_crc32c.value(encoded), "bytes": len(encoded), "info": info}
    for stem in ("probe", f"probe-{segment:04d}"):
        place = run / f"{stem}.json"
        if not place.exists():
            arrays = run / f"{stem}.safetensors"
            temporary = arrays.with_name(layout.TEMPORARY + arrays.name)
            with temporary.open("wb") as file:
                file.write(encoded)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(arrays)
            layout.write_json(place, {**description, "segment": segment})
            return True
        try:
            known = layout.read_json(place)
        except ValueError:
            continue  # a damaged one stays as it is
        if all(known.get(key) == value for key, value in description.items()):
            return True
        if known.get("segment") == segment:
            return False
    return False


def newest_probe(run: Path) -> Path | None:
    """The description of the latest probe of a run. Raises OSError."""
    with os.scandir(run) as entries:
        found = [
            (int(match[1] or 0), entry.name) for entry in entries if (match := layout.PROBE_NAME.fullmatch(entry.name))
        ]
    return run / max(found)[1] if found else None


def read_probe(place: Path) -> tuple[tuple[dict[str, np.ndarray], dict[str, Any]] | None, Damage | None]:
    """Arrays and info of the probe described at ``place``, or how they are damaged."""
    name = place.with_suffix(".safetensors").name
    try:
        description = layout.read_json(place)
    except OSError as error:
        return None, damage_of(error, place.name, 0, 0)
    except ValueError as error:
        return None, Damage("corrupt", place.name, 0, 0, f"{error}.")
    try:
        with layout.opened(place.with_suffix(".safetensors")) as (fd, status):
            if status.st_size != description.get("bytes") or status.st_size > MAX_PROBE:
                return None, Damage("corrupt", name, 0, 0, f"It has {status.st_size:,} bytes, not as described.")
            data = layout.read_exactly(fd, 0, status.st_size)
    except OSError as error:
        return None, damage_of(error, name, 0, 0)
    if google_crc32c.value(data) != description.get("crc32c"):
        return None, Damage("corrupt", name, 0, 0, "The checksum in its description differs.")
    try:
        arrays = decode_arrays(data)
    except ValueError as error:
        return None, Damage("corrupt", name, 0, 0, f"{error}.")
    info = description.get("info")
    return (arrays, info if isinstance(info, dict) else {}), None
