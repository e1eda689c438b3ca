"""The explanation behind (i) of the panel Subset."""

from __future__ import annotations

from dashboard.widgets.panel import About

SUBSET = About(
    what="Which instances of the sample all panels of this view are about: all, a class, the wrong ones, a saved "
    "subset or those that an expression is true of. The table sets the subset beside the rest, and beside "
    "others that you keep for comparison.",
    how="The expression is read by a small language of its own: comparisons of columns with values, joined by and, "
    "or, not. Nothing of it is run as code. It is part of the address, so a link shows the same instances. A "
    "comparison with a missing value is false. Saved subsets are kept with the subject, for everyone who uses "
    "this server.",
    formula="accuracy = right / labelled, with Wilson's 95 % interval; difference with Newcombe's (method 10); mean +- "
    "1.96 s / sqrt(n)",
    source="Subsets by predicate: Kahng et al., ActiVis, IEEE TVCG 24, 2018. Intervals: Wilson, JASA 22, 1927; "
    "Newcombe, Statistics in Medicine 17, 1998. Many subsets looked at, some will differ by chance.",
)
