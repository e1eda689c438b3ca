"""The explanation behind (i) of the panel Surrogate."""

from __future__ import annotations

from dashboard.widgets.panel import About

SURROGATE = About(
    what="A simple model that imitates this one, to be read: a list of rules, a shallow tree, or a sparse linear "
    "model; of its predictions, or of whether it is wrong. What it is worth stands above it: the share of held-out "
    "instances of which it says the same, beside always saying the most frequent class. Each rule opens its "
    "instances.",
    how="Made from metadata, features and words, never from the label; of errors also from the prediction. Two "
    "thirds of the sample are imitated, a third is held out. The rule list is sampled from its posterior (three "
    "Metropolis-Hastings chains over ordered lists of clauses and pairs of clauses), and of those of mean length the "
    "most probable one is shown. The linear model's penalty is the strongest within a standard error of the best in "
    "cross-validation. A surrogate explains itself; it explains the model as far as its fidelity reaches.",
    formula="p(d | x, y) ~ prod over rules of B(N_j + alpha) / B(alpha) x p(d), with p(d) from Poisson(3) rules and "
    "Poisson(1) clauses, alpha = 1; fidelity = share of held-out instances with the same answer (Wilson); difference "
    "to the majority: of pairs.",
    source="Letham, Rudin, McCormick and Madigan, Annals of Applied Statistics 9, 2015; Tibshirani, JRSS B 58, 1996 "
    "(L1); Agresti and Min, Biometrics 61, 2005.",
)
