"""What is read of a layer: planted filters, layouts, order, and layers that are hard to read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .conftest import SmallNet


def record(make: Any, writer: Any, model: nn.Module, probe: Any, **options: Any) -> Any:
    """The writer after two records."""
    recorder = make()
    recorder.watch(model, probe=probe, **options)
    recorder.log({}, 0)
    recorder.log({}, 5)
    recorder.close()
    return writer


def test_planted_filters_are_found(make: Any, writer: Any, images: Any, labels: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 5))
    with torch.no_grad():
        model[0].weight[2], model[0].bias[2] = 0.0, -1.0
        model[0].bias[5] = 50.0
        model[0].weight[6], model[0].bias[6] = model[0].weight[1], model[0].bias[1]
    found = record(make, writer, model, (images, labels)).records["0"][-1]
    assert found.maximum[2] == found.active_share[2] == found.frequency[2] == found.mean[2] == 0
    assert found.stale_steps.tolist().index(-1) == 2
    assert (found.stale_steps < 0).sum() == 1
    assert found.active_share[5] == found.frequency[5] == 1
    assert found.neighbours[1, 0] == 6
    assert found.similarity[1, 0] == 1
    assert found.similarity[2].max() < 1e-6
    assert np.isnan(found.tally_perplexity[2])
    assert found.patches == 12 * 8
    assert found.histogram.sum() + found.silent + found.nonfinite == found.patches


def test_record_agrees_with_the_whole_activation(make: Any, writer: Any, images: Any, labels: Any) -> None:
    model = SmallNet().eval()
    record(make, writer, model, (images, labels), batch_size=5, patches_per_instance=1000, include=["conv2", "fc"])
    with torch.no_grad():
        hidden = model.conv2(model.norm(model.conv1(images)).relu())
        output = model.fc(hidden.relu().flatten(1)).softmax(1)
    found, last = writer.records["conv2"][0], writer.records["fc"][0]
    patches = hidden.relu().movedim(1, -1).reshape(-1, 6)
    np.testing.assert_allclose(found.maximum, patches.amax(0), rtol=1e-5)
    np.testing.assert_allclose(found.mean, patches.mean(0), rtol=1e-4)
    np.testing.assert_allclose(found.frequency, (patches > 0.5 * patches.amax(0)).float().mean(0), atol=1e-5)
    np.testing.assert_allclose(last.mean, output.mean(0), rtol=1e-4)
    assert found.patches == 12 * 16
    assert sorted(map(tuple, found.patch_positions.tolist())) == sorted(
        (y, x) for y in range(4) for x in range(4) for _ in range(12)
    )
    tally = torch.zeros(5, 6).index_add_(0, labels.repeat_interleave(16), patches)
    np.testing.assert_allclose(found.top_tallies, tally.topk(5, dim=0).values.T, rtol=1e-4)
    assert found.top_labels.tolist() == tally.topk(5, dim=0).indices.T.tolist()


def test_where_and_how_layers_are_read(make: Any, writer: Any, images: Any, labels: Any) -> None:
    class Net(SmallNet):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Linear(5, 5)

        def forward(self, x: torch.Tensor) -> Any:
            x = torch.tanh(F.max_pool2d(self.conv2(F.relu(self.norm(self.conv1(x)))), 1))
            return {"aux": x, "logits": F.log_softmax(self.gate(self.fc(x.flatten(1)).sigmoid()), dim=1)}

    metas = record(make, writer, Net(), (images, labels)).metas
    read = {name: (meta.read_after, meta.rectifier, meta.output, meta.order) for name, meta in metas.items()}
    assert read == {
        "conv1": ("norm", "relu", False, 0),
        "conv2": ("conv2", "abs", False, 1),
        "fc": ("fc", "abs", False, 2),
        "gate": ("gate", "softmax", True, 3),
    }
    assert metas["conv1"].spatial == (6, 6)
    assert metas["fc"].spatial == ()
    assert (metas["fc"].kind, metas["fc"].type, metas["fc"].parameters) == ("linear", "Linear", 96 * 5 + 5)


def test_normalisation_of_a_shared_tensor_is_not_read(make: Any, writer: Any, images: Any) -> None:
    class Residual(SmallNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv1(x)
            return self.fc(self.conv2(self.norm(x) + x).relu().flatten(1))

    assert record(make, writer, Residual(), images).metas["conv1"].read_after == "conv1"


@pytest.mark.parametrize("sampled", [False, True])
def test_in_place_activation(make: Any, writer: Any, images: Any, sampled: bool) -> None:
    found = []
    for inplace in (False, True):
        torch.manual_seed(0)
        writer.records.clear()
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.Hardtanh(-1, 0.1, inplace=inplace), nn.Flatten(), nn.Linear(144, 6), nn.ReLU(inplace)
        )
        recorder = make()
        recorder.watch(model, **({"sample_batches": True, "pool": 1} if sampled else {"probe": images}))
        for step in range(2):
            model(images)
            recorder.log({}, step)
        assert writer.metas["3"].output is False
        found.append(writer.records["0"][-1])
    assert found[0].maximum.max() > 0.1
    for name in ("maximum", "mean", "histogram", "similarity"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_reused_and_uncalled_layers(make: Any, writer: Any, images: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.twice, self.never, self.norm = nn.Linear(64, 64), nn.Linear(3, 3), nn.LayerNorm(64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.twice(self.norm(self.twice(x.flatten(1)))).relu()

    record(make, writer, Net(), images, batch_size=5)
    found = writer.records["twice"][0]
    assert (found.calls, found.patches) == (2, 24)
    assert writer.metas["twice"].read_after == "twice"
    assert "never" not in writer.records
    assert writer.notes == [("warning", "The layer 'never' was not called for these inputs.", 0)]


def test_positions_stay_and_are_written_once(make: Any, writer: Any, images: Any) -> None:
    first, second = record(make, writer, SmallNet(), images, batch_size=7).records["conv1"]
    assert first.patch_positions.shape == (96, 2)
    assert first.patch_instances.tolist() == np.arange(12).repeat(8).tolist()
    assert second.patch_instances.size == second.patch_positions.size == 0
    np.testing.assert_array_equal(first.histogram, second.histogram)


class Sequence(nn.Module):
    """An LSTM, packed or not, with a dense layer at every time step."""

    def __init__(self, batch_first: bool, packed: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 7, batch_first=batch_first, bidirectional=True)
        self.head = nn.Linear(14, 4)
        self.batch_first, self.packed = batch_first, packed

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, Any]:
        x = x if self.batch_first else x.transpose(0, 1)
        if self.packed:
            x = pack_padded_sequence(x, lengths, batch_first=self.batch_first, enforce_sorted=False)
        x, state = self.lstm(x)
        if self.packed:
            x, _ = pad_packed_sequence(x, batch_first=self.batch_first)
        return self.head(x), state


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_recurrent(make: Any, writer: Any, batch_first: bool, packed: bool) -> None:
    inputs, lengths = torch.randn(9, 6, 3), torch.tensor([6, 1, 2, 3, 4, 5, 6, 2, 1])
    model = Sequence(batch_first, packed)
    record(make, writer, model, ({"x": inputs, "lengths": lengths}, None), patches_per_instance=6)
    found, meta = writer.records["lstm"][0], writer.metas["lstm"]
    assert (meta.filters, meta.kind, meta.rectifier, meta.spatial) == (14, "recurrent", "abs", (6,))
    with torch.no_grad():
        hidden = _hidden(model, inputs, lengths)
    valid = torch.arange(6) < (lengths if packed else torch.full((9,), 6))[:, None]
    assert found.patches == int(valid.sum())
    np.testing.assert_allclose(found.mean, hidden[valid].abs().mean(0), rtol=1e-4)
    assert bool(valid[found.patch_instances, found.patch_positions[:, 0]].all())
    assert writer.metas["head"].spatial == (6,)
    assert writer.metas["head"].rectifier == "softmax"
    assert found.top_labels.shape == (14, 0)


def _hidden(model: Sequence, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False) if model.packed else None
    model.lstm.batch_first = True
    hidden = model.lstm(inputs if packed is None else packed)[0]
    return hidden if packed is None else pad_packed_sequence(hidden, batch_first=True)[0]


def test_cells_count_every_call(make: Any, writer: Any) -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTMCell(3, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state = None
            for t in range(4):
                state = self.cell(x[:, t], state)
            return state[0]

    found = record(make, writer, Loop(), torch.randn(6, 4, 3)).records["cell"][0]
    assert (found.calls, found.patches, found.maximum.shape) == (4, 24, (5,))


def test_half_precision(make: Any, writer: Any, images: Any, labels: Any) -> None:
    model = SmallNet().bfloat16()
    found = record(make, writer, model, (images.bfloat16(), labels)).records
    assert all(np.isfinite(r.mean).all() and r.nonfinite == 0 for rs in found.values() for r in rs)
    assert writer.probes[0][0]["inputs"].dtype == np.float32


def test_not_a_number(make: Any, writer: Any, images: Any, labels: Any) -> None:
    model = SmallNet()
    with torch.no_grad():
        model.conv2.weight[3] = torch.nan
    found = record(make, writer, model, (images, labels)).records
    assert found["conv1"][0].nonfinite == 0
    assert found["conv2"][0].nonfinite == found["conv2"][0].patches == 96
    assert np.isnan(found["conv2"][0].maximum).tolist() == [False, False, False, True, False, False]
    assert np.isnan(found["conv2"][0].mean).all()
    assert found["conv2"][0].stale_steps[3] == -1


def test_any_module_can_be_named(make: Any, writer: Any, images: Any) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    record(make, writer, model, images, include=["1", "3"])
    assert {name: meta.kind for name, meta in writer.metas.items()} == {"1": "other", "3": "linear"}
    assert writer.metas["1"].spatial == (6, 6)


def test_attention_is_left_out(make: Any, writer: Any) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    record(make, writer, nn.Sequential(nn.Linear(3, 8), layer), torch.randn(4, 5, 3))
    assert set(writer.records) == {"0", "1.linear1", "1.linear2"}


def test_training_batches_are_pooled_with_labels_and_ids(make: Any, writer: Any) -> None:
    model = SmallNet()
    recorder = make()
    recorder.watch(model, sample_batches=True, pool=4, class_names=list("abcde"))
    data = torch.randn(9, 6, 1, 8, 8)
    for step in range(9):
        model(data[step])
        recorder.batch(labels=torch.full((6,), step % 5), instance_ids=torch.arange(6) + 10 * step)
        with torch.no_grad():
            model.eval()(data[0])
        model.train()
        recorder.log({}, step)
    steps = [record.step for record in writer.records["conv1"]]
    assert steps == [1, 5]
    pooled = writer.records["conv1"][1]
    assert pooled.patches == 24
    assert set(pooled.patch_instances.tolist()) == {10 * step + i for step in (2, 3, 4, 5) for i in range(6)}
    assert set(pooled.top_labels.flatten().tolist()) <= {-1, 0, 1, 2, 3, 4}
    assert pooled.tally_total.max() > 0
    assert writer.metas["conv1"].read_after == "norm"
    recorder.record(8)
    assert writer.records["conv1"][2].patches == 18


def test_accumulated_batches_read_the_last_pass(make: Any, writer: Any) -> None:
    model = SmallNet()
    recorder = make()
    recorder.watch(model, sample_batches=True, pool=1)
    for step in range(4):
        for part in range(3):
            model(torch.randn(4, 1, 8, 8))
            recorder.batch(instance_ids=torch.full((4,), 100 * step + part))
        recorder.log({}, step)
    assert [set(r.patch_instances.tolist()) for r in writer.records["fc"]] == [{102}, {202}, {302}]
