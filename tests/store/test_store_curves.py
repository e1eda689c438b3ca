from __future__ import annotations

import csv
import io
import math
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_runs import append_values, fingerprint, write_values

from analysis.errors import NotFound, ParameterError
from analysis.store import CurveCache, Run, RunWriter, curve, export_csv
from analysis.store.curves import csv_cell
from analysis.store.smoothing import ema

FILE = "segments/0001/scalars/0001.tfrecord"
FIELDS = (
    "x",
    "y",
    "smooth_x",
    "smooth_y",
    "nonfinite_x",
    "nonfinite_kind",
    "nonfinite_count",
    "total",
    "segments",
    "exact",
)


def same_curve(one, two):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)


def slow_ema(values, weight):
    last, out = 0.0, []
    for count, value in enumerate(values, 1):
        last = last * weight + (1 - weight) * value
        out.append(last / (1 - weight**count))
    return out


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    """A million noisy values with spikes, gaps and infinities."""
    values = np.random.default_rng(1).normal(size=1_000_000)
    values[[3, 123_456, 500_001, 999_999]] = [1e6, -2e6, 3e6, -4e6]
    values[[10, 600_000, 700_000]] = [np.nan, np.inf, -np.inf]
    path = tmp_path_factory.mktemp("million") / "run"
    write_values(path, values).close()
    return path, values


@pytest.mark.parametrize(
    ("lo", "hi"),
    [(None, None), (100_000, 600_000), (3, 130_000), (123_456, 123_456), (499_990, 500_010), (990_000, None)],
)
@pytest.mark.parametrize("points", [10, 333, 2000])
def test_spikes_survive_at_every_zoom(million, lo, hi, points):
    path, values = million
    got = curve(Run(path), "loss", lo=lo, hi=hi, points=points)
    first, last = lo or 0, 999_999 if hi is None else hi
    inside = values[first : last + 1]
    finite = inside[np.isfinite(inside)]
    assert got.total == len(inside)
    assert len(got.x) <= points
    assert np.nanmin(got.y) == finite.min()
    assert np.nanmax(got.y) == finite.max()
    assert np.all(np.diff(got.x) > 0)
    drawn = np.isfinite(got.y)
    np.testing.assert_array_equal(got.y[drawn], values[got.x[drawn].astype(int)])
    assert got.nonfinite_count == np.count_nonzero(~np.isfinite(inside))
    assert set(got.nonfinite_x.astype(int)) == set(first + np.flatnonzero(~np.isfinite(inside)))
    assert set(got.x[~drawn]) == set(got.nonfinite_x)
    assert got.exact == (len(inside) <= points)


def test_every_share_keeps_its_extremes(million):
    path, values = million
    got = curve(Run(path), "loss", lo=0, hi=999_999, points=2000)
    drawn = np.isfinite(got.y)
    for start in range(0, 1_000_000, 10_000):
        inside = (got.x >= start) & (got.x < start + 10_000) & drawn
        assert np.ptp(got.y[inside]) > 0.8 * np.ptp(np.nan_to_num(values[start : start + 10_000], posinf=0, neginf=0))


def test_kinds_of_values_that_are_not_finite(million):
    got = curve(Run(million[0]), "loss")
    assert dict(zip(got.nonfinite_x, got.nonfinite_kind, strict=True)) == {10: "nan", 600_000: "+inf", 700_000: "-inf"}


@pytest.mark.parametrize("bad", [1.0, 0.5])
def test_many_values_that_are_not_finite_are_counted_and_listed_in_part(tmp_path, bad):
    values = np.where(np.arange(200_000) % 2 < 2 * bad, np.nan, 1.0)
    write_values(tmp_path / "run", values).close()
    got = curve(Run(tmp_path / "run"), "loss", smoothing=0.5)
    assert got.nonfinite_count == 200_000 * bad
    assert len(got.nonfinite_x) == len(got.nonfinite_kind) <= 200
    assert len(got.x) <= 2000
    assert np.isfinite(got.smooth_y).all()


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=5),
    seed=st.integers(0, 99),
    sorted_steps=st.booleans(),
    points=st.integers(10, 200),
    bounds=st.tuples(st.integers(0, 9000), st.integers(0, 9000)),
)
def test_growing_equals_from_scratch(tmp_path_factory, sizes, seed, sorted_steps, points, bounds):
    rng = np.random.default_rng(seed)
    values = rng.choice([*rng.normal(size=50), np.nan, np.inf, -np.inf], sum(sizes))
    steps = np.sort(rng.integers(0, 9000, len(values)))
    steps = steps if sorted_steps else rng.permutation(steps)
    path = tmp_path_factory.mktemp("grow") / "run"
    write_values(path, values[:0]).close()
    run, cache, at = Run(path), CurveCache(), 0
    for size in sizes:
        append_values(path / FILE, values[at : at + size], steps[at : at + size])
        at += size
        asked = {"lo": min(bounds), "hi": max(bounds), "points": points, "smoothing": 0.6}
        got = curve(run, "loss", cache=cache, **asked)
        same_curve(got, curve(Run(path), "loss", cache=CurveCache(), **asked))
        chosen = (steps[:at] >= min(bounds)) & (steps[:at] <= max(bounds))
        finite = values[:at][chosen & np.isfinite(values[:at])]
        assert got.total == chosen.sum()
        assert got.nonfinite_count == chosen.sum() - len(finite)
        if len(finite):
            assert (np.nanmin(got.y), np.nanmax(got.y)) == (finite.min(), finite.max())


@settings(deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), max_size=700), st.floats(0.01, 0.999))
def test_average_equals_the_plain_recurrence(values, weight):
    np.testing.assert_allclose(ema(np.array(values), weight), slow_ema(values, weight), rtol=1e-7, atol=1e-3)


def test_average_of_a_zoom_is_that_of_the_whole_and_of_every_record(million):
    path, values = million
    finite = np.isfinite(values)
    oracle = np.full(len(values), np.nan)
    oracle[finite] = ema(values[finite], 0.9)
    near = curve(Run(path), "loss", lo=300_000, hi=300_500, smoothing=0.9)
    np.testing.assert_allclose(near.smooth_y, oracle[300_000:300_501], rtol=1e-6, atol=1e-8)
    wide = curve(Run(path), "loss", lo=300_000, hi=450_000, smoothing=0.9)
    np.testing.assert_allclose(wide.smooth_y, oracle[wide.smooth_x.astype(int)], rtol=1e-6, atol=1e-8)
    everything = curve(Run(path), "loss", smoothing=0.99)
    assert 100 < len(everything.smooth_x) <= 2000


def test_axes_of_wall_time_and_epoch_with_a_clock_that_jumps(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for step in range(100):
        writer.scalars({"loss": float(step)}, step, 1e9 + step - (86_400 if step >= 50 else 0))
        if step % 10 == 0:
            writer.scalars({"epoch": step / 10}, step, 1e9)
    run = Run(tmp_path / "run")
    wall = curve(run, "loss", axis="wall")
    assert wall.y.tolist() == list(range(100))
    assert wall.x[50] < wall.x[0]
    assert curve(run, "loss", axis="wall", lo=1e9).y.tolist() == list(range(50))
    epoch = curve(run, "loss", axis="epoch")
    np.testing.assert_allclose(epoch.x[:91], np.arange(91) / 10)
    assert epoch.x[99] == 9.0
    assert curve(run, "loss", axis="epoch", lo=2.0, hi=3.5).y.tolist() == list(range(20, 36))
    assert curve(run, "loss", axis="epoch", lo=50).total == 0
    writer.close()


def test_what_cannot_be_drawn_is_said(tmp_path):
    write_values(tmp_path / "run", np.zeros(5)).close()
    run = Run(tmp_path / "run")
    with pytest.raises(ParameterError, match="epoch"):
        curve(run, "loss", axis="epoch")
    for wrong in (
        {"lo": 3, "hi": 2},
        {"points": 0},
        {"smoothing": 1.0},
        {"axis": "x"},
        {"lo": math.nan},
        {"smoothing": -1},
    ):
        with pytest.raises(ParameterError):
            curve(run, "loss", **wrong)
    with pytest.raises(NotFound):
        curve(run, "other")


def test_cache_is_used_and_rebuilt_when_deleted_or_damaged(million, tmp_path):
    path, _ = million
    before = fingerprint(path)
    expected = curve(Run(path), "loss", smoothing=0.9)
    same_curve(curve(Run(path), "loss", smoothing=0.9, cache=CurveCache(tmp_path)), expected)
    (place,) = tmp_path.iterdir()
    good = place.read_bytes()
    fresh, cache = Run(path), CurveCache(tmp_path)
    ((_, file),) = fresh.scalar_files("loss", lambda n, f: cache.prepare(fresh.uid, n, f))
    assert cache._pyramids[str(file.path)].count == 1_000_000
    same_curve(curve(fresh, "loss", smoothing=0.9, cache=cache), expected)
    for damaged in (None, b"", good[:1000], good[:-1], good[:5000] + b"x" + good[5001:]):
        place.unlink(missing_ok=True)
        if damaged is not None:
            place.write_bytes(damaged)
        cache = CurveCache(tmp_path)
        same_curve(curve(Run(path), "loss", smoothing=0.9, cache=cache), expected)
        assert place.read_bytes() == good
        assert cache.problem == ""
    assert fingerprint(path) == before


def test_cache_of_another_file_is_not_believed(tmp_path):
    write_values(tmp_path / "run", np.arange(1000.0)).close()
    make = lambda: CurveCache(tmp_path / "cache", persist_from=64)  # noqa: E731
    curve(Run(tmp_path / "run"), "loss", cache=make())
    (tmp_path / "run" / FILE).write_bytes(b"")
    append_values(tmp_path / "run" / FILE, -np.arange(1000.0), np.arange(1000))
    got = curve(Run(tmp_path / "run"), "loss", points=100, cache=make())
    assert np.nanmin(got.y) == -999


def test_a_record_damaged_after_it_was_cached_is_found(tmp_path):
    write_values(tmp_path / "run", np.arange(1000.0)).close()
    make = lambda: CurveCache(tmp_path / "cache", persist_from=64)  # noqa: E731
    curve(Run(tmp_path / "run"), "loss", cache=make())
    data = bytearray((tmp_path / "run" / FILE).read_bytes())
    data[500 * 40 + 30] ^= 1
    (tmp_path / "run" / FILE).write_bytes(data)
    got = curve(Run(tmp_path / "run"), "loss", cache=make())
    assert got.total == 500
    assert [(d.kind, d.record) for d in got.damage] == [("corrupt", 500)]


def test_a_file_replaced_under_a_reader_is_indexed_anew(tmp_path):
    write_values(tmp_path / "run", np.arange(1000.0)).close()
    run, cache = Run(tmp_path / "run"), CurveCache()
    curve(run, "loss", cache=cache)
    (tmp_path / "run" / FILE).unlink()
    append_values(tmp_path / "run" / FILE, np.full(2000, 7.0), np.arange(2000))
    got = curve(run, "loss", cache=cache)
    assert set(got.y) == {7.0}


def test_cache_directory_that_cannot_be_used_is_a_banner(million, tmp_path):
    (tmp_path / "file").write_text("")
    cache = CurveCache(tmp_path / "file" / "cache")
    same_curve(curve(Run(million[0]), "loss", cache=cache), curve(Run(million[0]), "loss"))
    assert "cannot be used" in cache.problem


def test_full_cache_directory_is_a_banner(million, tmp_path, monkeypatch):
    from analysis.store import curvecache

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    cache = CurveCache(tmp_path)
    # Of this module alone: the workers of the tests talk by the same function.
    monkeypatch.setattr(curvecache, "struct", SimpleNamespace(pack=full, unpack_from=struct.unpack_from))
    same_curve(curve(Run(million[0]), "loss", cache=cache), curve(Run(million[0]), "loss"))
    assert "No space left" in cache.problem
    assert list(tmp_path.iterdir()) == []


def test_memory_of_the_cache_is_bounded(tmp_path):
    cache = CurveCache(memory=100_000)
    for number in range(6):
        write_values(tmp_path / str(number), np.arange(20_000.0)).close()
        curve(Run(tmp_path / str(number)), "loss", cache=cache)
    assert sum(pyramid.nbytes for pyramid in cache._pyramids.values()) <= 100_000


def test_segments_share_the_points(tmp_path):
    for _ in range(5):
        writer = RunWriter(tmp_path / "run")
        for step in range(300):
            writer.scalars({"loss": float(step)}, step, 1.0)
        writer.close()
    got = curve(Run(tmp_path / "run"), "loss", points=200)
    assert len(got.x) <= 200
    assert np.bincount(got.segments)[1:].min() >= 30


def test_csv_holds_what_was_logged(tmp_path):
    values = [0.1, math.nan, math.inf, -math.inf, -1e-300, 3.0]
    writer = RunWriter(tmp_path / "run")
    for step, value in enumerate(values):
        writer.scalars({"=1+1": value}, step - 2, 1e9 + step / 3)
    writer.close()
    text = b"".join(export_csv(Run(tmp_path / "run"), "=1+1")).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0].keys() == {"step", "wall_time", "value", "segment"}
    np.testing.assert_array_equal([float(row["value"]) for row in rows], values)
    assert [int(row["step"]) for row in rows] == [step - 2 for step in range(6)]
    assert [float(row["wall_time"]) for row in rows] == [1e9 + step / 3 for step in range(6)]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_cells_are_no_formulas(start):
    assert csv_cell(f"{start}1").lstrip('"').startswith("'")
    assert csv_cell("plain, text") == '"plain, text"'


def test_the_cursor_says_what_was_drawn(tmp_path):
    """Another thread may meet new records of the same file while a curve is made: they are neither lost nor doubled."""
    writer = write_values(tmp_path / "run", np.arange(100.0))
    run = Run(tmp_path / "run")

    class Interrupted(CurveCache):
        def pyramid(self, run_id, segment, file):
            append_values(file.path, np.arange(5.0), np.arange(100, 105))
            file.refresh()
            return super().pyramid(run_id, segment, file)

    answer = curve(run, "loss", cache=Interrupted())
    assert answer.x.tolist() == list(range(100))
    assert run.scalars("loss", answer.cursor).steps.tolist() == list(range(100, 105))
    writer.close()
