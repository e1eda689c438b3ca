"""The short explanations behind the (i) of the panels that describe layers and filters."""

from __future__ import annotations

from dashboard.widgets.panel import About

DEEPEYES = "Pezzotti et al., DeepEyes: Progressive Visual Analytics for Designing Deep Neural Networks, IEEE VIS 2017"

STRIP = About(
    what="The layers that a pass calls, in depth order. Purity and silhouette say how far a layer already "
    "separates the classes; the tick is what chance would give. A layer that adds nothing to the one "
    "before it may be one too many.",
    how="Each instance is described by the layer's mean activation per filter. Purity: share of its 10 "
    "nearest other instances with its label. Silhouette: how much nearer its own class is than the next. "
    "Both come on request, once for all layers; findings count as soon as the sample is complete.",
    formula="purity = mean_i |{j in kNN(i): y_j = y_i}| / k; silhouette = mean_i (b_i - a_i) / max(a_i, b_i); "
    "chance = sum_c n_c (n_c - 1) / (n (n - 1))",
    source="Rousseeuw, Silhouettes, J. Comput. Appl. Math. 1987; layers separated early: Pezzotti et al., "
    "DeepEyes: Progressive Visual Analytics for Designing Deep Neural Networks, IEEE VIS 2017.",
)
HEAT = About(
    what="Value: one cell per filter, its largest activation. Class: its mean on the instances of each class. "
    "Step: its largest activation at each recorded step of run A. Click a cell for the filter.",
    how="Activations are made non-negative (ReLU, or the absolute value for layers without one) and, for each "
    "instance, the largest over all positions is taken. Similarity puts filters that answer alike side by "
    "side. Health puts dead filters first, then those always on, then near-duplicates.",
    formula="value: mu_i = max_x f_i(x); class: mean of f_i(x) over the instances x with label c; f_i(x) = max_p "
    "f_i(x, p)",
    source=DEEPEYES,
)
FILTER = About(
    what="What one filter detects: the patches that activate it most, each cut from the instance at the "
    "filter's receptive field; how its activation spreads over the classes; which filters answer alike.",
    how="The receptive field is found by passing marks through the model, so strides, padding, dilation and "
    "pooling are accounted for. A box spans the middle half of a class's instances, the line in it the "
    "median, whiskers 5 to 95 %. The tally adds up the filter's activation by label.",
    formula="t_i[c] = sum of f_i(p) over patches with label c; its perplexity 2^(-sum q log2 q), q = t_i / sum "
    "t_i; phi_ij = sum min(f_i, f_j) / sum max(f_i, f_j)",
    source=DEEPEYES,
)
FINDINGS = About(
    what="What looks superfluous or missing, each with its evidence, and a test that shows what removing it "
    "does to the model's accuracy on this sample.",
    how="A test edits the layer's activations during a pass of the whole model: to 0, to the filter's mean, "
    "or to another filter's activation. Accuracy before and after is over the same instances; the "
    "interval is a paired bootstrap over instances (95 %). A test speaks of this sample and these "
    "weights, before any further training.",
    formula="change = mean_i (correct_after(i) - correct_before(i)) in points; interval: 2.5 and 97.5 % of "
    "resampled means",
    source="Pezzotti et al., DeepEyes: Progressive Visual Analytics for Designing Deep Neural Networks, IEEE VIS "
    "2017; Efron and Tibshirani, An Introduction to the Bootstrap, 1993.",
)
