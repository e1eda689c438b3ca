from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
from dataclasses import replace

import google_crc32c
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_runs import layer_meta, layer_record, same_record, small_run

from analysis.store import Run, RunWriter, curve, frames, layout

SCALARS = "segments/0001/scalars/0001.tfrecord"
LAYERS = "segments/0001/layers/0001.tfrecord"
SHAPES = ((), (3,), (4, 2, 2), (0,))  # of an array that has 4 filters


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("sound") / "run")


def copy_with(sound, target, name, content):
    if not target.exists():
        shutil.copytree(sound, target)
    (target / name).write_bytes(content)
    return Run(target)


def kinds(run):
    return {damage.file: damage.kind for damage in run.damage()}


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(), st.floats()), min_size=1, max_size=50))
def test_vectorised_checksums_equal_the_library(records):
    data = b"".join(frames.encode_scalar(*record) for record in records)
    got = frames.scalar_checksums(frames.as_frames(data))
    for index, checksum in enumerate(got.tolist()):
        crc = google_crc32c.value(data[40 * index + 12 : 40 * index + 36])
        assert checksum == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32
    assert frames.valid_prefix(frames.as_frames(data)) == len(records)
    # a scalar's frame is what the general framing says it is
    assert data[:40] == frames.encode(struct.pack("<qdd", *records[0]))


def test_scalars_cut_at_every_byte_show_the_prefix(sound, tmp_path):
    whole = (sound / SCALARS).read_bytes()
    for size in range(len(whole) + 1):
        run = copy_with(sound, tmp_path / "run", SCALARS, whole[:size])
        read = run.scalars("loss")
        assert read.steps.tolist() == list(range(size // 40))
        assert [d.kind for d in read.damage] == (["partial"] if size % 40 else [])
        if size % 40:
            assert (read.damage[0].record, read.damage[0].offset) == (size // 40, size // 40 * 40)
            assert kinds(run) == {SCALARS: "partial"}


def test_layers_cut_at_every_byte_show_the_prefix(sound, tmp_path):
    whole = (sound / LAYERS).read_bytes()
    ends = [0]
    while ends[-1] < len(whole):
        ends.append(ends[-1] + struct.unpack_from("<Q", whole, ends[-1])[0] + 16)
    copy_with(sound, tmp_path / "run", LAYERS, whole)
    log = Run(tmp_path / "run")._segments()[0].layer_file("conv1")
    for size in range(len(whole), -1, -1):
        os.truncate(log.path, size)
        fresh = type(log)(log.path, log.name, log._parse)
        good = sum(end <= size for end in ends) - 1
        assert [entry.step for entry in fresh.refresh()] == list(range(good))
        damage = [] if fresh.damage is None else [(fresh.damage.kind, fresh.damage.record, fresh.damage.offset)]
        assert damage == ([] if size in ends else [("partial", good, ends[good])])
    run = copy_with(sound, tmp_path / "run", LAYERS, whole[:-1])
    assert [record.step for record in run.layer_records("conv1")] == [0, 1]
    assert kinds(run) == {LAYERS: "partial"}


@pytest.mark.parametrize("name", ["tags.tfrecord", "notes.tfrecord", "layers.tfrecord"])
def test_small_logs_cut_at_every_byte(sound, tmp_path, name):
    place = f"segments/0001/{name}"
    whole = (sound / place).read_bytes()
    for size in range(len(whole)):
        run = copy_with(sound, tmp_path / "run", place, whole[:size])
        assert kinds(run) == ({place: "partial"} if size else {})
        assert (run.tags() == ["loss"]) == (name != "tags.tfrecord")
        assert (run.layers() == []) == (name == "layers.tfrecord")


def test_every_flipped_bit_of_scalars_is_found(sound, tmp_path):
    whole = (sound / SCALARS).read_bytes()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        read = copy_with(sound, tmp_path / "run", SCALARS, bytes(changed)).scalars("loss")
        record = bit // 320
        assert read.steps.tolist() == list(range(record))
        assert [(d.kind, d.record, d.offset) for d in read.damage] == [("corrupt", record, record * 40)]


def test_every_flipped_bit_of_a_layer_file_is_found(sound, tmp_path):
    whole = (sound / LAYERS).read_bytes()
    second = struct.unpack_from("<Q", whole)[0] + 16
    run = copy_with(sound, tmp_path / "run", LAYERS, whole)
    log = run._segments()[0].layer_file("conv1")
    fd = os.open(log.path, os.O_RDWR)
    for bit in range(8 * second, 16 * second):
        byte = bit // 8
        os.pwrite(fd, bytes([whole[byte] ^ 1 << bit % 8]), byte)
        fresh = type(log)(log.path, log.name, log._parse)
        assert [entry.step for entry in fresh.refresh()] == [0]
        assert fresh.damage is not None
        assert (fresh.damage.kind, fresh.damage.record, fresh.damage.offset) == ("corrupt", 1, second)
        if bit < 16 * second - 1:
            os.pwrite(fd, whole[byte : byte + 1], byte)
    os.close(fd)
    run = Run(tmp_path / "run")
    same_record(run.layer_record("conv1"), layer_record(0))
    assert kinds(run) == {LAYERS: "corrupt"}


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([SCALARS, LAYERS, "segments/0001/tags.tfrecord"]), st.integers(0, 200))
def test_any_bytes_after_any_prefix_never_raise(tmp_path_factory, garbage, name, cut):
    path = small_run(tmp_path_factory.mktemp("any") / "run", 2)
    (path / name).write_bytes((path / name).read_bytes()[:cut] + garbage)
    run = Run(path)
    for tag in run.tags():
        assert run.scalars(tag).steps.tolist() == list(range(len(run.scalars(tag).steps)))[:2]
    for meta in run.layers():
        run.layer_records(meta.name)
    assert isinstance(run.damage(), list)


@pytest.mark.parametrize("zeros", [1, 3, 39, 40, 41, 400])
@pytest.mark.parametrize("name", [SCALARS, LAYERS])
def test_zeros_at_the_end_are_bytes_still_on_their_way(sound, tmp_path, zeros, name):
    whole = (sound / name).read_bytes()
    run = copy_with(sound, tmp_path / "run", name, whole + bytes(zeros))
    assert len(run.scalars("loss").steps) == 3
    assert len(run.layer_steps("conv1")) == 3
    assert kinds(run) == {name: "partial"}
    cut = len(whole) - 20
    run = copy_with(sound, tmp_path / "run", name, whole[:cut] + bytes(20))
    assert len(run.scalars("loss").steps if name == SCALARS else run.layer_steps("conv1")) == 2
    assert kinds(run) == {name: "partial"}


def test_a_length_larger_than_the_file_allocates_nothing(sound, tmp_path):
    length = struct.pack("<Q", 2**62)
    claim = length + struct.pack("<I", frames.masked(length)) + b"x" * 100
    for name in (SCALARS, LAYERS, "segments/0001/tags.tfrecord"):
        run = copy_with(sound, tmp_path / name.replace("/", "_"), name, claim)
        assert run.tags() == ([] if "tags" in name else ["loss"])
        run.layer_steps("conv1")
        assert len(run.damage()) >= 1


def test_a_safetensors_header_that_lies_is_reported(sound, tmp_path):
    header = b'{"counts":{"dtype":"F64","shape":[1000000000000],"data_offsets":[0,8000000000000]}}'
    for body in (struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", len(header)) + header, b""):
        payload = struct.pack("<qdQ", 9, 1.0, 0) + body
        whole = (sound / LAYERS).read_bytes() + frames.encode(payload)
        run = copy_with(sound, tmp_path / "run", LAYERS, whole)
        assert run.layer_record("conv1").step == 2
        assert kinds(run) == {LAYERS: "corrupt"}


def test_a_tail_that_is_completed_later_is_read(sound, tmp_path):
    whole = (sound / SCALARS).read_bytes()
    run = copy_with(sound, tmp_path / "run", SCALARS, whole[:90])
    assert len(run.scalars("loss").steps) == 2
    (tmp_path / "run" / SCALARS).write_bytes(whole)
    assert len(run.scalars("loss").steps) == 3
    assert run.damage() == []


def test_file_gone_mid_read(sound, tmp_path):
    target = tmp_path / "run"
    shutil.copytree(sound, target)
    run = Run(target)
    cursor = run.scalars("loss").cursor
    run.layer_records("conv1")
    (target / SCALARS).unlink()
    (target / LAYERS).unlink()
    read = run.scalars("loss", cursor)
    assert read.steps.size == 0
    assert [d.kind for d in read.damage] == ["missing"]
    assert run.layer_records("conv1") == []
    assert kinds(run) == {SCALARS: "missing", LAYERS: "missing"}
    assert curve(run, "loss").total == 0
    shutil.rmtree(target)
    assert run.info.status == "unreadable"
    assert "missing" in run.info.error
    assert len(run.notes()) == 1
    assert "missing" in kinds(run).values()


def test_a_file_cut_short_under_a_reader_is_read_afresh(sound, tmp_path):
    run = copy_with(sound, tmp_path / "run", SCALARS, (sound / SCALARS).read_bytes())
    assert len(run.scalars("loss").steps) == 3
    (tmp_path / "run" / SCALARS).write_bytes(frames.encode_scalar(5, 1.0, 7.0))
    assert run.scalars("loss").values.tolist() == [7.0]


def test_links_and_pipes_inside_a_run_are_refused(sound, tmp_path):
    target = tmp_path / "run"
    shutil.copytree(sound, target)
    canary = tmp_path / "canary"
    canary.write_bytes((sound / SCALARS).read_bytes())
    (target / SCALARS).unlink()
    (target / SCALARS).symlink_to(canary)
    (target / LAYERS).unlink()
    os.mkfifo(target / LAYERS)
    (target / "checkpoints").mkdir(exist_ok=True)
    (target / "checkpoints" / "step-0000000001.safetensors").symlink_to(canary)
    run = Run(target)
    assert run.scalars("loss").steps.size == 0
    assert run.layer_steps("conv1") == []
    assert run.checkpoints() == []
    assert set(kinds(run).values()) == {"unreadable"}


def test_crafted_descriptions_do_not_raise(sound, tmp_path):
    target = tmp_path / "run"
    shutil.copytree(sound, target)
    layout.write_json(target / "segments/0001/segment.json", {"started": "x", "config": 3, "pid": 1e300, "host": []})
    layout.write_json(target / "segments/0001/closed.json", {"finished": {}, "reason": 4})
    run = Run(target)
    assert run.info.config == {}
    (target / "segments/0001/segment.json").write_bytes(b"{")
    assert kinds(Run(target)) == {"segments/0001/segment.json": "corrupt"}


def test_a_damaged_probe_is_reported(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.probe({"inputs": np.ones(9)}, {})
    writer.close()
    place = tmp_path / "run" / "probe.safetensors"
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(data)
    run = Run(tmp_path / "run")
    assert run.probe() is None
    assert kinds(run) == {"probe.safetensors": "corrupt"}


def test_a_record_that_claims_more_than_a_record_can_have(sound, tmp_path):
    """A sparse file costs its maker nothing; reading it must not take the server's memory."""
    run = copy_with(sound, tmp_path / "run", LAYERS, b"")
    size = 4 << 30
    with (tmp_path / "run" / LAYERS).open("wb") as file:
        file.write(struct.pack("<Q", size) + struct.pack("<I", frames.masked(struct.pack("<Q", size))))
        file.truncate(size + frames.OVERHEAD)
    assert run.layer_steps("conv1") == []
    assert kinds(run) == {LAYERS: "corrupt"}


@pytest.mark.parametrize("change", [{"bins": 10**9}, {"bins": 0}, {"bins": -5}, {"filters": -1}, {"filters": 2**60}])
def test_a_description_out_of_range_is_damage(sound, tmp_path, change):
    name = "segments/0001/layers.tfrecord"
    text = json.dumps({"id": 1, "name": "conv1", "kind": "conv", "type": "Conv2d", "filters": 4, "order": 0, **change})
    run = copy_with(sound, tmp_path / "run", name, frames.encode(text.encode()))
    assert run.layers() == []
    assert kinds(run) == {name: "corrupt"}


MISFITS = [
    *((name, shape) for name in ("maximum", "neighbours", "tally_perplexity", "stale_steps") for shape in SHAPES),
    *(("histogram", shape) for shape in ((), (4, 2, 2))),
]


@pytest.mark.parametrize(("name", "shape"), MISFITS)
def test_a_record_whose_arrays_do_not_fit_is_damage(tmp_path, name, shape):
    with contextlib.closing(RunWriter(tmp_path / "run")) as writer:
        writer.declare_layer(layer_meta())
        writer.layer_record("conv1", layer_record(1))
        writer.layer_record("conv1", replace(layer_record(2), **{name: np.zeros(shape)}))
    run = Run(tmp_path / "run")
    assert [record.step for record in run.layer_records("conv1")] == [1]
    if name in ("maximum", "histogram", "stale_steps"):
        assert [p.step for p in run.records_at("conv1", run.layer_places()["conv1"], whole=False)] == [1]
    assert [damage.record for damage in run.damage()] == [1]
