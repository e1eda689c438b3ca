"""The subject of the cancer demo: its network and the patients that it does not train on.

It is also an example of a table: columns with names, shown in their own units.
"""

from __future__ import annotations

from torch import Tensor
from torch.utils.data import TensorDataset

from analysis import Subject
from analysis.demos import cancer, trained


def undo(row: Tensor) -> Tensor:
    """From an input of the network, (30,), back to the measurements."""
    mean, deviation = cancer.scale()
    return row * deviation + mean


def subject() -> Subject:
    """What ``run.py serve --subject`` calls. Until the demo has been trained, the weights are those it starts from."""
    values, labels, names, classes = cancer.load()
    mean, deviation = cancer.scale()
    _, held_out = cancer.split(labels)
    made = Subject(
        cancer.start(),
        TensorDataset((values[held_out] - mean) / deviation, labels[held_out]),
        name="Dense layers on cell nuclei",
        kind="table",
        class_names=list(classes),
        feature_names=names,
        inverse_transform=undo,
        metadata={"patient": held_out.tolist()},
    )
    [planned] = cancer.plan()
    return trained.put_into(made, planned)
