"""The short explanations behind each panel's (i)."""

from __future__ import annotations

from dashboard.widgets.panel import About

_DEEPEYES = "Pezzotti et al., DeepEyes: Progressive Visual Analytics for Designing Deep Neural Networks, IEEE VIS 2017"

ABOUT: dict[str, About] = {
    "curves": About(
        what="Every logged metric against step, epoch or time. Thin lines are training, thick lines validation; "
        "run A is "
        "solid, run B dashed. Crosses mark values that are not finite.",
        how="Up to 2,000 points per line are drawn, chosen so that the lowest and the highest value of every stretch "
        "survive; zooming fetches that stretch in full. Smoothing is a running average over all records of the run, "
        "drawn over the faint raw line; the export holds every record.",
        formula="m(t) = w m(t-1) + (1 - w) y(t), m(0) = 0; s(t) = m(t) / (1 - w^t); w = smoothing weight",
        source="Debiased exponential moving average, as in Kingma and Ba, Adam, ICLR 2015, section 3.",
    ),
    "health": About(
        what="What looks unusual in this run, and on what evidence. A layer's row counts its dead, always-on, "
        "stale and "
        "near-duplicate filters and says whether it still learns.",
        how="Every sentence is raised by a rule with stated thresholds, computed from the run's own records. A rule "
        "names what to look at; it does not prove that a change would help.",
        formula="dead: max f_i = 0 in the last records; always on: share of f_i > beta mu_i near 1; stale: long since "
        "f_i > theta mu_i; near-duplicate: phi_ij = sum min(f_i, f_j) / sum max(f_i, f_j) near 1",
        source=_DEEPEYES,
    ),
    "perplexity": About(
        what="How many filters of a layer answer to a patch of the input at once. Left: few filters, specific "
        "patterns; "
        "right: many. Above the line, per cent of patches; below it, change in points since the baseline, orange up, "
        "blue down. The outline is run B. Each layer has a scale of its own, the same at every step.",
        how="Patches are the receptive fields of sampled positions of the probe set. Patches on which every filter is "
        "silent have no perplexity; they are counted in the line under the title. A histogram may move either way "
        "while a layer learns.",
        formula="PP = 2^(-sum_i p_i log2 p_i), p_i = f_i / sum_j f_j; from 1 to the number of filters",
        source=_DEEPEYES,
    ),
    "heatmap": About(
        what="One cell per filter (or unit) of the selected layer at the step shown; the scale is the same at "
        "every step.",
        how="Maximum: largest activation over all positions of the probe set. Frequency: share of patches on which the "
        "filter exceeds half of its maximum. Staleness: steps since it last exceeded 0.8 of the largest value it ever "
        "had. Click a cell for the filter's figures.",
        formula="mu_i = max_p f_i(p); frequency = share of p with f_i(p) > beta mu_i, beta = 0.5; theta = 0.8",
        source=_DEEPEYES,
    ),
    "stability": About(
        what="How far each layer's perplexity histogram moved from one record to the next. Near 0 the layer has "
        "settled. "
        "The dotted line is the threshold.",
        how="A layer counts as settled from the first record of the last unbroken stretch under the threshold, if that "
        "lasts to the latest record; a layer that moves again is learning again. Silent patches count as one more bin.",
        formula="TV = 1/2 sum_b |h_t(b) - h_(t-1)(b)|, h normalised to 1; between 0 and 1",
        source=f"Stability is left to the eye in {_DEEPEYES}; the distance is our measure of it.",
    ),
}
