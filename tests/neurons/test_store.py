"""Tables in one piece, read as memory maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from analysis.errors import NotFound
from analysis.neurons.store import mapped
from analysis.results import Answers, key_of
from tests.layers.desk import open_desk


def test_a_mapped_array_equals_the_one_that_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.integers(0, 9, 3).astype(np.uint8),
        "values": rng.standard_normal((40, 7)).astype(np.float32),
        "index": np.arange(40),
        "none": np.zeros((0, 4), np.float32),
        "double": rng.standard_normal(5),
    }
    answer = Answers(tmp_path).put(key_of(a=1), {}, arrays)
    for name, array in arrays.items():
        found = mapped(answer, name)
        assert np.array_equal(found, array)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.size == 0 or (isinstance(found, np.memmap) and not found.flags.writeable)


def test_a_table_that_is_not_there_or_damaged_is_said(tmp_path: Path) -> None:
    answer = Answers(tmp_path).put(key_of(a=1), {}, {"values": np.ones((100, 3), np.float32)})
    with pytest.raises(NotFound, match="'other'"):
        mapped(answer, "other")
    path = answer.path / "arrays.safetensors"
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole[:4], b"", b"\xff" * 200):
        path.write_bytes(damaged)
        with pytest.raises(NotFound, match="cannot be read"):
            mapped(answer)


def test_the_table_of_a_layer_holds_what_the_extraction_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    data = [(torch.randn(1, 8, 8), n % 3) for n in range(70)]
    desk = open_desk(model, data, tmp_path)
    extraction = desk.extraction()
    for layer in ("0", "3"):
        answer = desk.ask("neuron_table", layer=layer)
        assert np.array_equal(mapped(answer), extraction.mean(layer))
        assert np.array_equal(mapped(answer, "index"), extraction.indices)
        assert answer.json["n"] == 70
    assert "positions" in desk.ask("neuron_table", layer="0").json["scale"]
    with pytest.raises(NotFound):
        desk.ask("neuron_table", layer="nothing")
