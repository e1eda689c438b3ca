"""Goes through the text of an expression character by character: what may stand in it, and where it goes wrong.

Strings and names in backticks are taken out, so that Python's parser sees plain ASCII names, numbers and operators
only. No torch.
"""

from __future__ import annotations

import keyword
import math
import re
from dataclasses import dataclass, field

from analysis.errors import ParameterError

LONGEST = 4000  # characters
DEEPEST = 50  # of nesting
MOST_DIGITS = 40
WORDS = frozenset({"and", "or", "not", "in", "is", "True", "False", "None"})
HELP = "Compare columns with values, as in label == 'cat' and confidence < 0.6."
_NUMBER = re.compile(r"(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?", re.ASCII)
_CLOSES = {")": "(", "]": "["}
_PLAIN = frozenset("+-*/%,<>()[]. ")
_INSTEAD = {"&": " and ", "|": " or ", "~": " not "}


class ExpressionError(ParameterError):
    """An expression cannot be read, or does not fit the table.

    place: character where, counted from 0; None where it is the whole.
    """

    def __init__(self, message: str, remedy: str = HELP, place: int | None = None) -> None:
        self.place = place
        super().__init__(message, remedy)


@dataclass
class Source:
    """A text made ready for the parser.

    text: as it was given. code: ASCII, with placeholders. origin: for each character of code its place in text. names:
    what stands at a place of code where a name begins; strings: the same of strings.
    """

    text: str
    code: str = ""
    origin: list[int] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    strings: dict[int, str] = field(default_factory=dict)

    def put(self, code: str, place: int) -> int:
        """Append a token that comes from a place of the text. Two that touch, such as strings, stay two. Returns where
        it begins."""
        if self.code and code and all(one.isalnum() or one == "_" for one in (self.code[-1], code[0])):
            self.code += " "
            self.origin.append(place)
        begins = len(self.code)
        self.code += code
        self.origin += [min(place + at, len(self.text)) for at in range(len(code))]
        return begins

    def place(self, column: int) -> int:
        """The place in the text of a place in the code."""
        return self.origin[column] if 0 <= column < len(self.origin) else len(self.text)


def at(place: int) -> str:
    """'at character 5', counted from 1."""
    return f"at character {place + 1}"


def scan(text: str) -> Source:
    """The text as the parser gets it. Raises ExpressionError."""
    if not text.strip():
        raise ExpressionError("The expression is empty.")
    if len(text) > LONGEST:
        raise ExpressionError(
            f"The expression has {len(text):,} characters.",
            f"Keep it to {LONGEST:,}; a long list of instances is kept as a saved subset.",
        )
    source = Source(text)
    opened: list[tuple[str, int]] = []
    place = len(text) - len(text.lstrip())
    while place < len(text):
        letter = text[place]
        if letter in "'\"":
            place = _string(source, place)
        elif letter == "`":
            place = _backticks(source, place)
        elif letter.isidentifier():
            place = _word(source, place)
        elif letter.isascii() and (letter.isdigit() or (letter == "." and text[place + 1 : place + 2].isdigit())):
            place = _number(source, place)
        elif letter.isspace():
            source.put(" ", place)
            place += 1
        else:
            _balance(opened, letter, place)
            place = _operator(source, place)
    if opened:
        bracket, place = opened[-1]
        raise ExpressionError(f"The '{bracket}' {at(place)} is not closed.", "Close it, or take it out.", place)
    return source


def _balance(opened: list[tuple[str, int]], letter: str, place: int) -> None:
    if letter in "([":
        opened.append((letter, place))
        if len(opened) > DEEPEST:
            raise ExpressionError(
                f"The expression is nested more than {DEEPEST} deep {at(place)}.",
                "Save a part of it as a subset.",
                place,
            )
    elif letter in _CLOSES:
        if not opened:
            raise ExpressionError(f"The '{letter}' {at(place)} closes nothing.", "Take it out, or open it.", place)
        bracket, start = opened.pop()
        if bracket != _CLOSES[letter]:
            raise ExpressionError(
                f"The '{letter}' {at(place)} does not close the '{bracket}' {at(start)}.",
                "Close brackets in the order in which they were opened.",
                place,
            )


def _string(source: Source, place: int) -> int:
    """Take out a string; a backslash before a quote or a backslash keeps it. Returns where it ends."""
    text, quote = source.text, source.text[place]
    if place and (text[place - 1].isalnum() or text[place - 1] == "_"):
        raise ExpressionError(
            f"A letter stands before the quote {at(place)}: formatted and other strings are not allowed.",
            "Write plain text between quotes.",
            place,
        )
    letters: list[str] = []
    at_ = place + 1
    while at_ < len(text) and text[at_] != quote:
        if text[at_] == "\\" and text[at_ + 1 : at_ + 2] in ("'", '"', "\\"):
            at_ += 1
        letters.append(text[at_])
        at_ += 1
    if at_ >= len(text):
        raise ExpressionError(f"The quote {at(place)} is not closed.", f"Close it with {quote}.", place)
    begins = source.put("_" * (at_ + 1 - place), place)
    source.strings[begins] = "".join(letters)
    return at_ + 1


def _backticks(source: Source, place: int) -> int:
    end = source.text.find("`", place + 1)
    if end < 0:
        raise ExpressionError(f"The backtick {at(place)} is not closed.", "Close it with a backtick.", place)
    if end == place + 1:
        raise ExpressionError(f"The backticks {at(place)} hold no name.", "Write the column's name in them.", place)
    begins = source.put("_" * (end + 1 - place), place)
    source.names[begins] = source.text[place + 1 : end]
    return end + 1


def _word(source: Source, place: int) -> int:
    text, end = source.text, place + 1
    while end < len(text) and text[place : end + 1].isidentifier():
        end += 1
    word = text[place:end]
    if text[end : end + 1] in ("'", '"'):
        return end  # refused as a string with a letter before it
    if word in WORDS:
        source.put(word, place)
    elif keyword.iskeyword(word):
        raise ExpressionError(
            f"'{word}' {at(place)} is not allowed in an expression.",
            f"A column of that name is written in backticks: `{word}`.",
            place,
        )
    else:
        begins = source.put(word if word.isascii() else "_" * len(word), place)
        source.names[begins] = word
    return end


def _number(source: Source, place: int) -> int:
    match = _NUMBER.match(source.text, place)
    assert match is not None
    number, end = match[0], match.end()
    follows = source.text[end : end + 1]
    if follows and (follows.isidentifier() or follows.isdigit()):
        there = source.text[place : end + 10].split()[0]
        raise ExpressionError(f"'{there}' {at(place)} is no number.", "Write numbers as 3, 0.25 or 1e-3.", place)
    try:
        fits = len(number) <= MOST_DIGITS and math.isfinite(float(number))
    except ValueError:
        fits = False
    if not fits:
        raise ExpressionError(f"The number {at(place)} is too large or cannot be read.", "Write a shorter one.", place)
    source.put(number, place)
    return end


def _operator(source: Source, place: int) -> int:
    text = source.text
    letter, two = text[place], text[place : place + 2]
    if two in ("==", "!=", "<=", ">="):
        source.put(two, place)
        return place + 2
    if two in ("&&", "||"):
        raise ExpressionError(f"'{two}' {at(place)} is not known.", "Write 'and' or 'or'.", place)
    if letter in _INSTEAD:
        word = _INSTEAD[letter] if source.code else _INSTEAD[letter].lstrip()  # Python allows no blank in front
        source.code += word
        source.origin += [place] * len(word)
        return place + 1
    if letter == "=":
        if text[place - 1 : place] == ":":
            place -= 1
        raise ExpressionError(f"There is a single '=' {at(place)}.", "To compare, write '=='.", place)
    if two == "**":
        raise ExpressionError(f"A power (**) {at(place)} is not allowed.", "Use + - * / and %.", place)
    if letter == "!":
        raise ExpressionError(f"'!' {at(place)} is not known.", "Write 'not', or '!=' to compare.", place)
    if letter not in _PLAIN:
        remedy = "Write strings in ' or \"." if letter in "“”‘’„«»" else HELP
        shown = letter if letter.isprintable() else repr(letter)[1:-1]
        raise ExpressionError(f"The character {shown} {at(place)} is not allowed.", remedy, place)
    source.put(letter, place)
    return place + 1
