"""The instances: which are wrong, how sure the model is, subsets by rule, and subsets on which it fails."""
