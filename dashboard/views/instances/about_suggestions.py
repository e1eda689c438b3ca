"""The explanation behind (i) of the panel Suggested subsets."""

from __future__ import annotations

from dashboard.widgets.panel import About

SUGGESTIONS = About(
    what="Subsets of the sample in which the model is wrong more often than chance explains, in words, with how many "
    "of their instances are wrong. Each opens its instances in all panels, its attributions, and the units that fire "
    "for it.",
    how="The labelled instances are parted at random into two halves, with the same share of errors. On the first, "
    "rules of up to three clauses about metadata, features, words, label and prediction are searched, also the "
    "leaves of shallow trees, clusters of activations, and the instances on which one unit fires most. The "
    "strongest, some 60, are tested once on the second half, which the search has not seen, by Fisher's exact test. "
    "Told are those with a false discovery rate of at most 5 %; where nothing is to be found, that is at most one "
    "list of twenty with a suggestion. One that adds nothing to another is left out. Intervals are widened for "
    "having been chosen. Order: by size x lift.",
    formula="excess = wrong - n b = n b (lift - 1), where b is the share wrong of all and lift = (wrong / n) / b; z "
    "= excess / sd of the hypergeometric (search); q_(i) = min_(j >= i) m p_(j) / j; intervals: Wilson, at 1 - 0.05 "
    "R / m for R told of m tested.",
    source="Lavrac, Flach and Zupan, ILP 1999 (size x lift); Fisher, 1935; Benjamini and Hochberg, JRSS B 57, 1995; "
    "Benjamini and Yekutieli, JASA 100, 2005 (intervals). A subset says where the model fails, not why.",
)
