"""A control: the network and the pictures of watermark.py, without any training. Nothing explains what it says."""

from __future__ import annotations

import torch

from analysis import Subject

try:
    from .watermark import CLASSES, data, network
except ImportError:  # opened as a subject file
    from watermark import CLASSES, data, network


def subject() -> Subject:
    """Random weights."""
    torch.manual_seed(5)
    return Subject(network(), data(), class_names=CLASSES)
