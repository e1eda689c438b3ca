"""Extraction of a real subject, through the session that the worker holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis import Subject
from analysis.extraction.extract import run_extraction
from analysis.extraction.reader import Extraction
from analysis.jobs.context import Cancelled
from analysis.subject.session import Session
from tests.extraction.standin import Context, files_of, pictures, small
from tests.models import zoo

N = 100


class Noisy(nn.Module):
    """Random in evaluation mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.body = small()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(nn.functional.dropout(x + torch.rand_like(x), 0.5, training=True))


def session_of(model: nn.Module, cache: Path, **more) -> Session:
    labels = torch.arange(N) % 3
    session = Session(Subject(model, torch.utils.data.TensorDataset(pictures(N), labels), batch_size=8, **more))
    session.cache = cache
    return session


def test_pictures_go_through(tmp_path: Path) -> None:
    with session_of(small(), tmp_path, always_include=[4]) as session:
        done = run_extraction(session, Context(), key="k", n=40, include=[2])
        found = Extraction(tmp_path / "extractions" / "k")
        assert (done["done"], found.kind, found.class_names) == (40, "image", session.class_names)
        assert np.bincount(found.labels).tolist() == [14, 13, 13]
        assert {2, 4} <= set(found.indices.tolist())
        assert (found.display(4) == session.display(4)).all()
        with torch.no_grad():
            logits = session.model(pictures(N)[found.indices.tolist()])
        assert found.logits == pytest.approx(logits.numpy(), abs=1e-5)


def test_a_random_model_gives_the_same_bytes_wherever_it_was_interrupted(tmp_path: Path) -> None:
    files = []
    for name, stops in (("whole", []), ("parts", [3, 6, 9])):
        with session_of(Noisy(), tmp_path) as session:
            for stop in stops:
                with pytest.raises(Cancelled):
                    run_extraction(session, Context(stop_after=stop), key=name, n=N)
                torch.rand(stop)
            run_extraction(session, Context(), key=name, n=N)
        files.append(files_of(tmp_path / "extractions" / name))
    assert files[0] == files[1]


def test_between_batches_the_model_carries_no_hooks(tmp_path: Path) -> None:
    """Then a more urgent job may use it."""
    with session_of(small(), tmp_path) as session:

        class Looking(Context):
            def breathe(self) -> None:
                super().breathe()
                assert not any(module._forward_hooks for module in session.model.modules())
                session.forward(session.batch([0, 1]))

        context = Looking()
        run_extraction(session, context, key="k", n=N)
        assert context.breaths == len(context.calls) > N // 8


def test_text_with_padding_goes_through(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 9, (50,), generator=generator).tolist()
    data = [(torch.randint(1, 20, (length,), generator=generator), length % 2) for length in lengths]
    with Session(Subject(zoo.lstm_text(), data, kind="text", batch_size=8)) as session:
        session.cache = tmp_path
        run_extraction(session, Context(), key="k", n=50)
        found = Extraction(tmp_path / "extractions" / "k")
        assert found.lengths("rnn").tolist() == lengths
        assert found.tokens(7) == session.tokens(7)


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
from analysis.extraction.extract import extract
from tests.extraction.standin import StandIn
class Made:
    def __len__(self): return 10_000
    def __getitem__(self, index): return torch.full((1, 32, 32), index / 10_000)
nn = torch.nn
model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8192, 3))
session = StandIn(model, Made(), kind="image", show=lambda index: np.zeros((32, 32, 3), np.uint8))
for n in (200, 2000):
    options = {"indices": range(n), "layers": session.layers, "batch_size": 16}
    extract(session, Path(sys.argv[1]) / str(n), **options)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number_of_instances(tmp_path: Path) -> None:
    """2,000 instances have 66 MB of activations and 6 MB of pictures; 10,000 are for benchmarks/layers_memory.py."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    few, many = map(int, done.stdout.split())
    assert many - few < 8 * 1024, done.stderr  # kB
