"""The short explanations behind the (i) of the panels that judge, change and compare explanations."""

from __future__ import annotations

from analysis.attribution.agreement import RULE
from dashboard.widgets.panel import About

TRUST = About(
    what="How far each map can be believed, by figures that need no labels. A map that fails one of them may still "
    "look convincing: that is why they stand beside it. The verdict applies fixed limits to the figures; its rule "
    "is one click away.",
    how="Gap: do the values add up to the change of the score. Infidelity: do they predict what changes of the input "
    "do. Sensitivity: does a little noise change the map. Deletion and insertion: does the score follow the map's "
    "order more than random orders. Random weights: does the map change when layers are made random, from the "
    "output down; one that does not explains the input, not the model. Agreement: rank correlation of sizes with "
    f"the other maps shown. {RULE}",
    formula="gap = |sum a - (f(x) - f(x0))| / |f(x) - f(x0)|; infidelity = E[(b I.a - (f(x) - f(x - I)))^2] / "
    "E[(f(x) - f(x - I))^2]; sensitivity = max |a(x + e) - a(x)| / |a(x)|",
    source="Sundararajan et al., ICML 2017; Yeh et al., NeurIPS 2019; Petsiuk et al., BMVC 2018; Adebayo et al., "
    "Sanity Checks for Saliency Maps, NeurIPS 2018.",
)
EDIT = About(
    what="The instance with changes of yours, and what they do: the prediction, the explained score, and the map of "
    "one method before and after. A place that the map calls important should matter when it is changed.",
    how="The changes are made to the instance as it is shown, then it goes through the model like any other. "
    "'Predicted' remains what the model says of the unchanged instance. Both maps share one scale. A change may take "
    "the instance away from anything the model was trained on: a large effect can be due to that.",
    formula="change = score(changed) - score(unchanged)",
    source="Wexler et al., The What-If Tool, IEEE TVCG 2020.",
)
FEEDBACK = About(
    what="Your verdict on the explanation shown: right, wrong or unclear, with a note. For a wrong one, mark what "
    "should not matter, such as a watermark. Verdicts stay with the subject and can be exported.",
    how="A verdict keeps the instance, the method with its parameters, the target and the weights it speaks of. Masks "
    "are 1 where a marked region lies, in the shape of the instance; they can be used to train a model that does not "
    "look there. Verdicts are files in the workspace; deleting one here deletes the file.",
    formula="mask(p) = 1 for p inside a marked region, else 0",
    source="Ross et al., Right for the Right Reasons, IJCAI 2017.",
)
NEIGHBOURS = About(
    what="The instances of the sample that a layer describes most like this one. If their labels differ from the "
    "prediction, the model takes this instance for something that it is not, or the labels are in doubt.",
    how="Each instance is described by the mean activation of every filter of the layer, each filter brought to mean 0 "
    "and standard deviation 1 over the sample. Distance: 1 minus the cosine of the angle, 0 to 2.",
    formula="d(x, y) = 1 - z(x).z(y) / (|z(x)| |z(y)|)",
    source="Papernot and McDaniel, Deep k-Nearest Neighbors, 2018.",
)
SUBSET = About(
    what="One method over many instances: where attribution lies on average, and which explanations are unlike the "
    "others. A cue seen in one instance is confirmed if it leads in most of them, and refuted if it does not.",
    how="The size of the attribution is averaged per pixel, channel and time, column, or token, each instance counting "
    "alike. Explanations are summarised by a few numbers each; those far from all others are outliers, those that lie "
    "together form clusters. 'No clusters' is an answer: then the explanations are of one kind.",
    formula="mean_i |a_i(p)|, with sum_p |a_i(p)| = 1 for every instance i",
    source="Lapuschkin et al., Unmasking Clever Hans Predictors, Nature Communications 2019.",
)
