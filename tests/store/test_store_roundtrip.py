from __future__ import annotations

import contextlib
import multiprocessing
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from store_runs import fingerprint, layer_meta, layer_record, same_record, small_run

from analysis.errors import NewerSchema, NotARun, NotFound, ParameterError, RunBusy, RunUnreadable
from analysis.store import Run, RunWriter, curve, export_csv, layout

TAGS = ["loss", "", "a/b\\..\0", "שלום עולם", "😀" * 20, "ü" * 2048, "x" * 4096, "\udcff", "../../etc", "=1+1"]


def test_tags_of_any_text_return_with_their_values(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for step in range(3):
        writer.scalars({tag: number + step for number, tag in enumerate(TAGS)}, step, 5.0)
    run = Run(tmp_path / "run")
    assert run.tags() == TAGS
    for number, tag in enumerate(TAGS):
        np.testing.assert_array_equal(run.scalars(tag).values, number + np.arange(3.0))
    names = {path.name for path in (tmp_path / "run").rglob("*")}
    assert all(name.isascii() for name in names)
    assert run.damage() == []
    writer.close()


def test_nan_and_infinities_are_kept(tmp_path):
    values = [np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308]
    writer = RunWriter(tmp_path / "run")
    for step, value in enumerate(values):
        writer.scalars({"x": value}, step, 1.0)
    writer.close()
    np.testing.assert_array_equal(Run(tmp_path / "run").scalars("x").values, values)


def test_cursor_gives_only_what_is_new(tmp_path):
    writer = RunWriter(tmp_path / "run")
    run = Run(tmp_path / "run")
    writer.scalars({"x": 1.0, "y": 9.0}, 0, 0.0)
    first = run.scalars("x")
    assert run.scalars("x", first.cursor).values.size == 0
    writer.scalars({"x": 2.0}, 1, 0.0)
    later = run.scalars("x", first.cursor)
    assert later.values.tolist() == [2.0]
    writer.close()
    again = RunWriter(tmp_path / "run")
    again.scalars({"x": 3.0}, 0, 0.0)
    newest = run.scalars("x", later.cursor)
    assert (newest.values.tolist(), newest.segments.tolist()) == ([3.0], [2])
    again.close()


@pytest.mark.parametrize("cursor", ["", "x", "0" * 8, "é" * 8, "1.2-3", "a" * 300_000, "00000000.1--2", 7])
def test_a_cursor_of_somebody_else_is_refused(tmp_path, cursor):
    with pytest.raises(ParameterError):
        Run(small_run(tmp_path / "run")).scalars("loss", cursor)


def test_unknown_names_are_not_found(tmp_path):
    run = Run(small_run(tmp_path / "run"))
    for ask in (lambda: run.scalars("no"), lambda: run.layer_record("no"), lambda: run.layer_record("conv1", -1)):
        with pytest.raises(NotFound):
            ask()


def test_layer_records_return_bit_for_bit_with_patches_carried_forward(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.declare_layer(layer_meta("fc", 2))
    writer.declare_layer(layer_meta("conv1", 1, spatial=(9, 9)))
    writer.declare_layer(layer_meta("conv1", 1, spatial=(9, 9)))
    records = [layer_record(step, patches=step in (0, 40)) for step in (0, 20, 40, 60)]
    for record in records:
        writer.layer_record("conv1", record)
    run = Run(tmp_path / "run")
    assert [meta.name for meta in run.layers()] == ["conv1", "fc"]
    assert run.layers()[0] == layer_meta("conv1", 1, spatial=(9, 9))
    assert run.layer_steps("conv1") == [(step, 1e9 + step) for step in (0, 20, 40, 60)]
    same_record(run.layer_record("conv1", 40), records[2])
    assert run.layer_record("conv1", 39).step == 20
    np.testing.assert_array_equal(run.layer_record("conv1", 20).patch_instances, records[0].patch_instances)
    np.testing.assert_array_equal(run.layer_record("conv1").patch_positions, records[2].patch_positions)
    assert [record.step for record in run.layer_records("conv1", 0)] == [20, 40, 60]
    np.testing.assert_array_equal(run.layer_records("conv1")[1].patch_instances, records[0].patch_instances)
    assert run.layer_steps("fc") == []
    writer.close()


def test_restart_keeps_both_segments(tmp_path):
    for segment, steps in enumerate((range(5), range(2, 8))):
        writer = RunWriter(tmp_path / "run", {"segment": segment})
        writer.declare_layer(layer_meta(filters_changed := "conv1", segment))
        for step in steps:
            writer.scalars({"loss": step + 100 * segment}, step, float(step))
            writer.layer_record(filters_changed, layer_record(step + 1000 * segment))
        writer.close("KeyboardInterrupt" if segment else "finished")
    run = Run(tmp_path / "run")
    read = run.scalars("loss")
    assert read.segments.tolist() == [1] * 5 + [2] * 6
    assert read.values.tolist() == [*range(5), *range(102, 108)]
    assert [segment.reason for segment in run.segments()] == ["finished", "KeyboardInterrupt"]
    assert run.info.status == "interrupted"
    assert run.info.config == {"segment": 1}
    assert curve(run, "loss").segments.tolist() == [1] * 5 + [2] * 6


def test_of_a_repeated_step_the_later_segment_wins(tmp_path):
    for segment in range(2):
        writer = RunWriter(tmp_path / "run")
        writer.declare_layer(layer_meta())
        record = layer_record(7)
        writer.layer_record("conv1", record if segment else layer_record(7, filters=3))
        writer.close()
    run = Run(tmp_path / "run")
    assert len(run.layer_steps("conv1")) == 1
    assert len(run.layer_record("conv1").mean) == 4


def test_probe_checkpoints_and_notes(tmp_path):
    writer = RunWriter(tmp_path / "run")
    inputs = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)
    for _ in range(2):
        writer.probe({"inputs": inputs, "labels": np.array([0, 1, 2, -1])}, {"class_names": ["a", "=b"], "x": np.nan})
    first = writer.checkpoint(400, lambda path: path.write_bytes(b"one") and None)
    second = writer.checkpoint(400, lambda path: path.write_bytes(b"other") and None)
    writer.close()
    writer = RunWriter(tmp_path / "run")
    third = writer.checkpoint(400, lambda path: path.write_bytes(b"third!") and None)
    writer.probe({"inputs": inputs + 1, "labels": np.zeros(4)}, {})
    writer.note("warning", "weit 😀", 3)
    writer.close()
    run = Run(tmp_path / "run")
    assert first is not None
    assert first.name == "step-0000000400.safetensors"
    assert {path.read_bytes() for path in (first, second, third)} == {b"one", b"other", b"third!"}
    assert [(c.step, c.segment, c.bytes) for c in run.checkpoints()] == [(400, 1, 3), (400, 1, 5), (400, 2, 6)]
    assert [(n.kind, n.message, n.step) for n in run.notes()] == [("warning", "weit 😀", 3)]
    arrays, info = run.probe() or ({}, {})
    np.testing.assert_array_equal(arrays["inputs"], inputs + 1)
    assert info == {}
    (tmp_path / "run" / "probe-0002.json").unlink()
    arrays, info = Run(tmp_path / "run").probe() or ({}, {})
    np.testing.assert_array_equal(arrays["inputs"], inputs)
    assert info == {"class_names": ["a", "=b"], "x": "NaN"}


def test_a_failing_checkpoint_does_not_stop_training(tmp_path):
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("the disk is full")

    writer = RunWriter(tmp_path / "run")
    with pytest.warns(RuntimeWarning, match="the disk is full"):
        assert writer.checkpoint(1, fail) is None
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []
    writer.close()


def test_config_of_anything_is_kept(tmp_path):
    config = {
        "lr": 0.1,
        "nan": float("nan"),
        "o": Run,
        "t": (1, {2}),
        "np": np.float32(0.5),
        3: np.arange(2),
        "p": Path("x"),
    }
    writer = RunWriter(tmp_path / "run", config, name="Ä 😀")
    info = Run(tmp_path / "run").info
    assert info.name == "Ä 😀"
    assert info.status == "running"
    assert info.config["lr"] == 0.1
    assert info.config["nan"] == "NaN"
    assert info.config["t"] == [1, [2]]
    assert info.config["3"] == [0, 1]
    assert "Run" in info.config["o"]
    writer.close()
    writer.close("again")
    writer.scalars({"x": 1}, 1, 1)
    assert Run(tmp_path / "run").info.status == "finished"
    assert Run(tmp_path / "run").tags() == []


def test_what_is_no_number_is_refused_before_anything_is_written(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for metrics, step in (({"a": 1.0, "b": "x"}, 1), ({"a": None}, 1), ({"a": 1.0}, 2**63)):
        with pytest.raises(ParameterError):
            writer.scalars(metrics, step, 0.0)
    assert Run(tmp_path / "run").tags() == []
    writer.close()


def test_foreign_directory_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    before = fingerprint(tmp_path)
    with pytest.raises(NotARun, match=r"thesis\.tex"):
        RunWriter(tmp_path)
    assert fingerprint(tmp_path) == before
    with pytest.raises(NotARun):
        Run(tmp_path)


def test_newer_schema_says_which_version_is_needed(tmp_path):
    path = small_run(tmp_path / "run")
    layout.write_json(path / "run.json", {**layout.read_json(path / "run.json"), "schema_version": 7})
    for opener in (Run, RunWriter):
        with pytest.raises(NewerSchema, match="version 7"):
            opener(path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"[" * 100_000, b'{"schema_version": "1"}', b"\xff\xfe"])
def test_unreadable_description(tmp_path, text):
    path = small_run(tmp_path / "run")
    (path / "run.json").write_bytes(text)
    with pytest.raises(RunUnreadable):
        Run(path)


def test_second_writer_is_refused_by_name(tmp_path):
    writer = RunWriter(tmp_path / "run")
    with pytest.raises(RunBusy, match=rf"run.*process {os.getpid()} on .*since \d{{4}}-"):
        RunWriter(tmp_path / "run")
    writer.close()
    RunWriter(tmp_path / "run").close()


def test_forked_children_write_nothing(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.scalars({"x": 1.0}, 1, 1.0)

    def child() -> None:
        writer.scalars({"x": 2.0}, 2, 2.0)
        writer.note("info", "child", 2)
        writer.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join()
    assert process.exitcode == 0
    with pytest.raises(RunBusy):
        RunWriter(tmp_path / "run")
    writer.scalars({"x": 3.0}, 3, 3.0)
    writer.close()
    assert Run(tmp_path / "run").scalars("x").values.tolist() == [1.0, 3.0]


def test_a_run_is_never_modified_by_reading(tmp_path):
    path = small_run(tmp_path / "run")
    places = [path, *path.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    before = fingerprint(path)
    run = Run(path)
    assert (run.info, run.segments(), run.layers(), run.notes(), run.checkpoints()) != ()
    assert run.probe() is None
    assert run.damage() == []
    assert len(run.layer_records("conv1")) == 3
    assert curve(run, "loss", smoothing=0.5).exact
    assert len(b"".join(export_csv(run, "loss")).splitlines()) == 4
    assert fingerprint(path) == before
    for place in places:
        place.chmod(0o755 if place.is_dir() else 0o644)


def test_many_tags_need_few_descriptors(tmp_path):
    writer = RunWriter(tmp_path / "run")
    tags = {f"tag {number}": float(number) for number in range(400)}
    for step in range(2):
        writer.scalars(tags, step, 1.0)
    open_files = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    assert open_files < 300
    run = Run(tmp_path / "run")
    assert all(run.scalars(tag).values.tolist() == [value, value] for tag, value in tags.items())
    writer.close()


def test_a_restart_takes_over_at_its_first_record(tmp_path):
    """Otherwise two trainings alternate, and the end of the one given up is shown as the latest."""
    for steps in (range(0, 1000, 100), range(350, 500, 50)):
        with contextlib.closing(RunWriter(tmp_path / "run")) as writer:
            writer.declare_layer(layer_meta())
            for step in steps:
                writer.layer_record("conv1", layer_record(step))
    run = Run(tmp_path / "run")
    expected = [0, 100, 200, 300, 350, 400, 450]
    assert [step for step, _ in run.layer_steps("conv1")] == expected
    assert [record.step for record in run.layer_records("conv1")] == expected
    assert run.layer_record("conv1").step == 450
    assert [place.step for place in run.layer_places()["conv1"]] == expected
    assert run.layer_places()["conv1"] is run.layer_places()["conv1"]


def test_records_are_read_at_their_places(tmp_path):
    with contextlib.closing(RunWriter(tmp_path / "run")) as writer:
        writer.declare_layer(layer_meta(bins=8))
        for step in range(5):
            writer.layer_record("conv1", layer_record(step))
    run = Run(tmp_path / "run")
    places = run.layer_places()["conv1"]
    whole, brief = (run.records_at("conv1", places[1:3], whole=whole) for whole in (True, False))
    assert list(whole) == list(brief) == places[1:3]
    for place in places[1:3]:
        same_record(whole[place], layer_record(place.step))
        for name in ("histogram", "maximum", "frequency", "stale_steps", "patches", "silent", "nonfinite", "calls"):
            np.testing.assert_array_equal(getattr(brief[place], name), getattr(whole[place], name))
        assert brief[place].neighbours.size == brief[place].patch_instances.size == 0
    assert run.records_at("conv1", [places[0]._replace(file=(1, 2, 3))], whole=True) == {}
