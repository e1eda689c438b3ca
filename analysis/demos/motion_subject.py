"""The subject of the motion demo: its network, and all windows of the three people that it does not train on.

It is also an example of a series with several channels and a sampling rate.
"""

from __future__ import annotations

from torch import Tensor
from torch.utils.data import TensorDataset

from analysis import Subject
from analysis.demos import motion, trained


def undo(series: Tensor) -> Tensor:
    """From an input of the network, (steps, 6), back to the units of the recording."""
    mean, deviation = motion.scale()
    return series * deviation + mean


def subject() -> Subject:
    """What ``run.py serve --subject`` calls. Until the demo has been trained, the weights are those it starts from."""
    mean, deviation = motion.scale()
    windows = motion.windows(held_out=True)
    made = Subject(
        motion.start(),
        TensorDataset((windows.values - mean) / deviation, windows.labels),
        name="GRU on a watch's motion",
        kind="series",
        class_names=motion.names(),
        feature_names=motion.channels(),
        sampling_rate=motion.RATE,
        inverse_transform=undo,
        metadata={
            "person": windows.person,
            "side": windows.side,
            "recording": windows.recording,
            "starts at (s)": windows.start,
        },
    )
    [planned] = motion.plan()
    return trained.put_into(made, planned)
