"""The verdict on one map, in words: a rule over what ``attribution_trust`` measured. No torch.

Thresholds were set on trained and untrained networks of the demos (digits, reviews, motion, cancer): the untrained ones
are poor by the first rule throughout, though their maps follow the model well: it is the model that says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LEVELS = ("good", "fair", "poor", "unknown")
MOVES = 0.1  # of probability: an answer that moves less, whatever is taken away, leaves little to explain
FLIPS = 0.5  # an answer that moves that far depends on what is taken away, however far one of random weights moves
LEARNED = 1.5  # times as far as with random weights, on average, the answer of a trained model moves at least
SIMILAR = 0.7  # rank correlation after all weights were drawn anew, from which a map does not depend on the model
RANKED = 10  # values that such a correlation needs
GAP = 0.05  # of the change of the score
WRONG = 0.5  # of it: values that miss so much do not share out the score
INFIDELITY = 0.7  # share of what happens that the map does not foretell
UNSTABLE = 0.5  # change of the map, relative to its size, under a change of the instance by 2 % of its range
ALONE = 0.2  # mean rank correlation with the other maps, below which it stands alone

RULE = (
    "Poor, if the model's answer never moves by more than "
    f"{MOVES * 100:.0f} points of probability as parts are taken away, or never by {FLIPS * 100:.0f} and no farther "
    "than with random weights; "
    f"if the map stays similar (rank correlation of {SIMILAR:g} or more, of its sizes and with "
    "its signs) when all weights are drawn anew; if it claims to add up and misses "
    f"{WRONG * 100:.0f} % of the change of the score or more; or if it ranks parts no better than random orders both "
    "in deletion and in insertion. "
    "Good, if both curves are better than random orders, and nothing else speaks against it: a completeness gap above "
    f"{GAP * 100:.0f} % of the change of the score, infidelity above {INFIDELITY:g}, sensitivity above {UNSTABLE:g}, "
    f"an answer that moves less than {LEARNED:g} times as far as with random weights. "
    "Fair otherwise. Unknown, if neither curve could be measured."
)


@dataclass(frozen=True)
class Verdict:
    """level: one of LEVELS. sentence: what decides it. reasons: everything that was found, in sentences, what decides
    first. rule: how levels are given."""

    level: str
    sentence: str
    reasons: list[str] = field(default_factory=list)
    rule: str = RULE


def verdict(method: Mapping[str, Any], trust: Mapping[str, Any], agreement: float | None = None) -> Verdict:
    """Judge one map.

    Args:
        method: as ``attribution_methods`` describes it. trust: the answer of ``attribution_trust``, or the part of it
            that is there. agreement: mean rank correlation with the other maps shown, None without others.
    """
    if not trust:
        return Verdict("unknown", "It is not measured yet.")
    bad: list[str] = []
    weak: list[str] = []
    fine: list[str] = []
    for found in (_of_model(trust), _of_weights(trust), _of_ranks(trust), _of_details(method, trust)):
        for many, one in zip((bad, weak, fine), found, strict=True):
            many += one
    alone = _of_others(agreement)
    reasons = [*bad, *weak, *fine, *alone]
    if bad:
        return Verdict("poor", bad[0], reasons)
    if trust.get("partial"):
        return Verdict("unknown", "It is still being measured.", reasons)
    ranks = [_part(trust, name).get("better") for name in ("deletion", "insertion")]
    if ranks == [None, None]:
        why = _why(trust, "deletion") or "Taking parts away could not be measured."
        return Verdict("unknown", why, reasons)
    if weak:
        return Verdict("fair", weak[0], reasons)
    return Verdict(
        "good", "It ranks parts better than chance, and nothing that was measured speaks against it.", reasons
    )


Found = tuple[list[str], list[str], list[str]]  # sentences that are bad, that weaken, that speak for it


def _of_model(trust: Mapping[str, Any]) -> Found:
    reaction = _part(trust, "reaction")
    moves, own, redrawn = trust.get("moves"), reaction.get("moves"), reaction.get("moves_redrawn")
    if moves is not None and moves < MOVES:
        text = f"The model's answer moves by {_points(moves)} at most, whatever is taken away: there is little to "
        return [f"{text}explain, as in an untrained model."], [], []
    if own is None or redrawn is None or own >= LEARNED * redrawn:
        return [], [], []
    how = "no" if own < redrawn else "hardly"
    text = f"The model's answer moves {how} farther ({_points(own)}) than with random weights ({_points(redrawn)})"
    # ``moves`` is over more altered inputs than the two that are compared.
    if own < redrawn and max(own, moves or 0.0) < FLIPS:
        return [f"{text}: what is explained need not be learned."], [], []
    return [], [f"{text}, as parts are taken away alike."], []


def _of_weights(trust: Mapping[str, Any]) -> Found:
    control = _part(trust, "randomised")
    last, values = control.get("last"), control.get("values") or 0
    if last is None:
        return [], [], []
    if values < RANKED:
        text = f"It has {values} values, too few to say how much it depends on the weights."
        return [], [], [text]
    signed = control.get("last_signed")
    if last >= SIMILAR and (signed is None or signed >= SIMILAR):
        text = f"It stays similar ({last:.2f}) when all weights are drawn anew: "
        return [f"{text}it shows the instance rather than the model."], [], []
    if last >= SIMILAR:
        return (
            [],
            [],
            [f"Its sizes stay when all weights are drawn anew ({last:.2f}), its signs do not ({signed:.2f})."],
        )
    return [], [], [f"It changes when all weights are drawn anew (similarity {last:.2f})."]


def _of_ranks(trust: Mapping[str, Any]) -> Found:
    better = {name: _part(trust, name).get("better") for name in ("deletion", "insertion")}
    told = [name for name, value in better.items() if value is not None]
    won = [name for name in told if better[name]]
    if not told:
        return [], [], []
    if not won:
        return [f"It ranks parts no better than a random order ({' and '.join(told)})."], [], []
    if len(won) < len(told):
        [lost] = set(told) - set(won)
        return [], [f"It ranks parts better than random orders in {won[0]}, but not in {lost}."], []
    return [], [], [f"It ranks parts better than random orders ({' and '.join(won)})."]


def _of_details(method: Mapping[str, Any], trust: Mapping[str, Any]) -> Found:
    bad: list[str] = []
    weak: list[str] = []
    fine: list[str] = []
    gap = _part(trust, "completeness").get("gap")
    if gap is not None:
        title = method.get("title") or "The method"
        text = f"Its values miss the change of the score by {_percent(gap)}"
        (bad if gap >= WRONG else weak if gap > GAP else fine).append(
            f"{text}, though {title} claims that they add up." if gap > GAP else f"{text}."
        )
    infidelity = _part(trust, "infidelity").get("value")
    if infidelity is not None:
        text = f"It foretells {_percent(1 - infidelity)} of what happens when parts are taken away."
        (weak if infidelity > INFIDELITY else fine).append(text)
    sensitivity = _part(trust, "sensitivity").get("value")
    if sensitivity is not None:
        text = f"It changes by up to {_percent(sensitivity)} of its size when the instance hardly changes."
        (weak if sensitivity > UNSTABLE else fine).append(text)
    return bad, weak, fine


def _of_others(agreement: float | None) -> list[str]:
    if agreement is None:
        return []
    if agreement < ALONE:
        return [f"It agrees little with the other methods shown (mean rank correlation {agreement:.2f})."]
    return [f"Its mean rank correlation with the other methods shown is {agreement:.2f}."]


def _part(trust: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = trust.get(name)
    return found if isinstance(found, Mapping) else {}


def _why(trust: Mapping[str, Any], name: str) -> str:
    return str(_part(trust, name).get("why") or _part(trust, "skipped").get(name) or "")


def _points(share: float) -> str:
    points = 100 * share
    text = f"{points:.0f}" if points >= 10 else f"{points:.1f}"
    return f"{text} point{'' if text == '1' else 's'} of probability"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"
