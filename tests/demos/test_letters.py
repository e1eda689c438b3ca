"""The language model of the letters demo: its text, its passages, and what it costs."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
import torch

from analysis.demos import letters, letters_subject
from analysis.subject.session import Session


def test_the_text_is_that_of_the_plays_without_what_is_around_them() -> None:
    whole, held_out = letters.text(letters.PLAYS), letters.text((letters.HELD_OUT,))
    assert whole.startswith("ACT I.\n\nSCENE I. An Orchard")
    assert "If music be the food of love, play on" in held_out
    assert "If music be the food of love, play on" not in whole
    for text in (whole, held_out):
        assert "gutenberg" not in text.lower()
        assert "\n\n\n" not in text
        assert " \n" not in text
        assert "DRAMATIS" not in text


def test_characters_and_ids_are_one_another() -> None:
    names = letters.names()
    assert len(set(names)) == len(names) == len(letters.alphabet())
    assert {"␣", "⏎", "e", "Z"} <= set(names)
    ids = letters.encode("To be,\n€")
    assert [names[n - letters.FIRST] for n in ids[:-1].tolist()] == ["T", "o", "␣", "b", "e", ",", "⏎"]
    assert ids[-1] == letters.UNKNOWN
    assert letters.encode("").tolist() == [letters.UNKNOWN]


def test_passages_are_those_of_the_held_out_play_and_none_lies_over_another() -> None:
    whole, end = letters.text((letters.HELD_OUT,)), 0
    assert len(letters.passages()) > 800
    for passage, following, begins in letters.passages():
        assert letters.SHORTEST <= len(passage) <= letters.LONGEST
        assert whole[begins : begins + len(passage)] == passage
        assert letters.alphabet()[following] == whole[begins + len(passage)]
        assert begins == 0 or whole[begins - 1] == "\n"
        assert begins >= end
        end = begins + len(passage)


@pytest.mark.parametrize(
    ("passage", "part"),
    [
        ("Enough; no more:\n'Tis not so swe", "speech"),
        ("so sweet now.\n\nSIR TO", "name"),
        ("so sweet now.\n\n[Enter VIO", "stage direction"),
        ("[Exit.]\n\nVIOLA.\nI", "speech"),
        ("[Exit.]\n", "speech"),
    ],
)
def test_a_passage_knows_what_it_ends_in(passage: str, part: str) -> None:
    assert letters.part(passage) == part


def test_the_figures_to_beat_are_counts_of_single_characters_and_of_pairs() -> None:
    whole, held_out = letters.text(letters.PLAYS), letters.text((letters.HELD_OUT,))
    known = letters.alphabet()
    first, pairs = Counter(whole[:-1]), Counter(itertools.pairwise(whole))
    singles = Counter({c: sum(pairs[a, c] + 1 for a in known) for c in known})
    bits: dict[str, list[float]] = {"by frequency alone": [], "by the letter before": []}
    for a, b in itertools.pairwise(held_out):
        if a in known and b in known:
            bits["by frequency alone"].append(-math.log2(singles[b] / singles.total()))
            bits["by the letter before"].append(-math.log2((pairs[a, b] + 1) / (first[a] + len(known))))
    assert letters.baselines() == pytest.approx({name: sum(found) / len(found) for name, found in bits.items()})


def test_the_next_character_is_that_after_the_last_step_however_much_is_filled_up() -> None:
    model = letters.start().eval()
    ids = letters.encode("If music be the food")
    longer = torch.cat([ids, torch.full((9,), letters.PADDING)])[None]
    with torch.no_grad():
        every = model.every(ids[None])
        torch.testing.assert_close(model(longer), every[:, -1])
        torch.testing.assert_close(model(ids[None, :5]), every[:, 4])
        torch.testing.assert_close(model(longer, torch.tensor([7])), every[:, 6])


def test_a_few_steps_teach_it_something() -> None:
    model = letters.start()
    before, _ = letters.cost(model)
    assert before == pytest.approx(math.log(len(letters.alphabet())), rel=0.05)
    for _ in letters.learning(model, 12):
        pass
    after, _ = letters.cost(model)
    assert after < 0.9 * before


def test_the_subject_is_a_text_whose_classes_are_what_comes_next() -> None:
    session = Session(letters_subject.subject(), device="cpu")
    assert session.kind == "text"
    assert session.class_names[1] == "␣"
    passage, _, _ = letters.passages()[3]
    assert session.tokens(3) == [letters.SHOWN.get(character, character) for character in passage]
    assert session.text(3) == passage
    told = session.description()
    assert told["n"] == len(letters.passages())
    logits = session.forward(session.batch([0, 3, 5]))
    assert logits.shape == (3, len(letters.alphabet()))
