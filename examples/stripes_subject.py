"""The subject of record_training.py: its network and 500 new pictures. The weights are those of the run's checkpoints.

From the root of the repository, after recording a training into runs/stripes:

    .venv/bin/python run.py serve runs --subject examples/stripes_subject.py
"""

import torch
from record_training import CLASSES, network, pictures
from torch.utils.data import TensorDataset

from analysis import Subject


def subject() -> Subject:
    """The model and the data to look at it with."""
    images, labels = pictures(500, torch.Generator().manual_seed(1))
    return Subject(network(), TensorDataset(images, labels), class_names=CLASSES)
