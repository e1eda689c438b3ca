"""Reading training passes thinly agrees with reading each with care, and leaves no hook where none is due."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import nn

from analysis.recording import layout
from analysis.recording.capture import Batch, Caught
from analysis.recording.pooled import Pooled
from analysis.recording.positions import draw
from analysis.recording.trace import Reading

from .conftest import SmallNet

SHAPES = {
    "image": (nn.Conv2d(1, 5, 1), (6, 5, 4, 3)),
    "time last": (nn.Conv1d(1, 5, 1), (6, 5, 7)),
    "time first": (nn.Linear(1, 5), (7, 6, 5)),
    "sequence": (nn.Linear(1, 5), (6, 7, 5)),
    "one position": (nn.Linear(1, 5), (6, 5)),
    "one pixel": (nn.Conv2d(1, 5, 1), (6, 5, 1, 1)),
}


@pytest.mark.parametrize("limit", [None, 3])
@pytest.mark.parametrize("patches", [1, 2])
@pytest.mark.parametrize("rectifier", ["relu", "abs", "softmax"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_patch_is_a_value_at_its_place(shape: str, rectifier: str, patches: int, limit: int | None) -> None:
    module, size = SHAPES[shape]
    generator = torch.Generator().manual_seed(0)
    pooled = Pooled(Reading("layer", module, module, "layer", rectifier))
    outputs = [torch.randn(size, generator=generator) for _ in range(3)]
    if len(size) == 4:
        outputs[1] = outputs[1].to(memory_format=torch.channels_last)
    for n, output in enumerate(outputs):
        pooled.take(output, Batch(6, lambda units, _: draw(units, patches, generator), 6 * n, limit))
    found = pooled.collect()
    seen = [layout.read(module, output, 6) for output in outputs]
    whole = torch.stack([s.values.movedim((s.row, s.unit), (0, -1)).reshape(6, -1, 5) for s in seen])
    if rectifier == "softmax":
        whole = whole.softmax(-1)
    whole = whole.flatten(0, 1)  # instances of all passes, positions, filters
    stride = 2 if limit else 1
    width = min(patches, whole.shape[1])
    assert torch.cat(found.instances).tolist() == [n for n in range(0, 18, stride) for _ in range(width)]
    axes = [torch.cat(parts) for parts in zip(*found.places, strict=True)]
    flat = torch.zeros(len(found.patches[0]), dtype=torch.int64)
    for axis, length in zip(axes, found.spatial, strict=True):
        flat = flat * length + axis
    torch.testing.assert_close(found.patches[0], whole[found.instances[0], flat])
    values = whole.abs() if rectifier == "abs" else whole
    torch.testing.assert_close(found.maxima[0], values[::stride].amax((0, 1)))
    assert pooled.collect().patches == []


def test_outputs_of_changing_shapes_and_kinds_are_pooled() -> None:
    module = nn.Conv2d(1, 2, 1)
    pooled = Pooled(Reading("layer", module, module, "layer", "relu"))
    generator = torch.Generator().manual_seed(0)
    outputs: list[Any] = [torch.randn(4, 2, 3, 3), torch.randn(4, 2, 5, 5), (torch.randn(4, 2, 3, 3),)]
    for n, output in enumerate([*outputs, outputs[0]]):
        pooled.take(output, Batch(4, lambda units, _: draw(units, 1, generator), 4 * n))
    found: Caught = pooled.collect()
    assert sorted(torch.cat(found.instances).tolist()) == list(range(16))
    assert found.calls == 4
    highest = torch.stack(found.maxima).amax(0)
    tensors = [*outputs[:2], outputs[2][0]]
    torch.testing.assert_close(highest, torch.stack([t.amax((0, 2, 3)) for t in tensors]).amax(0))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_instance_with_a_nan_counts_for_no_maximum(bad: float) -> None:
    module = nn.Conv2d(1, 2, 1)
    pooled = Pooled(Reading("layer", module, module, "layer", "relu"))
    output = torch.rand(3, 2, 4, 4)
    output[1, 0, 2, 2] = bad
    expected = torch.stack([output[[0, 2], 0].max(), output[:, 1].max()])
    for _ in range(2):
        pooled.take(output, Batch(3, lambda units, _: draw(units, 1, torch.Generator())))
    torch.testing.assert_close(pooled.collect().maxima[0], expected)
    output[:, 0, 0, 0] = bad
    pooled.take(output, Batch(3, lambda units, _: draw(units, 1, torch.Generator())))
    assert pooled.collect().maxima[0].isnan().tolist() == [True, False]


def test_no_hook_stays_between_records(make: Any, writer: Any) -> None:
    model = SmallNet()
    recorder = make(every=10)
    recorder.watch(model, sample_batches=True)
    hooks = []
    for step in range(41):
        model(torch.randn(2, 1, 8, 8))
        recorder.log({}, step)
        hooks.append(sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()))
    # On step 8 passes are counted again; on step 9 the pass of step 10 is waited for.
    assert [hooks[step] for step in (30, 31, 37, 38, 39, 40)] == [0, 0, 0, 1, 5, 0]
    recorder.record(41)
    assert writer.records["fc"][-1].patches == 2 * len(hooks[10::10])
    copy.deepcopy(model)
    torch.save(model, io.BytesIO())


def test_a_failing_hook_ends_the_recording_not_the_training(make: Any, writer: Any) -> None:
    model, broken = SmallNet(), []
    spoil = model.conv2.register_forward_hook(lambda *_: broken if broken else None)
    recorder = make()
    recorder.watch(model, sample_batches=True, pool=1)
    model(torch.randn(2, 1, 8, 8))
    recorder.log({}, 0)
    broken.append("no tensor")
    with pytest.raises(AttributeError):
        model(torch.randn(2, 1, 8, 8))
    with pytest.warns(RuntimeWarning, match="no longer recorded"):
        recorder.log({}, 1)
    spoil.remove()
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()) == 0
    recorder.log({}, 2)
    assert writer.notes[-1][0] == "warning"
