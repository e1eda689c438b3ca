"""The filter map against slow loops, with planted duplicates and silent filters, few and very many filters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.layers import filter_map as asked
from tests.layers.desk import Context


def answer(activation: np.ndarray, labels: np.ndarray) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    patches = SimpleNamespace(json={"random_state": 0}, array={"activation": activation, "label": labels}.__getitem__)
    info = SimpleNamespace(reason="", filters=activation.shape[1])
    session = SimpleNamespace(infos=lambda _keys: [info], ask=lambda *_question, **_parameters: patches)
    return asked.filter_map(session, Context(), layer="x")


def made(filters: int, patches: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 4, patches)
    likes = np.arange(filters) % 4
    values = np.maximum(rng.normal(-0.3, 1, (patches, filters)) + 1.5 * (labels[:, None] == likes), 0)
    values = values.astype(np.float32)
    if filters > 6:
        values[:, 5] = values[:, 2]
        values[:, 6] = 0
    return values, labels


@pytest.mark.parametrize("filters", [12, 40])
def test_phi_tallies_and_neighbours_agree_with_slow_loops(filters: int) -> None:
    values, labels = made(filters)
    told, arrays = answer(values, labels)
    assert told["labelled"] == (labels >= 0).sum()
    for i in range(filters):
        slow = {}
        for j in range(filters):
            least, most = np.minimum(values[:, i], values[:, j]).sum(), np.maximum(values[:, i], values[:, j]).sum()
            if j != i and most > 0 and 6 not in (i, j):
                slow[j] = least / most
        ranked = sorted(slow.values(), reverse=True)[:8]
        kept = arrays["neighbours"][i] >= 0
        assert np.allclose(arrays["phi"][i][kept], ranked, atol=1e-4)
        for j, phi in zip(arrays["neighbours"][i][kept], arrays["phi"][i][kept], strict=True):
            assert slow[int(j)] == pytest.approx(float(phi), abs=1e-4)
        tally = {c: float(values[labels == c, i].sum()) for c in range(4)}
        for label, mass in zip(arrays["tally_labels"][i], arrays["tally"][i], strict=True):
            if label >= 0:
                assert mass == pytest.approx(tally[int(label)], rel=1e-4)
        if i != 6:
            share = np.array(list(tally.values())) / sum(tally.values())
            assert arrays["tally_total"][i] == pytest.approx(sum(tally.values()), rel=1e-4)
            assert arrays["tally_perplexity"][i] == pytest.approx(2 ** -(share * np.log2(share)).sum(), rel=1e-4)


def test_planted_duplicates_are_neighbours_on_the_map_and_in_the_order() -> None:
    values, labels = made(40)
    told, arrays = answer(values, labels)
    assert (told["method"], told["order"]) == ("umap", "optimal")
    assert (arrays["neighbours"][2, 0], arrays["neighbours"][5, 0]) == (5, 2)
    assert arrays["phi"][2, 0] == pytest.approx(1)
    order = arrays["order"].tolist()
    assert sorted(order) == list(range(40))
    assert abs(order.index(2) - order.index(5)) == 1
    apart = np.linalg.norm(arrays["xy"] - arrays["xy"][2], axis=1)
    assert np.argsort(apart)[1] == 5 or apart[5] < np.median(apart) / 3


def test_silent_filters_have_no_neighbours_come_last_and_stand_below() -> None:
    values, labels = made(40)
    values[:, 20] = 0
    _, arrays = answer(values, labels)
    assert np.flatnonzero(arrays["silent"]).tolist() == [6, 20]
    assert arrays["order"][-2:].tolist() == [6, 20]
    assert (arrays["neighbours"][[6, 20]] == -1).all()
    assert np.isnan(arrays["phi"][6]).all()
    assert np.isnan(arrays["tally_perplexity"][6])
    assert arrays["xy"][[6, 20], 1].max() < arrays["xy"][~arrays["silent"], 1].min()
    assert np.isfinite(arrays["xy"]).all()


@pytest.mark.parametrize("filters", [1, 2, 3])
def test_layers_of_few_filters(filters: int) -> None:
    values, labels = made(filters)
    told, arrays = answer(values, labels)
    assert told["method"] == "mds"
    assert arrays["xy"].shape == (filters, 2)
    assert (arrays["neighbours"] >= 0).sum() == filters * (filters - 1)


def test_nothing_active_no_labels_and_damaged_patches() -> None:
    _, arrays = answer(np.zeros((50, 9), np.float32), np.full(50, -1))
    assert arrays["silent"].all()
    assert np.isfinite(arrays["xy"]).all()
    assert (arrays["tally_labels"] == -1).all()
    values, labels = made(9)
    values[3, 1] = np.nan
    told, arrays = answer(values, labels)
    assert told["of"] == 299
    assert np.isfinite(arrays["maximum"]).all()
    _, arrays = answer(np.full((20, 9), np.nan, np.float32), np.zeros(20, int))
    assert np.isnan(arrays["frequency"]).all()


def test_very_many_filters_are_compared_on_fewer_patches() -> None:
    values, labels = made(1300, 700)
    told, arrays = answer(values, labels)
    assert (told["patches"], told["of"], told["order"]) == (512, 700, "dendrogram")
    assert arrays["neighbours"][2, 0] == 5
    assert arrays["tally_total"][0] == pytest.approx(values[labels >= 0, 0].sum(), rel=1e-4)


def test_a_filter_that_is_always_on_has_a_frequency_of_one() -> None:
    values, labels = made(9)
    values[:, 0] = 1 + 0.1 * values[:, 0]
    _, arrays = answer(values, labels)
    assert arrays["frequency"][0] == 1
    assert arrays["active_share"][6] == 0
    assert arrays["frequency"][1] == pytest.approx((values[:, 1] > 0.5 * values[:, 1].max()).mean())
