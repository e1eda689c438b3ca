"""The subject of the reviews demo: its network and the sentences that it does not train on.

It is also an example of a text: sequences of ids of any length, with the words that they stand for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import Dataset

from analysis import Subject
from analysis.demos import reviews, trained


class Sentences(Dataset[dict[str, Any]]):
    """The held-out sentences: {'ids': int64 (words,), 'label', 'text': as it was written}."""

    def __init__(self) -> None:
        texts, labels = reviews.load()
        _, held_out = reviews.split(torch.tensor(labels))
        self.texts = [texts[index] for index in held_out.tolist()]
        self.targets = [labels[index] for index in held_out.tolist()]

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"ids": reviews.encode(self.texts[index]), "label": self.targets[index], "text": self.texts[index]}


def subject() -> Subject:
    """What ``run.py serve --subject`` calls. Until the demo has been trained, the weights are those it starts from."""
    sentences = Sentences()
    made = Subject(
        reviews.start(),
        sentences,
        name="BiLSTM on film reviews",
        class_names=list(reviews.CLASSES),
        decode=list(reviews.vocabulary()),
        encode=reviews.typed,
        metadata={"words": [len(text.split()) for text in sentences.texts]},
    )
    [planned] = reviews.plan(runs=(reviews.DIRECTORY,))
    return trained.put_into(made, planned)
