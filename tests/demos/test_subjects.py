"""The demos' subject files, opened as a user's are."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from analysis.demos import digits, digits_subject, imagenet_subject, registry, run, trained
from analysis.subject.loading import load_subject
from analysis.subject.session import Session


@pytest.fixture(scope="module")
def crops() -> imagenet_subject.Crops:
    return imagenet_subject.Crops()


def test_crops_are_square_parts_of_the_pictures(crops: imagenet_subject.Crops) -> None:
    assert len(crops) == 21 * len(imagenet_subject.PICTURES) == 336
    assert list(crops.columns) == ["picture", "scale", "left", "top", "side"]
    assert {len(column) for column in crops.columns.values()} == {336}
    for index in (0, 100, 335):
        name, _, left, top, side = crops.boxes[index]
        picture = crops.picture(name)
        assert left >= 0
        assert top >= 0
        assert left + side <= picture.width + 1e-6
        assert top + side <= picture.height + 1e-6
        image, label = crops[index]
        assert image.shape == (3, 224, 224)
        assert label == imagenet_subject.MISSING
        pixels = imagenet_subject.undo(image)
        assert 0 <= pixels.min() < pixels.max() <= 1 + 1e-6


def test_the_whole_picture_comes_first_and_looks_like_itself(crops: imagenet_subject.Crops) -> None:
    index = crops.columns["picture"].index("chelsea")
    assert crops.columns["scale"][index] == 1
    picture = crops.picture("chelsea")  # 451 x 300
    square = picture.crop((75, 0, 375, 300)).resize((224, 224))
    shown = imagenet_subject.undo(crops[index][0]).permute(1, 2, 0)
    assert np.abs(shown.numpy() - np.asarray(square) / 255).mean() < 0.02


def test_the_network_knows_a_cup_of_espresso(crops: imagenet_subject.Crops) -> None:
    model = imagenet_subject.network()
    assert sum(isinstance(module, nn.Conv2d) for module in model.modules()) == 49
    names = imagenet_subject.class_names()
    assert len(set(names)) == 1000
    index = crops.columns["picture"].index("coffee")
    with torch.no_grad():
        shares = model(crops[index][0][None]).softmax(1)[0]
    assert names[int(shares.argmax())] == "espresso"
    assert shares.max() > 0.9


def test_nothing_is_downloaded_and_packages_stay_unimported() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a connection')\n"
        "socket.socket.connect = refuse\n"
        "from pathlib import Path\n"
        "from analysis.demos.registry import DEMOS, subject_file\n"
        "from analysis.subject.loading import load_subject\n"
        "found = load_subject(subject_file(DEMOS[1]))\n"
        "print(len(found.dataset), 'skimage' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["336", "False"]


def test_the_digits_before_and_after_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(trained.DIRECTORY, raising=False)
    [planned] = digits.plan(epochs=1, images_per_class=100, networks=("digits-lenet",))
    before = digits_subject.subject()
    assert before.name == "LeNet on handwritten digits"
    assert "untrained" in before.weight_notes[0]
    assert len(before.dataset) == 1000
    start = before.model.state_dict()

    monkeypatch.setenv(trained.DIRECTORY, str(tmp_path))
    monkeypatch.setattr(digits, "plan", lambda **_: [planned])
    assert trained.weights_of(digits.plan()[0]) is None
    run.run_plan(_Quiet(), [planned], tmp_path)
    saved = trained.weights_of(digits.plan()[0])
    assert saved is not None
    assert saved.stem.endswith(str(planned.steps))
    after = digits_subject.subject()
    assert after.name == before.name
    assert not after.weight_notes
    assert not after.model.conv1.weight.equal(start["conv1.weight"])
    # A run of another configuration is not taken for the demo's.
    other = replace(planned, config={**planned.config, "epochs": 99})
    monkeypatch.setattr(digits, "plan", lambda **_: [other])
    assert trained.weights_of(digits.plan()[0]) is None


class _Quiet:
    cancelled = False

    def progress(self, *_args: object) -> None: ...


def test_validation_images_are_those_that_the_training_holds_out() -> None:
    images, labels = digits.load_digits()
    training, held_out = digits.split(labels, 500, 0)
    dataset = digits_subject.subject().dataset
    assert dataset.tensors[0].equal(images[held_out])
    assert dataset.tensors[1].equal(labels[held_out])
    assert not set(training.tolist()) & set(held_out.tolist())


@pytest.mark.parametrize("demo", [registry.get("digits"), registry.get("imagenet")], ids=lambda demo: demo.name)
def test_what_is_understood_of_them(demo: registry.Demo) -> None:
    path = registry.subject_file(demo)
    assert path
    session = Session(load_subject(path), device="cpu")
    assert session.kind == "image"
    layers = [info for info in session.layers if not info.reason]
    if demo.name == "digits":
        assert [info.key for info in layers] == ["conv1", "conv2", "fc1", "fc2"]
        assert np.bincount(session.labels()).tolist() == [100] * 10
    else:
        assert len(layers) == 50
        assert set(session.labels().tolist()) == {-1}
        shown = session.display(0)
        assert shown.shape == (224, 224, 3)
        assert shown.dtype == np.uint8
