"""Answers ``sequence_responses``: what each word does to the state, on average (R1)."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.layers.passes import batches, predicted
from analysis.sequences import states, tagging, words
from analysis.sequences.faults import SequenceError
from analysis.sequences.tally import FIRST, Tally

MOST = 20_000  # words whose response is kept
WEIGHTS = ("own", "untrained")
SEED = 0  # of untrained weights


def sequence_responses(
    session: Any, context: Any, *, layer: str, state: str, depth: int, words: str, weights: str = "own"
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Expected response: the mean, over all steps whose input is a word, of the change h_t - h_(t-1).

    Ming et al., 'Understanding Hidden Memories of Recurrent Neural Networks', VAST 2017, equation 2. The first step of
    a sequence changes the state that it starts from (0, unless the model gives another); padding counts nowhere; of a
    bidirectional layer, the backward half's step before is t + 1. Means are exact: sums in float64, in one pass of the
    model over the sample.

    Args:
        layer, state, depth: of the source. words: of the vocabulary. weights: 'own', or 'untrained': random ones with
            the mean and deviation of each tensor, as a control.

    Returns:
        {'units': U, 'steps', 'sequences': how many were read, 'classes': names, 'names': [V], 'channels',
        'sampling_rate': steps per second or None, 'window': steps that a word looks back on, 'left_out': words beyond
        the 20,000 most frequent, 'pos_names': [] or parts of speech}.

        Arrays by word, the most frequent first: 'id', 'count', 'sequences' (how many hold it) (V,) int64; 'mean'
        (V, U) float32, in units of the state, and its 'norm' (V,); 'by_class', 'by_predicted' (V, C) int64, how many
        sequences of each label and prediction hold it, of 'class_n', 'predicted_n' (C,); 'pos' (V,) int64, -1 unknown,
        where there is a tagger; of series 'picture' (V, channels, window), or 'channel', 'low', 'high' (V,), in shown
        units. And 'direction' (U,) int8.

    Raises:
        ParameterError: no such state, vocabulary or weights. NotFound: no such layer. SequenceError: as
            ``states.of_batch``, or no step of the sample is a word.
    """
    if weights not in WEIGHTS:
        raise ParameterError(f"There are no weights {str(weights)[:40]!r}.", f"Choose of: {', '.join(WEIGHTS)}.")
    source = states.source_of(session, layer, state, depth)
    vocabulary = learn_words(session, context, words, source)
    chosen, left_out = _frequent(session, context, vocabulary)
    extraction = session.extraction()
    labels = np.asarray(extraction.labels)
    classes = len(extraction.class_names)
    tally: Tally | None = None
    direction = np.ones(source.units, np.int8)
    with nullcontext() if weights == "own" else states.untrained(session, SEED):
        for chunk in states.read(session, context, source, "Reading states"):
            tally = tally or Tally(chunk.states.shape[2], classes, chosen, words_size(session) or FIRST)
            direction = chunk.direction
            answers = predicted(torch.from_numpy(chunk.logits))
            tally.add(chunk, vocabulary.of(chunk), labels[chunk.rows], answers)
    arrays = {} if tally is None else tally.result()
    if tally is None or not len(arrays["id"]):
        raise SequenceError(
            "No step of the sample holds a word: its sequences are empty, all padding, or too short.",
            "Choose a larger sample, or other words.",
        )
    names = vocabulary.names(arrays["id"])
    arrays |= {"class_n": tally.class_n, "predicted_n": tally.predicted_n, "direction": direction}
    arrays |= {name: vocabulary.arrays[name][arrays["id"]] for name in _SHOWN if name in vocabulary.arrays}
    parts: list[str] = []
    if vocabulary.words == "tokens" and not tagging.reason(session, words_size(session)):
        arrays["pos"], parts = np.array(tagging.parts_of(names), np.int64), list(tagging.NAMES)
    return {
        "units": tally.units,
        "steps": tally.steps,
        "sequences": tally.sequences,
        "classes": list(extraction.class_names),
        "names": names,
        "channels": vocabulary.channels,
        "sampling_rate": session.subject.sampling_rate,
        "window": vocabulary.window,
        "left_out": left_out,
        "pos_names": parts,
    }, arrays


_SHOWN = ("picture", "channel", "low", "high")
learn_words, words_size = words.learn, words.size_of  # under another name: 'words' is a parameter of the question


def _frequent(session: Any, context: Any, vocabulary: words.Vocabulary) -> tuple[NDArray[np.int64] | None, int]:
    """The most frequent tokens, None for all, and how many are left out. Only a large vocabulary is counted first."""
    if vocabulary.words != "tokens" or words.size_of(session) in range(1, MOST + 1):
        return None, 0
    counts: Counter[int] = Counter()
    for batch, _ in batches(session, session.extraction(), context, "Counting words"):
        found = vocabulary.of_batch(batch, states.valid_input(session, batch))
        numbers, many = np.unique(found[found >= 0], return_counts=True)
        counts.update(dict(zip(numbers.tolist(), many.tolist(), strict=True)))
    if len(counts) <= MOST:
        return None, 0
    order = sorted(counts, key=lambda number: (-counts[number], number))
    return np.sort(np.array(order[:MOST], np.int64)), len(counts) - MOST
