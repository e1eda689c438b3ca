"""Extractions are read while they grow, in the web process too; their files are what any safetensors reader takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from analysis.errors import NotFound
from analysis.extraction import reader, shards
from analysis.extraction.reader import Extraction, top_share
from analysis.kept import Kept
from tests.extraction.fabricate import PLANTED, fabricate, layer


def test_rows_are_those_of_finished_shards_in_order(tmp_path: Path) -> None:
    truth = fabricate(tmp_path, n=200, only=[0, 3])
    found = Extraction(tmp_path)
    rows = [*range(64), *range(192, 200)]
    assert (found.planned, found.done, found.settled, found.complete) == (200, 72, 72, False)
    assert found.indices.tolist() == truth["indices"][rows].tolist()
    assert found.labels.tolist() == truth["labels"][rows].tolist()
    assert found.predictions.tolist() == truth["predictions"][rows].tolist()
    assert found.correct.tolist() == (truth["predictions"] == truth["labels"])[rows].tolist()
    assert found.maximum("conv1").shape == (72, 20)
    assert found.row_of(truth["indices"][192]) == 64
    assert found.row_of(truth["indices"][100]) is None
    assert found.rows_of(truth["indices"][[192, 100, 0]]).tolist() == [64, 0]


def test_it_grows(tmp_path: Path) -> None:
    fabricate(tmp_path, n=200, only=[1])
    first = Extraction(tmp_path).maximum("fc1")
    fabricate(tmp_path, n=200, only=[0])
    second = Extraction(tmp_path).maximum("fc1")
    assert len(second) == 128
    assert (second[64:] == first).all()


def test_planted_filters_are_there(tmp_path: Path) -> None:
    truth = fabricate(tmp_path)
    top = Extraction(tmp_path).maximum("conv2")
    first, second = PLANTED["duplicate"]
    assert (top[:, PLANTED["dead"]] == 0).all()
    assert (top[:, PLANTED["always_on"]] > 1.9).all()
    assert (top[:, first] == top[:, second]).all()
    assert ((top[:, PLANTED["class_specific"]] > 0) == (truth["labels"] == PLANTED["of_class"])).all()


@pytest.mark.parametrize(
    ("kind", "shape", "dtype"),
    [
        ("image", (28, 28, 1), "uint8"),
        ("image", (32, 32, 3), "uint8"),
        ("series", (3, 50), "float32"),
        ("table", (8,), "float32"),
    ],
)
def test_instances_are_shown_as_they_are(kind: str, shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    truth = fabricate(tmp_path, n=70, kind=kind, shape=shape, layers=[layer("fc", "linear", 12)])
    shown = Extraction(tmp_path).display(truth["indices"][69])
    assert (shown.shape, shown.dtype.name) == (shape, dtype)
    with pytest.raises(NotFound):
        Extraction(tmp_path).display(10_000)


def test_text_has_tokens(tmp_path: Path) -> None:
    truth = fabricate(tmp_path, n=10, kind="text", layers=[layer("fc", "linear", 12)])
    assert len(Extraction(tmp_path).tokens(truth["indices"][0])) == 12


def test_failed_shards_and_skipped_instances_are_listed(tmp_path: Path) -> None:
    truth = fabricate(tmp_path, n=200, failed=[1], skipped=[3])
    found = Extraction(tmp_path)
    assert found.complete
    assert (found.done, found.settled) == (135, 200)
    assert found.skipped == [[truth["indices"][3], "OSError: the file is damaged"]]
    assert found.failed[0]["indices"] == truth["indices"][64:128].tolist()


def test_before_the_first_shard_there_are_no_rows(tmp_path: Path) -> None:
    fabricate(tmp_path, only=[])
    found = Extraction(tmp_path)
    assert found.maximum("conv1").shape == found.where("conv1").shape == (0, 20)
    assert found.logits.shape == (0, 10)
    assert found.confidence.shape == found.predictions.shape == (0,)
    assert found.lengths("conv1") is None


def test_where_of_a_layer_without_positions_is_zero(tmp_path: Path) -> None:
    fabricate(tmp_path)
    assert not Extraction(tmp_path).where("fc1").any()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 99}'])
def test_no_manifest_no_extraction(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(NotFound):
        Extraction(tmp_path)


def test_an_unknown_layer_is_not_found(tmp_path: Path) -> None:
    fabricate(tmp_path)
    with pytest.raises(NotFound, match="'nosuch'"):
        Extraction(tmp_path).maximum("nosuch")


def test_few_arrays_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_KEPT", Kept(100_000))
    fabricate(tmp_path, n=200)
    found = Extraction(tmp_path)
    first = found.maximum("fc1")
    assert Extraction(tmp_path).maximum("fc1") is first
    assert not first.flags.writeable
    assert found.mean("fc1") is first  # without positions they are the same
    found.mean("conv2")
    assert found.maximum("fc1") is not first
    assert reader._KEPT._bytes <= 100_000


def test_shares_of_the_prediction() -> None:
    logits = np.array([[0, np.log(3)], [np.nan, 0], [-np.inf, 0], [np.inf, 0]], np.float32)
    assert top_share(logits) == pytest.approx([0.75, np.nan, 1, np.nan], nan_ok=True)
    assert top_share(np.array([[np.log(3)], [-np.log(3)]], np.float32)) == pytest.approx([0.75, 0.75])


@pytest.mark.parametrize("way", ["at once", "as a stream"])
def test_files_are_ordinary_safetensors_and_always_the_same(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        'max/a "quoted" ü': rng.random((3, 4)).astype(np.float32),
        "index": np.arange(3),
        "bytes": np.arange(5, dtype=np.uint8),
        "transposed": rng.random((4, 3)).astype(np.float32).T,
        "empty": np.zeros((0, 7), np.float32),
    }
    for name in ("one", "two"):
        if way == "at once":
            shards.write_tensors(tmp_path / name, arrays, {"skipped": []})
        else:
            with shards.Stream(tmp_path / name, list(arrays)) as stream:
                for key, array in arrays.items():
                    stream.add(key, array)
    read = load_file(tmp_path / "one")
    assert sorted(read) == sorted(arrays)
    assert all((read[name] == array).all() and read[name].dtype == array.dtype for name, array in arrays.items())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_stream_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    def break_off() -> None:
        with shards.Stream(tmp_path / "one", ["a"]) as stream:
            stream.add("a", np.zeros(3, np.float32))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_reading_imports_no_torch() -> None:
    code = (
        "import sys; import analysis.extraction.reader, analysis.extraction.sample, analysis.extraction.choice, "
        "analysis.extraction.faults, analysis.extraction.shards; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
