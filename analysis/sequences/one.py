"""Answers ``sequence_states``: one sequence, step by step (R6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.data.batch import Batch
from analysis.data.tokens import numbered
from analysis.errors import ParameterError
from analysis.layers.passes import predicted
from analysis.sequences import inputs, prefixes, states, typed
from analysis.sequences import words as vocabularies
from analysis.sequences.faults import SequenceError
from analysis.sequences.kept import kept


def sequence_states(
    session: Any,
    context: Any,
    *,
    layer: str,
    state: str,
    depth: int,
    words: str,
    instance: int | None = None,
    text: str = "",
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """States of one instance, or of a text that was typed.

    Args:
        layer, state, depth: of the source. words: of the vocabulary. instance: in the data set; or else text.

    Returns:
        {'tokens': [T] ('' of series), 'unknown': positions of tokens that the model does not know, 'instance' or None,
        'text', 'label': class or -1, 'prediction', 'scores': [C] probabilities, 'sampling_rate' in steps per second or
        None, 'channels': names, 'prefix_reason', 'padding': positions that are padding though not at the end}; arrays
        'states', 'changes' (T, U), 'kept' (T,): share of the state before that is still there, NaN where that was 0,
        'previous' (T, U), 'direction' (U,), 'word' (T, M) numbers, -1 none, 'prefix' (T, C): probabilities from steps
        0..t alone, NaN where not tried; 'display' (channels, T) in shown units, of series.

    Raises:
        ParameterError: neither instance nor text, or as ``typed.read``. SequenceError: as ``states.of_batch``, or the
            sequence is empty. NotFound: no such instance or layer.
    """
    if (instance is None) == (not text):
        raise ParameterError("Neither an instance nor a text was chosen.", "Choose one of both.")
    source = states.source_of(session, layer, state, depth)
    vocabulary = vocabularies.learn(session, context, words, source)
    batch, written = _batch(session, instance, text)
    chunk = states.of_batch(session, batch, source)
    length = int(chunk.lengths[0])
    good = states.valid(chunk)[0, :length]
    if not good.any():
        which = f"Instance {instance:,}" if instance is not None else "The text"
        raise SequenceError(f"{which} has no steps but padding.", "Choose another.")
    own, before = chunk.states[0, :length], states.previous(chunk)[0, :length]
    prefix, why = prefixes.of(session, batch, length)
    arrays: dict[str, NDArray[Any]] = {
        "states": own,
        "changes": states.changes(chunk)[0, :length],
        "previous": before,
        "kept": np.where(good, kept(own, before), np.nan).astype(np.float32),
        "direction": chunk.direction,
        "word": vocabulary.of(chunk)[0, :length],
    }
    if prefix is not None:
        arrays["prefix"] = prefix
    value: dict[str, Any] = {
        "tokens": ["" for _ in range(length)],
        "unknown": [],
        "instance": instance,
        "text": text if instance is None else session.text(instance) if session.kind == "text" else "",
        "label": int(batch.labels[0]),
        "prediction": int(predicted(torch.from_numpy(chunk.logits))[0]),
        "scores": [float(share) for share in prefixes.probabilities(torch.from_numpy(chunk.logits))[0]],
        "sampling_rate": session.subject.sampling_rate,
        "channels": [],
        "prefix_reason": why,
        "padding": np.flatnonzero(~good).tolist(),
    }
    if session.kind == "text":
        ids = [int(number) for number in inputs.ids_of(batch)[0, :length].tolist()]
        value["tokens"] = session._decoder(ids) if session._decoder else numbered(ids)
        value["unknown"] = typed.unknown_in(session, ids)
        for place in value["unknown"] if written else []:
            value["tokens"][place] = written[place]
    else:
        display = np.asarray(session.display(int(batch.indices[0])), np.float32)[:, :length]
        arrays["display"], value["channels"] = display, inputs.channel_names(session, len(display))
    return value, arrays


def _batch(session: Any, instance: int | None, text: str) -> tuple[Batch, list[str]]:
    """The batch of one instance, or of a text with the tokens as they were typed ([] where that is not known)."""
    if instance is None:
        read = typed.read(session, text)
        return read.batch, read.tokens
    batch = session.batch([int(instance)])
    if not len(batch):
        raise SequenceError(f"Instance {instance:,} cannot be read: {batch.skipped[0][1]}.", "Choose another.")
    return batch, []
