"""The explanation behind (i) of the panel Likely label errors."""

from __future__ import annotations

from dashboard.widgets.panel import About

LABELS = About(
    what="Instances whose label is likely wrong, the surest first, with the label given and the one suggested. Tick "
    "those that you agree with, and export them as a relabelling.",
    how="Confident learning: a class is confident for an instance if its probability is at least the mean one among "
    "instances labelled so. Suspected are instances whose most probable confident class is another than their label "
    "and more probable than it. If the model was trained on these labels it has partly learned the errors, and then "
    "there are more than are found.",
    formula="t_j = mean of p(j | x) over instances labelled j; suspected if argmax over {j: p(j | x) >= t_j} of p(j "
    "| x) is not the label; rank by p(suggested | x) - p(given | x)",
    source="Northcutt, Jiang and Chuang, Journal of Artificial Intelligence Research 70, 2021.",
)
