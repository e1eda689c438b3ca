"""The explanation behind (i) of the panel Projection."""

from __future__ import annotations

from dashboard.widgets.panel import About

PROJECTION = About(
    what="A point per instance of the sample, placed by what the neurons of the chosen layer answer to it. A picture "
    "of a projection is no evidence: it shows what to look into, and the figures below say how far to trust it. "
    "Pull a lasso around points to see which instances they are and to keep them as a subset; click a point for its "
    "nearest neighbours in the layer itself. A chosen subset stands out, the others are faded.",
    how="An instance is its mean over positions of each rectified neuron, in the neuron's standard deviations. PCA is "
    "there at once. UMAP and t-SNE see the first 50 principal components, with a fixed seed; of more than 20,000 "
    "(t-SNE: 5,000) instances they lay out 2,000 and put the others between these, which is called a draft. Their "
    "points begin where the first layer's map has them, or, of a checkpoint, that under the subject's own weights, and "
    "the result is turned to fit it: so points keep their places, and the drift says how far. Trustworthiness, recall "
    "and purity compare the map with all neurons of the layer, at up to 1,000 instances. Points are drawn in random "
    "order, so that no class covers the others.",
    formula="trustworthiness = 1 − 2 / (m k (2n − 3k − 1)) · Σ_i Σ_j (r(i, j) − k), over the m instances judged and "
    "those of their k = 15 neighbours on the map whose rank r in the layer is beyond k; drift = mean |a_i − b_i|, each "
    "map centred and of radius 1",
    source="McInnes, Healy and Melville, arXiv:1802.03426 (UMAP); van der Maaten and Hinton, JMLR 9, 2008 (t-SNE, by "
    "scikit-learn); Venna and Kaski, ICANN 2001 (trustworthiness); de Silva and Tenenbaum, 2004 (landmarks). "
    "Verified by tests/neurons/test_projection.py.",
)
