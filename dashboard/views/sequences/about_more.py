"""What is behind the (i) of the panels on causes, similar moments, memory and comparison."""

from __future__ import annotations

from dashboard.views.sequences.about import RNNVIS
from dashboard.widgets.panel import About

CAUSES = About(
    what="What the model loses without the pinned cluster of units, or without the chosen unit: accuracy with its "
    "interval, by class, and the words whose predictions move. Beside it the same with other units drawn at random.",
    how="The sample goes through the model again while the units are taken out inside the layer: their weights and "
    "biases are 0, so they tell nothing to the layer above, to the units beside them or to the next step. Held at a "
    "value, what others take from them is a constant. Nothing is trained anew, and the weights are put back bit by "
    "bit. The interval is a paired bootstrap over instances. Words are ranked by how far the margin of the unchanged "
    "prediction moves in instances that hold them beyond those that do not. A test says what these weights need; a "
    "model trained without the units might do as well.",
    formula="change = accuracy without - accuracy with, in percentage points; margin = score of the unchanged "
    "prediction - largest other score, in logits.",
    source="Bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap, 1993; difference of two means: Welch, "
    "Biometrika 34, 1947; responses are associations: " + RNNVIS + ".",
)

SIMILAR = About(
    what="Moments of other sequences at which the units are on that stay on through the chosen steps, the best first, "
    "with what was read before and after. The bars say which labels these sequences have, against all of the sample.",
    how="Choose steps in the panel Sequences, or type them here. A unit is on where its state has one sign and is "
    "large against its own large values. Every step of the sample is looked at: windows as long as the chosen steps "
    "are ranked by the share of units and steps that are on; shown is the longest stretch in a window where at least "
    "half of the units are on. Moments do not overlap, and at most three are of one sequence. What moments have in "
    "common is for you to see: a unit may be on for other reasons than the one you think of.",
    formula="on: sign(h) as in the span and |h| >= threshold x 99th percentile of |h| of the unit; score = mean over "
    "the window of the share of units that are on.",
    source="Strobelt, Gehrmann, Pfister and Rush, 'LSTMVis', IEEE Transactions on Visualization and Computer Graphics "
    "24, 2018.",
)

MEMORY = About(
    what="How long states last. Left: the share of a state that is still there some steps later, and the half-life. "
    "Middle: the half-life of each unit. Right: how well a simple reader can tell from a state what was read so many "
    "steps before.",
    how="Of a unit's state, what is still there is the smallest size on the way, as long as the sign stays: it never "
    "grows again. Sequences that end are counted as far as they go (as in survival analysis), so short ones do not "
    "shorten the life. A state may hold on to something and yet not use it, and it may hold something in a form that "
    "this share does not see: the probe, a linear reader trained on 70 % of the instances and judged by the rest, "
    "says what is there to be read. A unit that always has one sign and size, such as one that is saturated, keeps "
    "all of its state and remembers nothing: trust a long half-life only where the probe reads far back too. And "
    "where neighbouring steps are alike, the step's own input tells of earlier ones without a memory: only what the "
    "probe reads beyond it is remembered.",
    formula="kept at t = sum over units of min(|h_t|, |h_(t-1)|) where the signs agree / sum |h_(t-1)|; survival at "
    "lag l = product over lags of what is left / what was there; half-life: where survival is 1/2.",
    source=RNNVIS + ", section 5.3; Kaplan and Meier, Journal of the American Statistical Association 53, 1958; "
    "probes: Alain and Bengio, 'Understanding intermediate layers using linear classifier probes', 2016.",
)

COMPARE = About(
    what="Two co-clusterings side by side, mirrored: words outside, units inside, joined by their links. Choose the "
    "other state, another depth, layer or checkpoint. Clusters that share most words have the same number and "
    "colour; squares take the colour of the response to the chosen word.",
    how="Each side is clustered on its own, with the edge weight and the filters chosen above; the number of clusters "
    "is suggested for each unless it is set. Clusters of words are then matched so that as many words as possible are "
    "in clusters of the same number. Clusters of units are matched by units where both sides have the same ones "
    "(another state or checkpoint of a layer), else by how alike their links are. Agreement is the adjusted Rand "
    "index: 1 is the same, 0 is what chance gives. Words that are not on both sides count in neither.",
    formula="ARI = (index - expected index) / (largest index - expected index)",
    source=RNNVIS
    + "; matching: Kuhn, 'The Hungarian method', 1955; Hubert and Arabie, 'Comparing partitions', Journal "
    "of Classification 2, 1985.",
)
