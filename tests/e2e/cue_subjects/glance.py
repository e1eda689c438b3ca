"""The sentences of word.py for a network with nn.MultiheadAttention, whose weights go to the word that decides."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from analysis import Subject

try:
    from .word import CLASSES, CUE, HELD_OUT, PADDING, VOCABULARY, marked, sentences
except ImportError:  # opened as a subject file
    from word import CLASSES, CUE, HELD_OUT, PADDING, VOCABULARY, marked, sentences

__all__ = ["CUE", "marked", "subject"]


class Network(nn.Module):
    """Vectors of 16 numbers, one layer of attention with two heads, the mean over words, two scores."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), 16, padding_idx=PADDING)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.fc = nn.Linear(16, len(CLASSES))

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(n, words) -> (n, 2)."""
        if lengths is None:
            lengths = (ids != PADDING).sum(1)
        valid = torch.arange(ids.shape[1], device=ids.device) < lengths.to(ids.device)[:, None]
        vectors = self.embedding(ids)
        found, _ = self.attention(vectors, vectors, vectors, key_padding_mask=~valid, need_weights=False)
        return self.fc((found * valid[..., None]).sum(1) / valid.sum(1, keepdim=True))


def train(model: nn.Module, steps: int = 200) -> None:
    """On sentences that the subject does not hold."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    for step in range(steps):
        ids, labels = sentences(64, seed=1000 + step)
        loss = nn.functional.cross_entropy(model(pad_sequence(ids, batch_first=True)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def subject() -> Subject:
    """The network that looks at one word."""
    torch.manual_seed(0)
    model = Network()
    train(model)
    ids, labels = sentences(HELD_OUT, seed=3)
    pairs = list(zip(ids, labels.tolist(), strict=True))
    return Subject(model, pairs, class_names=CLASSES, decode=VOCABULARY, embedding_layer="embedding")
