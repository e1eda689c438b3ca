"""The explanation behind (i) of the panel Neuron activation matrix."""

from __future__ import annotations

from dashboard.widgets.panel import About

MATRIX = About(
    what="What each neuron of a layer does for subsets of the sample and for single instances, side by side. A row is "
    "a subset or an instance, a column is a neuron: a filter of a convolution, a unit of any other layer. By default "
    "there is a row per class; add others. A column that is strong in one row only belongs to a neuron that "
    "responds to that subset.",
    how="A neuron's activation for an instance is the mean over its positions, made non-negative as the model does. A "
    "subset's cell is the exact mean over its instances; a subset without instances has none, and is hatched. With "
    "gradient × activation, a cell is the mean of the product summed over positions: how much the neuron drives "
    "the score of the class (above 0) or works against it (below 0), to first order. Colours go up to each "
    "neuron's largest cell, or to the largest of the layer. Selectivity is the area under the ROC curve: how well a "
    "neuron tells one subset from all other instances; neurons are ordered by how far its 95 % interval stays from "
    "0.5. By similarity, neighbours are correlated. Point at a cell for its exact value and the distribution behind "
    "the mean; click to keep neuron and row, click a row's name to sort by it. Drag to move, Ctrl and the wheel zooms, "
    "a double click goes back; with the keyboard: arrows, Enter, s to sort, + and −, 0 for all.",
    formula="M = S^T A / |subset|, A: instances × neurons, S: instances × subsets, 0 or 1 · driver = "
    "sum over positions of (d score / d activation) · activation",
    source="Kahng, Andrews, Kalro and Chau, ActiVis, IEEE VIS 2017. Gradient × activation: Shrikumar, Greenside and "
    "Kundaje, ICML 2017. Area under the curve: Hanley and McNeil, Radiology 143, 1982. Separation: share of the 10 "
    "nearest instances that have the same label.",
)
