"""Whether explanations of many instances rest on one and the same place: a suspicion confirmed or refuted. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.attribution.subsets.means import SEEN
from analysis.attribution.subsets.shares import Features

LEADS = 0.5  # of the instances in which one place has to lead
TIMES = 3.0  # its even share has to be exceeded by
PART = 0.05  # of all instances in which a token has to lead: among many types one always does somewhere
FEWEST = 5  # instances: with fewer nothing is said of many


def concentration(features: Features, even: float | None = None) -> dict[str, Any]:
    """The place that leads in most instances: {'name', 'place', 'share': mean share of the sizes, 'even': what it would
    be if all places were alike, 'leads': instances in which no place has more, 'of': instances, 'concentrated': whether
    it leads in at least half of them and has 3 times its even share, 'sentence'}. even: that share, where places
    overlap."""
    count, places = features.shares.shape
    leads = np.bincount(features.shares.argmax(1), minlength=places)
    share = features.shares.mean(0)
    top = int(np.lexsort((-share, -leads))[0])
    even = even or 1 / places
    fits = bool(leads[top] >= LEADS * count and (share[top] >= TIMES * even or places <= TIMES))
    found = {
        "name": features.names[top],
        "place": features.places[top],
        "share": float(share[top]),
        "even": even,
        "leads": int(leads[top]),
        "of": count,
        "concentrated": fits and count >= FEWEST,
    }
    return {**found, "sentence": _sentence(found, features.word)}


def _sentence(found: Mapping[str, Any], word: str) -> str:
    name = found["name"][0].upper() + found["name"][1:]
    figures = (
        f"holds {100 * found['share']:.0f} % of the attribution on average ({100 * found['even']:.1f} % if it were "
        f"even) and leads in {found['leads']:,} of {found['of']:,} instances"
    )
    if found["of"] < FEWEST:
        return f"{name} {figures}; that is too few to say more."
    if found["concentrated"]:
        return f"{name} {figures}: the same {word} comes first in most explanations."
    return f"No {word} leads in most instances: {found['name']} {figures}."


def of_tokens(tokens: Sequence[Mapping[str, Any]], count: int) -> dict[str, Any] | None:
    """The same of texts, for the token type that leads in most instances: 'held': how many hold it. It is concentrated
    if it leads in at least half of those that hold it, in 3 instances and 5 % of all, and has 3 times its even share.
    None without tokens. tokens: as ``means.text`` lists them. count: instances in all."""
    if not tokens:
        return None
    least = max(SEEN, PART * count)

    def deciding(one: Mapping[str, Any]) -> bool:
        return bool(
            one["leads"] >= least and one["leads"] >= LEADS * one["instances"] and one["mean_absolute"] >= TIMES
        )

    top = max(tokens, key=lambda one: (deciding(one), one["leads"], one["mean_absolute"]))
    leads, held, fits = top["leads"], top["instances"], deciding(top)
    figures = (
        f"has {top['mean_absolute']:.1f} times the attribution of an average token and leads in {leads:,} of the "
        f"{held:,} instances that hold it, of {count:,} in all"
    )
    if fits:
        sentence = f"{top['token']!r} {figures}: where it occurs, explanations rest on it."
    else:
        sentence = f"No token leads wherever it occurs: {top['token']!r} {figures}."
    return {
        "name": top["token"],
        "place": [top["token"]],
        "share": top["mean_absolute"],
        "even": 1.0,
        "leads": leads,
        "of": count,
        "held": held,
        "concentrated": fits,
        "sentence": sentence,
    }
