"""What is behind the (i) of the panels on words, clusters and the source of the states."""

from __future__ import annotations

from dashboard.widgets.panel import About

RNNVIS = (
    "Ming, Cao, Zhang, Li, Chen, Song and Qu, 'Understanding Hidden Memories of Recurrent Neural Networks', VAST 2017"
)

CONTROLS = About(
    what="Whose states all panels of this view show, what counts as a word, and how words and units are clustered.",
    how="A recurrent layer has a state after every step: a hidden one, an LSTM also a cell state, which it keeps to "
    "itself. Of a stacked layer each depth has its own. A layer without a memory that yields numbers at every step "
    "can be shown too; then a change is one between neighbours. Words of texts are their tokens. Series have no "
    "words, so the sample's own states of the input take their place: the level of each channel (five quantile "
    "bins), or motifs, typical shapes of a short window that ends at the step. Words that occur rarely have an "
    "expected response that is mostly noise; words with a small one would be assigned to clusters by noise: both "
    "are left out.",
    formula="change at step t = h_t - h_(t-1), and h_0 is 0 or what the model starts from; padding counts nowhere.",
    source=f"{RNNVIS}; motifs: k-means, Lloyd, IEEE Transactions on Information Theory 28, 1982.",
)

CLUSTERS = About(
    what="Left, boxes of words that move the units alike; right, a square for each unit in the box of its cluster. A "
    "line between two boxes is the mean response of these units to these words: orange raises, blue lowers. Choose a "
    "word, and the squares show its own response; choose a unit, and the words show how they move it.",
    how="The response of a unit to a word is the mean change of its state over all steps at which the word is the "
    "input. Words and units are two sides of a graph with these responses as edges, which is cut into k parts so that "
    "little is cut (spectral co-clustering). What a negative response weighs has to be chosen, and decides what is "
    "found: with absolute weights, words of opposite meaning that use the same units fall into one cluster. The "
    "suggested k is where the eigenvalues of the graph have their largest gap. Beneath stands what the clusters are "
    "worth, beside the same for responses shuffled within each word and for the untrained model, and how far ten "
    "other starts agree. A response is an association: a word may stand where something else moves the unit. The "
    "panel on causes tests a cluster by taking it away. Which class a word goes with is told by the share of "
    "sequences that hold it at all: of words that nearly all of them hold, as common letters, levels and motifs, it "
    "says nothing, and their z is near 0.",
    formula="s(x) = mean over all t with input x of (h_t - h_(t-1)); signed weights: [max(s, 0), max(-s, 0)]; "
    "explained = 1 - sum (s - mean of its block)^2 / sum (s - mean)^2; ARI: adjusted Rand index.",
    source=f"{RNNVIS}, equation 2 and section 5.2; Dhillon, 'Co-clustering documents and words using bipartite "
    "spectral graph partitioning', KDD 2001; modularity: Barber, Physical Review E 76, 2007; association: Monroe, "
    "Colaresi and Quinn, 'Fightin' Words', Political Analysis 16, 2008.",
)
