"""A small subject whose model prints, for the tests of the worker."""

import torch
from safetensors.torch import save_file
from torch import nn

from analysis import Subject

COUNT = 300


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)
    )


def subject():
    torch.set_num_threads(1)
    model = network()
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(COUNT, 1, 12, 12, generator=generator)
    model(images[:1])
    labels = torch.arange(COUNT) % 3
    print("the subject's file was run")
    return Subject(model, list(zip(images, labels.tolist(), strict=True)), name="Small", always_include=(7,))


def checkpoint(path, seed=5):
    model = network(seed)
    model(torch.zeros(1, 1, 12, 12))
    save_file(model.state_dict(), str(path))
