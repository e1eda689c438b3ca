"""Do co-clusters part words of praise from words of blame? What of the RNNVis paper comes out on film reviews.

Usage: python benchmarks/opinion_words.py [--seeds 3] [--epochs 8] [--networks GRU BiLSTM]

Two networks learn the sentences of the reviews demo: its bidirectional LSTM (64 units each way, mean of the states),
and a GRU that reads forwards only and answers from its last state, with 50 units, the kind of network that Ming et al.
(VAST 2017) look at. Expected responses are those of the 1,706 held-out sentences; words, filters and clusters are what
the page takes by default (``analysis/sequences/clusters.py``), but for k = 2.

- ARI, all words: all words are clustered; the adjusted Rand index is that of the words that the lexicon of VADER
  knows, by the sign of their valence (Hutto and Gilbert, ICWSM 2014). Few words have an opinion, so that two clusters
  of all of them may well be about something else.
- ARI, opinion words: only words of the lexicon are clustered.
- class: agreement of the clusters of all words with the classes that words of the held-out sentences clearly go with
  (|z| >= 1.96), which is what the page shows as 'class_ari'.
- the data alone: words of the lexicon by the class that they go with in all sentences, without any network: how far
  opinions in the lexicon and in these reviews are the same thing.
- untrained: the same words and network with random weights. shuffled: responses permuted within each word.
- bands: of words that even sentences hold at least so often, the share of occurrences in odd sentences that lie between
  the 9th and 91st percentile of those in even ones, over all units; 82 % if all were drawn alike.

Figures are means over the seeds of the training, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis import Subject
from analysis.demos import reviews
from analysis.demos.packages import folder_of
from analysis.demos.reviews_subject import Sentences
from analysis.extraction.extract import run_extraction
from analysis.extraction.reader import Extraction
from analysis.sequences import clusters, states, words
from analysis.sequences.association import association
from analysis.sequences.coclustering import cocluster, suggest
from analysis.sequences.edges import WEIGHTS
from analysis.sequences.matching import agreement
from analysis.sequences.responses import sequence_responses
from analysis.sequences.scores import class_agreement
from analysis.subject.session import Session

VALENCE = 1.0  # of the lexicon, from -4 to 4: words nearer to 0 are left out
OFTEN = (10, 50)  # occurrences in even sentences from which on bands are judged
BATCH, RATE = 64, 0.005
Table = dict[tuple[str, ...], list[float]]


class Forward(nn.Module):
    """Vectors of 128 numbers, a GRU with 50 units, its last state, two scores."""

    def __init__(self, size: int, units: int = 50) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, 128, padding_idx=reviews.PADDING)
        self.dropout = nn.Dropout(0.5)
        self.gru = nn.GRU(128, units, batch_first=True)
        self.fc = nn.Linear(units, 2)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (n, words), filled up with padding -> (n, 2)."""
        lengths = (ids != reviews.PADDING).sum(1).clamp(min=1)
        vectors = self.dropout(self.embedding(ids))
        packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
        found: Tensor = self.fc(self.dropout(self.gru(packed)[1][-1]))
        return found


NETWORKS = {"GRU": (Forward, "gru"), "BiLSTM": (reviews.Network, "lstm")}


class Quiet:
    """The context of a job that nobody watches."""

    cancelled = False

    def progress(self, *_told: Any) -> None:
        """Nobody is told."""


def trained(name: str, seed: int, epochs: int) -> tuple[nn.Module, float]:
    """A network in evaluation mode, and its share of held-out sentences that are understood."""
    texts, labels = reviews.load()
    classes = torch.tensor(labels)
    training, held_out = reviews.split(classes)
    torch.manual_seed(seed)
    model: nn.Module = NETWORKS[name][0](len(reviews.vocabulary()))

    def padded(indices: Tensor) -> Tensor:
        ids = [reviews.encode(texts[index]) for index in indices.tolist()]
        return pad_sequence(ids, batch_first=True, padding_value=reviews.PADDING)

    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    pace = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, total_iters=epochs)
    for _ in range(epochs):
        for batch in training[torch.randperm(len(training))].split(BATCH):
            loss = nn.functional.cross_entropy(model(padded(batch)), classes[batch])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        pace.step()
    model.eval()
    with torch.no_grad():
        right = [model(padded(part)).argmax(1) == classes[part] for part in held_out.split(256)]
    return model, float(torch.cat(right).float().mean())


def opened(model: nn.Module, home: Path) -> Session:
    """The session of a network, with an extraction of all held-out sentences."""
    subject = Subject(model, Sentences(), class_names=list(reviews.CLASSES), decode=list(reviews.vocabulary()))
    session = Session(subject, device="cpu")
    session.cache, session.sample = home, {"n": 10_000, "random_state": 0, "include": []}
    key = "e" * 40

    def extraction() -> Extraction:
        run_extraction(session, Quiet(), key=key, n=10_000)
        return Extraction(home / "extractions" / key)

    session.extraction = extraction
    return session


def valences() -> dict[str, float]:
    """Words of VADER's lexicon and their mean valence, -4 to 4; the file is read, the package is not imported."""
    lines = (folder_of("vaderSentiment") / "vader_lexicon.txt").read_text(encoding="utf-8").splitlines()
    return {word: float(valence) for word, valence, *_ in (line.split("\t") for line in lines if line.strip())}


def separation(session: Session, layer: str) -> Table:
    """Agreement with the lexicon, by (weights, 'all words' or 'opinion words', edge weight)."""
    given = {"layer": layer, "state": "hidden", "depth": -1, "words": "tokens"}
    value, own = sequence_responses(session, Quiet(), **given)
    _, random = sequence_responses(session, Quiet(), **given, weights="untrained")
    place = {int(number): row for row, number in enumerate(random["id"])}
    lexicon = valences()
    valence = np.array([lexicon.get(name, 0.0) for name in value["names"]])
    rows, _ = clusters.chosen(own["count"], own["norm"], clusters.LEAST, clusters.NORM, clusters.MOST)
    clear = np.abs(valence[rows]) >= VALENCE
    table: Table = defaultdict(list)
    table["words", "clustered", ""].append(len(rows))
    table["words", "of an opinion", ""].append(int(clear.sum()))
    leaning = association(own["by_class"][rows], own["class_n"]).leaning(clusters.CLEAR)
    table["the data alone", "opinion words", ""].append(
        agreement(of_all_sentences([value["names"][row] for row in rows[clear]]), opinion(valence[rows][clear]))
    )
    rng = np.random.default_rng(0)
    for kind, means in (
        ("trained", own["mean"][rows]),
        ("untrained", random["mean"][[place[int(number)] for number in own["id"][rows]]]),
        ("shuffled", rng.permuted(own["mean"][rows], axis=1)),
    ):
        for weight in WEIGHTS:
            for among, chosen in (("all words", np.ones(len(rows), bool)), ("opinion words", clear)):
                found = cocluster(means[chosen], 2, weight=weight)
                judged = clear[chosen]
                table[kind, among, weight].append(
                    agreement(found.words[judged], opinion(valence[rows][chosen][judged]))
                )
                if among == "all words":
                    table[kind, "class", weight].append(class_agreement(found.words, leaning) or 0.0)
            if kind == "trained":
                table["suggested k", "all words", weight].append(suggest(means, weight)[0])
    return table


def of_all_sentences(names: list[str]) -> NDArray[np.int64]:
    """The class, 0 or 1, that holds each word more often for its size."""
    texts, labels = reviews.load()
    sizes = np.bincount(labels, minlength=2)
    held = {name: np.zeros(2) for name in names}
    for text, label in zip(texts, labels, strict=True):
        for name in set(text.split()) & held.keys():
            held[name][label] += 1
    return np.array([(held[name] / sizes).argmax() for name in names], np.int64)


def opinion(valence: NDArray[Any]) -> NDArray[np.int64]:
    """0 blame, 1 praise."""
    return (valence > 0).astype(np.int64)


def bands(session: Session, layer: str) -> Table:
    """Share of occurrences in odd sentences within the bands of even ones, by how often these hold the word."""
    source = states.source_of(session, layer, "hidden", -1)
    vocabulary = words.learn(session, Quiet(), "tokens", source)
    halves: list[dict[int, list[NDArray[np.float32]]]] = [defaultdict(list), defaultdict(list)]
    for chunk in states.read(session, Quiet(), source, ""):
        changes, valid, ids = states.changes(chunk), states.valid(chunk), vocabulary.of(chunk)[..., 0]
        for row, step in np.argwhere(valid & (ids >= 0)).tolist():
            halves[int(chunk.indices[row]) % 2][int(ids[row, step])].append(changes[row, step])
    table: Table = {}
    for least, most in zip(OFTEN, (*OFTEN[1:], 10**9), strict=True):
        inside = total = 0
        for word, seen in halves[0].items():
            if least <= len(seen) < most and halves[1].get(word):
                low, high = np.percentile(np.array(seen), (9, 91), axis=0)
                others = np.array(halves[1][word])
                inside, total = inside + int(((others >= low) & (others <= high)).sum()), total + others.size
        name = f"{least} or more occurrences" if most == 10**9 else f"{least} to {most - 1} occurrences"
        table["bands", name, ""] = [inside / total]
    return table


def measure(names: list[str], seeds: int, epochs: int) -> dict[str, Table]:
    """Figures of each network, one for each seed."""
    found: dict[str, Table] = {}
    for name in names:
        table = found.setdefault(name, defaultdict(list))
        for seed in range(seeds):
            model, accuracy = trained(name, seed, epochs)
            table["accuracy", "", ""].append(accuracy)
            with tempfile.TemporaryDirectory() as home, opened(model, Path(home)) as session:
                for part in (separation(session, NETWORKS[name][1]), bands(session, NETWORKS[name][1])):
                    for key, values in part.items():
                        table[key] += values
    return found


def main(arguments: list[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    given = parser.parse_args(arguments)
    for name, table in measure(given.networks, given.seeds, given.epochs).items():
        for key, values in table.items():
            text = f"{statistics.mean(values):8.3f}  [{min(values):.3f}, {max(values):.3f}]"
            print(f"{name:8s} {' | '.join(part for part in key if part):45s} {text}", flush=True)


if __name__ == "__main__":
    main()
