"""The short explanations behind the (i) of the panels of the Attribution view."""

from __future__ import annotations

from dashboard.widgets.panel import About

INSTANCES = About(
    what="Instances of the sample, the ones that go wrong first. Each has what the model says of it, with its "
    "confidence, and its label. A dashed frame and a cross mark a wrong prediction. The arrow keys step "
    "through the list; the chosen one is explained in all panels below.",
    how="Order: wrong ones first, the most confident of them first; by confidence, the least first; by loss, the "
    "largest first; by disagreement of the chosen methods, where their maps are there: a button computes those "
    "that are missing, at most 1,000 instances at a time, and until then the others follow as in 'wrong ones "
    "first'. While the sample is read, what is there so far is listed.",
    formula="confidence = max softmax(z); loss = -log softmax(z)[label]; disagreement = 1 - mean over pairs of "
    "methods of the rank correlation of their attributions",
    source="Rank correlation of explanations: Krishna et al., The Disagreement Problem in Explainable Machine "
    "Learning, TMLR 2024.",
)

CONTROLS = About(
    what="What is explained, and how. A target is the score of a class before the softmax, the difference of two, "
    "or the activation of a filter or unit chosen in another view. Methods that do not fit this model are "
    "greyed out, each with the module and the reason; what was done differently for this model is said below "
    "the method.",
    how="The model is traced once and probed with a tiny numerical test for each method. Parameters are those "
    "that the method declares, at defaults that fit this model; what is changed is kept in the address of the "
    "page.",
    formula="target A: z_A(x); contrast A minus B: z_A(x) - z_B(x); unit: mean over positions of its activation",
    source="The contrast of two classes: Jacovi et al., Contrastive Explanations for Model Interpretability, EMNLP "
    "2021. Each method names its own source in the list.",
)

MAPS = About(
    what="One method each, on the same instance and target. Blue lowers what is explained, orange raises it; "
    "'size' shows sizes only. Every method has its scale with its ends; on the common scale, methods whose "
    "values mean the same share one. Choose a title to look at that method closely in the panels below. Point "
    "at a pixel or a token, or go there with the arrow keys, for its value. Classes have shapes instead of "
    "colours here, since colours are signs.",
    how="Of pictures, the channels of a pixel are added up: with their signs, or as sizes. Full colour is at the "
    "chosen percentile of the sizes; how many values lie beyond it is said. The outline runs around the "
    "strongest tenth of the values, averaged over 1/14 of the longer side. Methods that sample are shown "
    "while they run, with the standard error of what is there so far.",
    formula="completeness: sum_i a_i = score(x) - score(baseline); gap = |sum - change| / |change|",
    source="Sundararajan et al., Axiomatic Attribution for Deep Networks, ICML 2017 (completeness); each method's "
    "source is in the list of methods.",
)
