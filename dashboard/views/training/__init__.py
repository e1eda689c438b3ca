"""The Training view: curves, perplexity histograms, layer stability, filters and what looks wrong."""
