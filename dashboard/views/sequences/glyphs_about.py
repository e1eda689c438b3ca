"""The short explanations behind the (i) of the panels on sequences, words and units."""

from __future__ import annotations

from dashboard.views.sequences.about import RNNVIS
from dashboard.widgets.panel import About

GLYPHS = About(
    what="A sequence step by step. In each glyph a bar for every cluster of units, from the mean of its negative to "
    "the mean of its positive states; what this step added is filled, what it took away is left hollow: orange raises, "
    "blue lowers. The gauge before a glyph says how much of the state before is still there. The line above is the "
    "probability, from the steps so far alone, of the class that is predicted in the end.",
    how="A cluster's ends are sums of the positive and of the negative states of its units over its size, so the "
    "filled less the hollow parts are the mean change. Of a bidirectional layer, 'before' is the step after for the "
    "backward units. Where glyphs are too dense for the width one stands for several steps: the state after them, "
    "their change in all, and the mean share kept. Predictions are passes of the model over the first steps, and "
    "nothing else; the class is named where it changes.",
    formula="kept_t = sum over units of min(|h_t|, |h_(t-1)|), where their signs agree, / sum of |h_(t-1)|; ends: "
    "sum max(h, 0) / n and sum min(h, 0) / n over the n units of the cluster.",
    source=f"After {RNNVIS}, the glyphs of its sentence view. What is written over is not counted as kept, which the "
    "paper's figure leaves open.",
)
WORD = About(
    what="How a word changes each unit: the line is the mean over all its occurrences in the sample, the bands hold "
    "half (25 to 75 %) and 82 % (9 to 91 %) of them. Wide bands across 0: what the word does depends on what came "
    "before. The dotted line is a single occurrence.",
    how="Means are exact. Percentiles are those of at most 4,096 occurrences drawn at random; by how much their rank "
    "may be off then is said beneath. Units are in the order of the first word's mean, or of their clusters. That a "
    "word goes with a class is counted in instances that hold it, whatever the model does with it.",
    formula="s(x) = mean over all t with input x of (h_t - h_(t-1)); rank error at 95 %: sqrt(ln 40 / (2 n)).",
    source=f"{RNNVIS}, equation 2 and its detail view; Massart, Annals of Probability 18, 1990.",
)
UNIT = About(
    what="The words that lower and that raise this unit most, with how its change varies over their occurrences: box "
    "25 to 75 %, line in it the median, whiskers 9 to 91 %, dot the mean. A response is an association, no cause: the "
    "panel on causes takes the unit away and looks at what changes.",
    how="Words are ranked by the unit's mean change, among those that occur often enough (the same least count as for "
    "the clusters). All boxes share a scale.",
    formula="s(x)_j = mean over all t with input x of (h_t - h_(t-1))_j",
    source=f"{RNNVIS}, its detail view of a unit.",
)
