"""Small runs for the tests of the store."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from analysis.records import LayerMeta, LayerRecord
from analysis.store import RunWriter

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def layer_meta(name: str = "conv1", order: int = 0, **changes: object) -> LayerMeta:
    return LayerMeta(name, "conv", "Conv2d", 4, order, **changes)  # type: ignore[arg-type]


def layer_record(step: int, *, patches: bool = True, filters: int = 4) -> LayerRecord:
    """A record whose every array depends on the step."""
    rng = np.random.default_rng(step)
    row = lambda: rng.random(filters).astype(np.float32)  # noqa: E731
    positions = (
        {"patch_instances": np.arange(5) + step, "patch_positions": rng.integers(0, 9, (5, 2))} if patches else {}
    )
    return LayerRecord(
        step=step,
        wall=1e9 + step,
        histogram=rng.integers(0, 50, 8),
        patches=50,
        silent=2,
        nonfinite=1,
        maximum=row(),
        mean=row(),
        frequency=row(),
        active_share=row(),
        peak=row(),
        stale_steps=rng.integers(-1, 9, filters),
        neighbours=rng.integers(-1, filters, (filters, 2)),
        similarity=rng.random((filters, 2)),
        top_labels=rng.integers(-1, 3, (filters, 3)),
        top_tallies=rng.random((filters, 3)),
        tally_total=row(),
        tally_perplexity=np.full(filters, np.nan),
        calls=3,
        **positions,  # type: ignore[arg-type]
    )


def same_record(one: LayerRecord, two: LayerRecord) -> None:
    for name in one.__dataclass_fields__:
        a, b = getattr(one, name), getattr(two, name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, name
        np.testing.assert_array_equal(a, b, err_msg=name)


def small_run(path: Path, records: int = 3) -> Path:
    """A closed run with one tag, one layer and a note."""
    writer = RunWriter(path)
    writer.declare_layer(layer_meta())
    for step in range(records):
        writer.scalars({"loss": step / 7}, step, 1e9 + step)
        writer.layer_record("conv1", layer_record(step))
    writer.note("info", "made for a test", 0)
    writer.close()
    return path


def write_values(path: Path, values: np.ndarray, steps: np.ndarray | None = None, tag: str = "loss") -> RunWriter:
    """A run with the given values of one tag, written by way of the file format: the writer takes 5 us a record."""
    from analysis.store import frames

    writer = RunWriter(path)
    writer.scalars({tag: 0.0}, 0, 0.0)
    file = writer.path / "segments" / f"{writer.segment:04d}" / "scalars" / "0001.tfrecord"
    file.write_bytes(b"")
    append_values(file, values, np.arange(len(values)) if steps is None else steps)
    assert frames.SCALAR.itemsize == 40
    return writer


def append_values(file: Path, values: np.ndarray, steps: np.ndarray, walls: np.ndarray | None = None) -> None:
    from analysis.store import frames

    records = np.zeros(len(values), frames.SCALAR)
    records[:] = np.frombuffer(frames.encode_scalar(0, 0.0, 0.0), frames.SCALAR)[0]
    records["value"], records["step"] = values, steps
    records["wall"] = 1e9 + steps if walls is None else walls
    records["crc"] = frames.scalar_checksums(records)
    with file.open("ab") as out:
        out.write(records.tobytes())


def fingerprint(path: Path) -> str:
    """Names, sizes, times and content of everything below a directory."""
    digest = hashlib.sha256()
    for place in sorted(path.rglob("*")):
        status = place.lstat()
        digest.update(f"{place} {status.st_size} {status.st_mtime_ns} {status.st_ino}".encode())
        if place.is_file():
            digest.update(place.read_bytes())
    return digest.hexdigest()
