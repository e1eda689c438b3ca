"""The subject of the digits demo: its first network, the validation images, and the checkpoints of its runs.

It is also an example of a subject file: a function ``subject()`` that returns a ``Subject``.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch.utils.data import TensorDataset

from analysis import Subject
from analysis.demos import digits, run
from analysis.models.checkpoints import load_checkpoint

DIRECTORY = "CUTAWAY_DEMOS"  # environment variable: where the demo's runs are
NETWORK = "digits-lenet"
SEED = 0  # of the demo's training
UNTRAINED = "The subject's own weights are untrained until the demo has run and the server is restarted: "
UNTRAINED += "choose a checkpoint at the top."


def weights() -> Path | None:
    """The last checkpoint of the newest finished run of the demo; None if it has not been trained yet."""
    [planned] = digits.plan(networks=(NETWORK,))
    folder = os.environ.get(DIRECTORY)
    found = run.find_finished(Path(folder), planned) if folder else None
    saved = found.checkpoints() if found else []
    return found.checkpoint_path(saved[-1].name) if found and saved else None


def subject() -> Subject:
    """What ``run.py serve --subject`` calls. Until the demo has been trained, the weights are those it starts from."""
    images, labels = digits.load_digits()
    _, held_out = digits.split(labels, per_class=500, seed=SEED)
    validation = TensorDataset(images[held_out], labels[held_out])
    torch.manual_seed(SEED)
    model = digits.lenet(**digits.NETWORKS[NETWORK][1])
    trained = weights()
    if trained:
        model.load_state_dict(load_checkpoint(trained).tensors)
    made = Subject(
        model, validation, name="LeNet on handwritten digits", class_names=[str(digit) for digit in range(10)]
    )
    if not trained:
        made.notes.append(UNTRAINED)
    return made
