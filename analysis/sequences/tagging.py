"""Parts of speech of English words, as the most frequent one of each: a colour of word clouds. No torch.

From the lexicon of Brill's tagger (MIT licence; words of Twitter CC BY 3.0) that the package textblob carries; the
package is read as a file, not imported. A word alone has no context, so its most frequent part of speech is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE, FILE = "textblob", "en/en-lexicon.txt"
NAMES = ("noun", "verb", "adjective", "adverb", "pronoun", "function word", "number", "punctuation", "other")
ENGLISH = 0.5  # share of a vocabulary's words that the lexicon must hold
LOOKED_AT = 2_000  # words of a vocabulary
# Penn Treebank tags by their beginning; the first that fits counts.
_PARTS = (
    ("NN", 0), ("VB", 1), ("MD", 1), ("JJ", 2), ("RB", 3), ("WRB", 3), ("PRP", 4), ("WP", 4), ("EX", 4), ("DT", 5),
    ("PDT", 5), ("WDT", 5), ("IN", 5), ("TO", 5), ("CC", 5), ("RP", 5), ("POS", 5), ("CD", 6),
)  # fmt: skip
ABSENT = (
    "the package textblob, whose English lexicon is read, is not installed (pip install --no-deps textblob==0.20.1)"
)


@cache
def lexicon() -> dict[str, str]:
    """Tag by word; empty where the package is not installed or has no such file."""
    try:
        found = find_spec(PACKAGE)
        if found is None or found.origin is None:
            return {}
        text = (Path(found.origin).parent / FILE).read_text(encoding="utf-8")
    except (OSError, ValueError, ImportError):
        return {}
    pairs = (line.split()[:2] for line in text.splitlines() if line and not line.startswith(";;;"))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def part_of(word: str) -> int:
    """Place of a word's part of speech in NAMES; -1 if it is not known."""
    known = lexicon()
    tag = known.get(word) or known.get(word.lower()) or known.get(word.capitalize())
    if not any(letter.isalnum() for letter in word):
        return 7
    if word.replace(",", "").replace(".", "").isdigit():
        return 6
    if tag is None:
        return -1
    return next((place for start, place in _PARTS if tag.startswith(start)), 8)


def parts_of(words: Sequence[str]) -> list[int]:
    """Of several words."""
    return [part_of(word) for word in words]


def reason(session: Any, size: int) -> str:
    """'' if words can be coloured by part of speech, else why not. size: of the vocabulary, 0 if it is not known."""
    if session.kind != "text":
        return "instances are no texts"
    if session._decoder is None:
        return "tokens are numbers, as there is no decode="
    if not lexicon():
        return ABSENT
    try:
        tokens = session._decoder(list(range(min(size, LOOKED_AT)))) if size else []
    except Exception:
        return "not every id can be decoded, so the language is not known"
    share = known_share(tokens)
    return "" if share >= ENGLISH else f"the lexicon is English and holds {100 * share:.0f} % of the words"


def known_share(tokens: Iterable[str]) -> float:
    """Share of the words of two letters and more that the lexicon holds."""
    known = lexicon()
    letters = [token for token in tokens if len(token) > 1 and token.isalpha()]
    return sum(token in known or token.lower() in known for token in letters) / len(letters) if letters else 0.0
