"""The words that a sequence consists of: tokens of texts; of series, states of the input that were learnt."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.tokens import numbered
from analysis.errors import ParameterError
from analysis.results import Answers, key_of
from analysis.sequences import inputs, motifs, quantiles
from analysis.sequences.states import Chunk, valid

VERSION = 1  # of learnt words: raised when the way they are learnt changes
TITLES = {"tokens": "Tokens", "quantiles": "Levels of each channel", "motifs": "Motifs"}
Learnt = tuple[dict[str, Any], dict[str, NDArray[Any]]]
_known: weakref.WeakKeyDictionary[Any, dict[str, Learnt]] = weakref.WeakKeyDictionary()


@dataclass
class Vocabulary:
    """Words, numbered from 0.

    words: 'tokens', 'quantiles' or 'motifs'. known: names of learnt words, () for tokens, whose ids are what the model
    takes. channels: of series. window: steps that a word looks back on, itself included. arrays: of learnt words:
    'picture' (V, channels, window) in shown units, or 'channel', 'low', 'high' (V,).
    """

    words: str
    session: Any
    known: tuple[str, ...] = ()
    channels: list[str] = field(default_factory=list)
    window: int = 1
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def pictures(self) -> NDArray[np.float32] | None:
        """(V, channels, window) in shown units; None where words have none."""
        return self.arrays.get("picture")

    def names(self, ids: Iterable[int]) -> list[str]:
        """What words are called."""
        wanted = [int(number) for number in ids]
        if self.words == "tokens":
            decoder = self.session._decoder
            return decoder(wanted) if decoder and wanted else numbered(wanted)
        return [self.known[number] if 0 <= number < len(self.known) else f"#{number}" for number in wanted]

    def of(self, chunk: Chunk) -> NDArray[np.int64]:
        """Word numbers of every step, (n, T, M): a step has one word of each of M kinds (of quantiles: channels), -1
        where it has none: padding, a value that is NaN, the first steps of a motif."""
        return self.of_batch(chunk.batch, valid(chunk))

    def of_batch(self, batch: Any, good: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The same, without states. good: (n, T), which steps are none of the padding."""
        steps = good.shape[1]
        if self.words == "tokens":
            ids = inputs.ids_of(batch)[:, :steps].numpy()
            return np.where(good, ids, -1)[..., None]
        values = inputs.values_of(self.session, batch)[:, :steps].numpy()
        if self.words == "motifs":
            return motifs.number(values, good, self.arrays)
        found = quantiles.number(values, self.arrays["edges"], self.arrays["bins"])
        found[~good] = -1
        return found


def available(session: Any) -> list[dict[str, str]]:
    """The vocabularies, [{'name', 'title', 'reason': '' or why it does not fit}]."""
    reasons = {"tokens": "", "quantiles": "", "motifs": ""}
    if session.kind == "text":
        reasons |= dict.fromkeys(("quantiles", "motifs"), "Instances are texts: their words are the tokens.")
    elif session.kind == "series":
        reasons["tokens"] = "Instances are series, which have no tokens."
    else:
        reasons = dict.fromkeys(reasons, f"Instances are of kind {session.kind!r}, without steps.")
    return [{"name": name, "title": TITLES[name], "reason": reason} for name, reason in reasons.items()]


def size_of(session: Any) -> int:
    """Tokens that the model knows; 0 if its embedding is not known."""
    if not session.opened.embedding:
        return 0
    layer = dict(session.model.named_modules()).get(session.opened.embedding)
    return int(getattr(layer, "num_embeddings", 0) or 0)


def learn(session: Any, context: Any, words: str, _source: Any = None) -> Vocabulary:
    """The vocabulary of this name: bins and motifs are learnt from the sample's inputs once, and kept.

    Raises:
        ParameterError: there is none of this name, or it does not fit the data.
    """
    reasons = {one["name"]: one["reason"] for one in available(session)}
    if reasons.get(words, "unknown"):
        listed = ", ".join(name for name, reason in reasons.items() if not reason)
        raise ParameterError(
            reasons.get(words) or f"There is no vocabulary {str(words)[:40]!r}.",
            f"Choose of: {listed}." if listed else "Choose texts or series.",
        )
    if words == "tokens":
        return Vocabulary("tokens", session)
    value, arrays = _learnt(session, context, words)
    return Vocabulary(words, session, tuple(value["names"]), value["channels"], int(value["window"]), arrays)


def _learnt(session: Any, context: Any, words: str) -> Learnt:
    """From this process's memory, from the answers on disk, or learnt now. What is learnt depends on inputs alone."""
    sample = {name: session.sample[name] for name in ("n", "random_state", "include")}
    key = key_of(
        learnt=words, version=VERSION, code=session.code, data=session.description()["data"], sample=dict(sample)
    )
    known = _known.setdefault(session, {})
    if key in known:
        return known[key]
    answers = Answers(Path(session.cache) / "answers") if session.cache is not None else None
    answer = answers.get(key) if answers is not None else None
    if answer is not None:
        found: Learnt = answer.json, {name: answer.array(name) for name in answer.names()}
    else:
        lesson = inputs.lesson(session, context)
        found = (quantiles if words == "quantiles" else motifs).learn(lesson)
        if answers is not None:
            with suppress(OSError):  # a full disk: it is learnt again next time, to the same end
                answers.put(key, *found)
    known[key] = found
    return found
