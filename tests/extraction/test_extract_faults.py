"""What goes wrong costs as little as it can, and says what it was."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.errors import NotFound
from analysis.extraction import shards
from analysis.extraction.choice import default_layers
from analysis.extraction.extract import extract, run_extraction
from analysis.extraction.faults import ExtractionError, OutOfMemory
from analysis.extraction.reader import Extraction
from analysis.jobs.context import Cancelled
from tests.extraction.fabricate import layer
from tests.extraction.standin import Context, StandIn, small, standin

N = 150


def run(session: StandIn, directory: Path, batch_size: int = 16) -> Extraction:
    extract(session, directory, indices=range(N), layers=session.layers, batch_size=batch_size)
    return Extraction(directory)


def raising(at: int, error: Callable[[], BaseException], times: int = 1 << 30) -> Callable[[np.ndarray], None]:
    left = [times]

    def before(indices: np.ndarray) -> None:
        if at in indices and left[0]:
            left[0] -= 1
            raise error()

    return before


def test_a_poison_shard_is_given_up_after_three_tries_and_the_others_are_kept(tmp_path: Path) -> None:
    session = standin(N, before=raising(100, lambda: RuntimeError("planted")))
    found = run(session, tmp_path)
    assert found.complete
    assert found.done == N - 64
    assert found.indices.tolist() == [*range(64), *range(128, 150)]
    [failure] = found.failed
    assert (failure["shard"], failure["batch"], failure["attempts"]) == (1, 6, 3)
    assert failure["message"] == "RuntimeError: planted [in batch 6 (instances 96 to 111)]"
    assert "in before" in failure["tail"]
    assert failure["indices"] == list(range(64, 128))
    assert sum(100 in batch for batch in session.passes) == 3
    assert not (tmp_path / "tries").exists()


def test_an_error_that_passes_costs_nothing(tmp_path: Path) -> None:
    found = run(standin(N, before=raising(100, lambda: RuntimeError("once"), times=2)), tmp_path)
    assert found.done == N
    assert found.failed == []


def test_a_shard_in_which_the_process_died_three_times_is_given_up(tmp_path: Path) -> None:
    session = standin(N)
    run(session, tmp_path)
    (tmp_path / shards.shard_file(1)).unlink()
    (tmp_path / "tries").write_bytes(b"1\n2\n=2\n1\n1\n-1\n1\n1")  # the last one of 2 was finished
    session.passes.clear()
    found = run(session, tmp_path)
    assert session.passes == []
    assert found.complete
    assert "ended 3 times" in found.failed[0]["message"]


def test_given_up_shards_are_tried_again_when_asked_for(tmp_path: Path) -> None:
    bad = standin(N, before=raising(100, lambda: RuntimeError("planted")), cache=tmp_path)
    assert run_extraction(bad, Context(), key="k", n=N)["failed"] == 64
    good = standin(N, cache=tmp_path)
    assert run_extraction(good, Context(), key="k", n=N)["failed"] == 64
    assert good.passes == []
    assert run_extraction(good, Context(), key="k", n=N, again=True)["failed"] == 0


def test_a_model_that_always_raises_says_so_soon(tmp_path: Path) -> None:
    session = standin(1000, before=raising(0, lambda: ValueError("no")))
    session.before = lambda indices: (_ for _ in ()).throw(ValueError(f"no {indices[0]}"))
    with pytest.raises(ExtractionError, match=r"ValueError: no 0 .*batch 0 .instances 0 to 15") as caught:
        extract(session, tmp_path, indices=range(1000), layers=session.layers, batch_size=16)
    assert len(session.passes) == 3
    assert "Traceback" in caught.value.tail
    assert not (tmp_path / "tries").exists()
    assert Extraction(tmp_path).settled == 0


def test_the_first_shards_may_fail(tmp_path: Path) -> None:
    def before(indices: np.ndarray) -> None:
        if indices[0] < 64:
            raise ValueError("the first ones")

    assert run(standin(N, before=before), tmp_path).done == N - 64


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        lambda: RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
        ),
        MemoryError,
    ],
)
def test_out_of_memory_names_the_batch_size(error: Callable[[], BaseException], tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory, match="batches of 16 instances") as caught:
        run(standin(N, before=raising(100, error)), tmp_path)
    assert caught.value.batch_size == 16
    assert Extraction(tmp_path).done == 64
    assert not (tmp_path / "tries").exists()


def test_corrupt_samples_are_skipped_counted_and_listed(tmp_path: Path) -> None:
    found = run(standin(N, corrupt=[5, 64, *range(80, 96)]), tmp_path)
    assert found.complete
    assert found.done == N - 18
    assert [index for index, _ in found.skipped] == [5, 64, *range(80, 96)]
    assert found.skipped[0][1] == "OSError: the file is damaged"
    assert found.row_of(5) is None
    assert found.row_of(6) == 5
    with pytest.raises(NotFound):
        found.display(5)


def test_a_shard_of_corrupt_samples_has_no_rows(tmp_path: Path) -> None:
    found = run(standin(N, corrupt=range(2, 128)), tmp_path)
    assert found.done == 24
    assert found.logits.shape == (24, 3)
    assert found.maximum("0").shape == (24, 5)


def test_data_that_cannot_be_read_at_all_are_an_error(tmp_path: Path) -> None:
    session = standin(N, cache=tmp_path)
    session._corrupt = set(range(N))
    with pytest.raises(ExtractionError, match="None of the 150 instances could be read: OSError"):
        run_extraction(session, Context(), key="k", n=N)


def test_an_instance_that_cannot_be_shown_has_its_statistics(tmp_path: Path) -> None:
    session = standin(N)
    session.show = lambda index: 1 // 0 if index == 3 else np.zeros((2, 2, 1), np.uint8)
    found = run(session, tmp_path)
    assert found.done == N
    with pytest.raises(NotFound):
        found.display(3)


def test_a_full_disk_is_no_fault_of_the_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = shards.write_shard

    def full(directory: Path, number: int, *rest, **more) -> None:
        if number == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(directory, number, *rest, **more)

    monkeypatch.setattr(shards, "write_shard", full)
    with pytest.raises(ExtractionError, match="No space left"):
        run(standin(N), tmp_path)
    assert Extraction(tmp_path).done == 64
    monkeypatch.undo()
    assert run(standin(N), tmp_path).done == N


def test_what_the_disk_cannot_hold_is_refused_after_the_first_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("analysis.extraction.extract.shutil.disk_usage", lambda _path: free)
    with pytest.raises(ExtractionError, match=r"needs .* GB more"):
        run(standin(N), tmp_path)


def test_a_cancel_keeps_what_is_finished_and_is_not_held_against_the_shard(tmp_path: Path) -> None:
    session = standin(N, cache=tmp_path, batch_size=16)
    with pytest.raises(Cancelled):
        run_extraction(session, Context(stop_after=7), key="k", n=N)
    directory = tmp_path / "extractions" / "k"
    assert Extraction(directory).done == 64
    assert not (directory / "tries").exists()
    context = Context()
    assert run_extraction(session, context, key="k", n=N)["done"] == N
    assert context.calls[0] == (64, N, "instances")
    assert context.calls[-1] == (N, N, "instances")
    assert context.breaths == len(context.calls)


def test_the_sample_includes_what_was_asked_for(tmp_path: Path) -> None:
    session = standin(N, cache=tmp_path)
    session.subject.always_include = (7,)
    found = run_extraction(session, Context(), key="k", n=30, include=[3])
    assert found == {"key": "k", "planned": 30, "done": 30, "skipped": 0, "failed": 0, "notices": []}
    assert {3, 7} <= set(Extraction(tmp_path / "extractions" / "k").indices.tolist())


def test_nan_and_infinity_are_kept(tmp_path: Path) -> None:
    instances = torch.zeros(4, 1, 12, 12)
    instances[1, 0, 4, 4] = torch.nan
    instances[2, 0, 4, 4] = torch.inf
    session = StandIn(small(), instances, [0, 0, 0, 1])
    extract(session, tmp_path, indices=range(4), layers=session.layers, batch_size=4)
    found = Extraction(tmp_path)
    assert np.isnan(found.maximum("0")).all(1).tolist() == [False, True, False, False]
    assert np.isinf(found.maximum("0")[2]).any()
    assert np.isnan(found.loss).tolist() == [False, True, True, False]
    assert np.isnan(found.confidence).tolist() == [False, True, True, False]


def test_missing_labels_have_no_loss(tmp_path: Path) -> None:
    session = StandIn(small(), torch.zeros(3, 1, 12, 12), [0, -1, 7])
    extract(session, tmp_path, indices=range(3), layers=session.layers, batch_size=4)
    assert np.isnan(Extraction(tmp_path).loss).tolist() == [False, True, True]


def test_no_layer_to_read_is_said(tmp_path: Path) -> None:
    session = standin(4)
    gone = layer("rare", "conv", 0, reason="not called for these inputs")
    with pytest.raises(ExtractionError, match="rare: not called"):
        extract(session, tmp_path, indices=range(4), layers=[gone], batch_size=4)


def test_too_many_filters_leave_the_deep_layers_out(tmp_path: Path) -> None:
    layers = [layer(f"l{n}", "linear", 30_000, order=n) for n in range(4)]
    chosen, left_out, notice = default_layers([*reversed(layers), layer("r", "conv", 0, order=-1, reason="not called")])
    assert [info.key for info in chosen] == ["l0", "l1"]
    assert [info.key for info in left_out] == ["r", "l2", "l3"]
    assert "60,000" in left_out[1].reason
    assert "first 2 of 4" in notice
    assert default_layers(layers[:1], most=10)[0] == layers[:1]
    directory = tmp_path / "e"
    shards.write_manifest(directory, shards.make_manifest(indices=[], layers=chosen, class_names=[], kind="image"))
    assert json.loads((directory / "manifest.json").read_text())["layers"][0]["key"] == "l0"
