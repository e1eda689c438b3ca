"""Two small runs with planted truths, an app that shows them, and one without runs or subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dash
import flask
import numpy as np
import pytest

from analysis.records import LayerMeta, LayerRecord
from analysis.store.writer import RunWriter
from dashboard.app import create_app
from dashboard.settings import Settings

from .attribution_stage import Explained

STEPS = 200
EVERY = 20
DEAD = 3  # of conv1, in both runs
TWIN = (1, 4)  # of conv1: phi = 1


def record(meta: LayerMeta, step: int, wall: float, rng: np.random.Generator) -> LayerRecord:
    """A record of 64 patches; filter DEAD never answers, the filters TWIN always answer alike."""
    filters, patches = meta.filters, 64
    values = rng.gamma(2.0, 1.0, (patches, filters))
    if meta.name == "conv1":
        values[:, DEAD] = 0
        values[:, TWIN[1]] = values[:, TWIN[0]]
    total = values.sum(1, keepdims=True)
    share = values / total
    logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
    perplexity = 2 ** -(share * logs).sum(1)
    top = values.max(0)
    small = np.minimum(values[:, :, None], values[:, None, :]).sum(0)
    large = np.maximum(values[:, :, None], values[:, None, :]).sum(0)
    phi = np.divide(small, large, out=np.full_like(small, np.nan), where=large > 0)
    np.fill_diagonal(phi, np.nan)
    best = np.argsort(-np.nan_to_num(phi, nan=-1), axis=1)[:, :2]
    tallies = np.abs(rng.normal(size=(filters, 3))).astype("f4")
    return LayerRecord(
        step=step,
        wall=wall,
        histogram=np.histogram(perplexity, meta.edges())[0],
        patches=patches,
        silent=0,
        nonfinite=0,
        maximum=top.astype("f4"),
        mean=values.mean(0).astype("f4"),
        frequency=(values > 0.5 * np.where(top > 0, top, np.inf)).mean(0).astype("f4"),
        active_share=(values > 0).mean(0).astype("f4"),
        peak=(top * 1.2).astype("f4"),
        stale_steps=np.where(top > 0, 0, -1),
        neighbours=best.astype("i4"),
        similarity=np.take_along_axis(phi, best, 1).astype("f4"),
        top_labels=np.tile(np.arange(3, dtype="i4"), (filters, 1)),
        top_tallies=tallies,
        tally_total=tallies.sum(1),
        tally_perplexity=np.full(filters, 2.0, "f4"),
    )


def write_run(path: Path, name: str, *, filters: int = 6, steps: int = STEPS, close: bool = True) -> RunWriter:
    """A run with loss, accuracy (both splits), epoch, one NaN at step 150, and two layers."""
    rng = np.random.default_rng(filters)
    writer = RunWriter(path, {"lr": 0.001, "filters": filters}, name)
    conv = LayerMeta("conv1", "conv", "Conv2d", filters, 0, read_after="conv1", spatial=(8, 8), parameters=60)
    dense = LayerMeta("fc", "linear", "Linear", 3, 1, rectifier="softmax", output=True, parameters=30)
    for meta in (conv, dense):
        writer.declare_layer(meta)
    writer.probe(
        {"inputs": rng.random((4, 1, 10, 10), dtype="f4"), "labels": np.arange(4) % 3},
        {"class_names": ["zero", "<b>one</b>", "two"]},
    )
    start = 1_700_000_000.0
    for step in range(1, steps + 1):
        loss = 2.0 * np.exp(-step / 50) + 0.1
        values = {
            "train/loss": loss if step != 150 else float("nan"),
            "train/accuracy": 1 - loss / 3,
            "epoch": step / 40,
        }
        if step % 40 == 0:
            values |= {"validation/loss": loss * 1.2, "validation/accuracy": 1 - loss / 2.5}
        writer.scalars(values, step, start + step)
        if step % EVERY == 0:
            for meta in (conv, dense):
                writer.layer_record(meta.name, record(meta, step, start + step, rng))
    if close:
        writer.close()
    return writer


@pytest.fixture(scope="session")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the runs 'Wide' and 'Narrow'."""
    root = tmp_path_factory.mktemp("runs")
    write_run(root / "wide", "Wide", filters=6)
    write_run(root / "narrow", "Narrow", filters=5)
    return root


@pytest.fixture(scope="session")
def app(runs_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dash.Dash:
    return create_app(Settings(roots=(runs_dir,), workspace=tmp_path_factory.mktemp("workspace")))


@pytest.fixture
def request_context(app: dash.Dash) -> Iterator[flask.ctx.RequestContext]:
    with app.server.test_request_context("/") as context:
        yield context


@pytest.fixture
def ids(app: dash.Dash) -> dict[str, str]:
    """Run name -> id."""
    return {info.name: info.id for info in app.server.extensions["cutaway"].index.list()}


@pytest.fixture(scope="module")
def bare_app(tmp_path_factory: pytest.TempPathFactory) -> dash.Dash:
    """An app without runs or a subject; tests put one in place, each of a name of its own."""
    return create_app(Settings(roots=(), workspace=tmp_path_factory.mktemp("workspace")))


@pytest.fixture
def bare_request(bare_app: dash.Dash) -> Iterator[None]:
    """Inside a request to it."""
    with bare_app.server.test_request_context("/"):
        yield


@pytest.fixture
def put(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Callable[..., Any]:
    """Puts a made-up subject of a class in place, inside a request; further arguments are those of the class."""
    return lambda kind, *given, **how: kind(bare_app, *given, name=request.node.nodeid, **how).install(monkeypatch)


@pytest.fixture
def made(put: Callable[..., Any]) -> Explained:
    """A subject with made-up attributions, inside a request."""
    return put(Explained)
