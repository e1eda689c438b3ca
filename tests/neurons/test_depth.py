"""Through the layers of the digits demo's network, classes come apart: what stacked blocks of the matrix show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from analysis.demos import digits
from analysis.neurons.matrix import Row, Table, ranking
from analysis.neurons.means import subset_means
from tests.layers.desk import open_desk, pairs


def test_separation_rises_with_depth_and_so_does_the_selectivity_of_the_best_neurons(tmp_path: Path) -> None:
    images, labels = digits.load_digits()
    training, held_out = digits.split(labels, 80, 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = digits.lenet(**digits.NETWORKS["digits-lenet-small"][1])
        for _ in digits.learning(model, images[training], labels[training], 5):
            pass
    desk = open_desk(model, pairs(images[held_out], labels[held_out]), tmp_path)
    answer = desk.ask("separation").json
    assert [row["layer"] for row in answer["layers"]] == ["conv1", "conv2", "fc1", "fc2"]
    for score in ("knn_purity", "silhouette"):
        found = [row[score] for row in answer["layers"]]
        assert found == sorted(found), (score, found)
    assert answer["layers"][0]["knn_purity"] > answer["chance"]
    assert answer["layers"][-1]["knn_purity"] > 0.6

    extraction = desk.extraction()
    rows = [Row("subset", np.flatnonzero(extraction.labels == c)) for c in range(10)]
    found = []
    for info in extraction.layers:
        values = extraction.mean(info.key)
        found.append(ranking(Table(values), rows, subset_means(values, [row.rows for row in rows]).values))
    areas = [float(np.abs(each.auc[each.order[:10]] - 0.5).mean()) for each in found]
    assert areas[0] < areas[-1]
    # The unit of a class is the one that tells this class best.
    assert sum(found[-1].best[:10] == np.arange(10)) >= 8
