"""The subject of the digits demo: its first network, the validation images, and the checkpoints of its runs.

It is also an example of a subject file: a function ``subject()`` that returns a ``Subject``.
"""

from __future__ import annotations

import torch
from torch.utils.data import TensorDataset

from analysis import Subject
from analysis.demos import digits, trained

NETWORK = "digits-lenet"
SEED = 0  # of the demo's training


def subject() -> Subject:
    """What ``run.py serve --subject`` calls. Until the demo has been trained, the weights are those it starts from."""
    images, labels = digits.load_digits()
    _, held_out = digits.split(labels, per_class=500, seed=SEED)
    validation = TensorDataset(images[held_out], labels[held_out])
    torch.manual_seed(SEED)
    model = digits.lenet(**digits.NETWORKS[NETWORK][1])
    made = Subject(
        model, validation, name="LeNet on handwritten digits", class_names=[str(digit) for digit in range(10)]
    )
    [planned] = digits.plan(networks=(NETWORK,))
    return trained.put_into(made, planned)
