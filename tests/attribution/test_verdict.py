"""The rule of the trust row: each threshold on both sides, what decides, what is said."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from analysis.attribution.verdict import (
    ALONE,
    FLIPS,
    GAP,
    INFIDELITY,
    LEARNED,
    LEVELS,
    MOVES,
    RANKED,
    RULE,
    SIMILAR,
    UNSTABLE,
    WRONG,
    verdict,
)

METHOD = {"name": "integrated_gradients", "title": "Integrated Gradients"}


def measured(**changes: Any) -> dict[str, Any]:
    """A map that nothing speaks against."""
    found: dict[str, Any] = {
        "completeness": {"gap": 0.01, "applies": True},
        "infidelity": {"value": 0.2},
        "sensitivity": {"value": 0.1},
        "deletion": {"better": True},
        "insertion": {"better": True},
        "moves": 0.9,
        "reaction": {"moves": 0.8, "moves_redrawn": 0.1},
        "randomised": {"last": 0.3, "values": 100},
        "skipped": {},
    }
    return found | changes


def test_a_map_that_nothing_speaks_against_is_good() -> None:
    found = verdict(METHOD, measured(), 0.6)
    assert found.level == "good"
    assert found.rule == RULE
    assert len(found.reasons) == 6
    assert found.reasons[-1].endswith("0.60.")


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"moves": MOVES - 0.01}, "poor", "9.0 points of probability at most"),
        ({"moves": MOVES}, "good", ""),
        ({"moves": 0.4, "reaction": {"moves": 0.3, "moves_redrawn": 0.31}}, "poor", "no farther"),
        ({"moves": None, "reaction": {"moves": 0.3, "moves_redrawn": 0.31}}, "poor", "no farther"),
        ({"moves": FLIPS, "reaction": {"moves": 0.3, "moves_redrawn": 0.31}}, "fair", "no farther"),
        ({"moves": 0.98, "reaction": {"moves": 0.06, "moves_redrawn": 0.15}}, "fair", "no farther"),
        ({"reaction": {"moves": 0.3, "moves_redrawn": 0.29}}, "fair", "hardly farther"),
        ({"reaction": {"moves": 0.3, "moves_redrawn": 0.3 / LEARNED + 0.01}}, "fair", "hardly farther"),
        ({"reaction": {"moves": 0.3, "moves_redrawn": 0.3 / LEARNED - 0.01}}, "good", ""),
        ({"reaction": {"moves": None, "moves_redrawn": None}, "moves": None}, "good", ""),
        ({"randomised": {"last": SIMILAR, "values": 100}}, "poor", "the instance rather than the model"),
        ({"randomised": {"last": SIMILAR - 0.01, "values": 100}}, "good", ""),
        ({"randomised": {"last": 0.9, "last_signed": SIMILAR, "values": 100}}, "poor", "similar (0.90)"),
        ({"randomised": {"last": 0.9, "last_signed": SIMILAR - 0.01, "values": 100}}, "good", ""),
        ({"randomised": {"last": 1.0, "values": RANKED - 1}}, "good", ""),
        ({"randomised": {"last": None, "values": 0}}, "good", ""),
        ({"deletion": {"better": False}, "insertion": {"better": False}}, "poor", "no better than a random order"),
        ({"deletion": {"better": False}}, "fair", "in insertion, but not in deletion"),
        ({"insertion": {"better": False}}, "fair", "in deletion, but not in insertion"),
        ({"deletion": {"better": None}}, "good", ""),
        ({"completeness": {"gap": GAP + 0.01}}, "fair", "Integrated Gradients claims that they add up"),
        ({"completeness": {"gap": GAP}}, "good", ""),
        ({"completeness": {"gap": WRONG}}, "poor", "though"),
        ({"completeness": {"gap": WRONG - 0.01}}, "fair", "though"),
        ({"completeness": {"gap": None, "applies": False}}, "good", ""),
        ({"infidelity": {"value": INFIDELITY + 0.01}}, "fair", "foretells 29 %"),
        ({"infidelity": {"value": INFIDELITY}}, "good", ""),
        ({"sensitivity": {"value": UNSTABLE + 0.01}}, "fair", "by up to 51 % of its size"),
        ({"sensitivity": {"value": UNSTABLE}}, "good", ""),
        ({"sensitivity": None, "infidelity": None, "randomised": None, "completeness": None}, "good", ""),
    ],
)
def test_each_threshold_has_two_sides(changes: dict[str, Any], level: str, words: str) -> None:
    found = verdict(METHOD, measured(**changes))
    assert found.level == level
    assert words in found.sentence
    if level != "good":
        assert found.sentence == found.reasons[0]


def test_what_is_bad_outweighs_what_weakens_and_both_are_told() -> None:
    found = verdict(
        METHOD, measured(sensitivity={"value": 2.0}, moves=0.01, randomised={"last": 0.9, "values": 50}), ALONE - 0.1
    )
    assert found.level == "poor"
    assert "hardly" not in found.sentence
    assert "1.0 points" in found.reasons[0]
    assert "similar (0.90)" in found.reasons[1]
    assert "200 %" in found.reasons[2]
    assert "agrees little" in found.reasons[-1]


def test_disagreement_alone_is_no_fault() -> None:
    assert verdict(METHOD, measured(), -0.5).level == "good"


def test_what_is_not_measured_is_unknown() -> None:
    assert verdict(METHOD, {}).level == "unknown"
    assert verdict(METHOD, {}, 0.5).sentence == "It is not measured yet."
    skipped = {"deletion": None, "insertion": None, "skipped": {"deletion": "Its values belong to a layer."}}
    found = verdict(METHOD, measured(**skipped))
    assert (found.level, found.sentence) == ("unknown", "Its values belong to a layer.")
    why = {"better": None, "why": "The map is the same everywhere: it ranks nothing."}
    assert verdict(METHOD, measured(deletion=why, insertion=why)).sentence == why["why"]


def test_a_part_of_the_answer_is_judged_only_where_it_cannot_get_better() -> None:
    begun = dict.fromkeys(measured()) | {"partial": True, "skipped": {}}
    assert verdict(METHOD, begun).level == "unknown"
    assert verdict(METHOD, begun | {"moves": 0.01}).level == "poor"
    assert "still" in verdict(METHOD, measured(partial=True)).sentence


def test_the_rule_names_every_threshold() -> None:
    for value in (
        f"{100 * MOVES:.0f} points",
        f"{LEARNED:g} times",
        f"by {100 * FLIPS:.0f} and no farther",
        f"{SIMILAR:g} or more",
        f"{100 * GAP:.0f} %",
    ):
        assert value in RULE
    for value in (INFIDELITY, UNSTABLE):
        assert f"above {value:g}" in RULE
    assert set(LEVELS) == {"good", "fair", "poor", "unknown"}


def test_what_the_page_imports_needs_no_torch() -> None:
    modules = ("verdict", "agreement", "feedback")
    lines = "; ".join(f"import analysis.attribution.{name}" for name in modules)
    code = f"import sys; {lines}; print(sorted({{'torch', 'captum', 'sklearn'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
