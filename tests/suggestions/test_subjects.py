"""Suggestions and surrogates of whole subjects, from the model's own pass to words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from analysis.subsets.expression import select
from analysis.suggestions.suggest import table_of
from tests.layers.desk import open_desk

WORDS = ["<pad>", "good", "fine", "bad", "poor", "the", "a", "film", "was", "it", "of", "story", "with", "plot", "blue"]
WORDS.append("lagoon")
BLUE, LAGOON = WORDS.index("blue"), WORDS.index("lagoon")


class Halves(nn.Module):
    """Which half of a picture is brighter; a bright corner at the top left decides for the upper one."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.last = nn.Linear(144, 4), nn.Linear(4, 2)
        upper = (torch.arange(144) < 72).float()
        corner = torch.zeros(12, 12)
        corner[:3, :3] = 1
        with torch.no_grad():
            rows = [upper, 1 - upper, corner.flatten() * 8, upper * 0 + 0.1]
            self.hidden.weight.copy_(torch.stack(rows))
            self.hidden.bias.copy_(torch.tensor([0.0, 0, -8 * 9 * 0.9, 0]))
            self.last.weight.copy_(torch.tensor([[1.0, -1, 40, 0], [-1.0, 1, -40, 0]]))
            self.last.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(torch.relu(self.hidden(x.flatten(1))))
        return found


class Praise(nn.Module):
    """Good words against bad ones; a phrase turns the answer round."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 2, padding_idx=0)
        self.last = nn.Linear(2, 2)
        with torch.no_grad():
            self.embedding.weight.zero_()
            self.embedding.weight[1:3, 0] = 1
            self.embedding.weight[3:5, 1] = 1
            self.last.weight.copy_(torch.tensor([[-3.0, 3], [3, -3]]))
            self.last.bias.zero_()

    def forward(self, ids: Tensor) -> Tensor:
        phrase = ((ids[:, :-1] == BLUE) & (ids[:, 1:] == LAGOON)).any(1)
        scores = self.last(self.embedding(ids).sum(1))
        found: Tensor = torch.where(phrase[:, None], -scores, scores)
        return found


def striped(n: int = 600) -> tuple[list[tuple[Tensor, int]], np.ndarray]:
    rng = np.random.default_rng(0)
    labels, stripe = rng.integers(0, 2, n), rng.random(n) < 0.15
    images = rng.uniform(0, 0.5, (n, 1, 12, 12)).astype(np.float32)
    images[labels == 0, :, :6] += 0.2
    images[labels == 1, :, 6:] += 0.2
    images[stripe, :, :3, :3] = 1
    noisy = np.where(rng.random(n) < 0.04, 1 - labels, labels)
    return [(torch.from_numpy(image), int(label)) for image, label in zip(images, noisy, strict=True)], stripe


def praised(n: int = 600) -> list[tuple[Tensor, int]]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        label = int(rng.integers(0, 2))
        ids = rng.integers(5, len(WORDS) - 2, 12)
        ids[rng.integers(0, 12)] = rng.integers(1, 3) if label else rng.integers(3, 5)
        if rng.random() < 0.08:
            place = int(rng.choice([at for at in range(11) if min(ids[at : at + 2]) > 4]))
            ids[place : place + 2] = BLUE, LAGOON
        elif rng.random() < 0.2:
            place = int(rng.choice([at for at in range(12) if ids[at] > 4]))
            ids[place] = rng.choice([BLUE, LAGOON])
        found.append((torch.from_numpy(ids), 1 - label if rng.random() < 0.04 else label))
    return found


def test_a_stripe_in_pictures_that_decides_is_said_in_words(tmp_path: Path) -> None:
    data, _ = striped()
    session = open_desk(Halves(), data, tmp_path, class_names=["upper", "lower"])
    found = session.ask("suggested_subsets", of="error").json
    first = found["suggestions"][0]
    assert "label is lower" in first["words"] or "prediction is upper" in first["words"], first["words"]
    assert "top left" in first["words"]
    assert first["share"] > 0.9
    table, _ = table_of(session)
    assert int(select(first["text"], table).sum()) == first["size"]


def test_metadata_of_pictures_are_searched(tmp_path: Path) -> None:
    data, stripe = striped()
    place = np.where(stripe, "roof", np.where(np.arange(600) % 2, "hall", "yard"))
    session = open_desk(Halves(), data, tmp_path, class_names=["upper", "lower"], metadata={"shot at": place.tolist()})
    found = session.ask("suggested_subsets", of="error").json
    assert any("shot at is roof" in one["words"] or "top left" in one["words"] for one in found["suggestions"][:3])


def test_a_phrase_that_turns_the_answer_round_is_said_in_words(tmp_path: Path) -> None:
    session = open_desk(Praise(), praised(), tmp_path, decode=WORDS, class_names=["bad", "good"])
    found = session.ask("suggested_subsets", of="error").json
    assert any("the text contains “blue lagoon”" in one["words"] for one in found["suggestions"][:3])
    rules = session.ask("surrogate", of="prediction", kind="rules").json
    assert rules["fidelity"]["better"]
    assert any(word in rules["rules"][0]["if"] for word in ("good", "fine", "bad", "poor"))
