"""The explanation behind (i) of the panel Scores and calibration."""

from __future__ import annotations

from dashboard.widgets.panel import About

SCORES = About(
    what="Left: how sure the model is where it is right, and where it is wrong. Right: whether confidence is the share "
    "of right answers: points below the dotted line are more sure than right. Bars are 95 % intervals; below, how "
    "many instances a bin has.",
    how="Confidence is the probability of the predicted class. Instances are put into bins of equal width, or of "
    "equal size; the expected calibration error is the mean distance of a bin's accuracy from its confidence. It "
    "is never 0, even of a calibrated model: the text says how large chance alone makes it. Its interval (at least "
    "about 95 %) has the spread of a bootstrap over instances, and goes lower by what chance adds.",
    formula="ECE = sum_b n_b / n |acc_b - conf_b|; Brier = mean_i sum_c (p_ic - [y_i = c])^2",
    source="Naeini, Cooper and Hauskrecht, AAAI 2015; Guo et al., On Calibration of Modern Neural Networks, ICML 2017, "
    "equation 3; Brier, 1950.",
)
