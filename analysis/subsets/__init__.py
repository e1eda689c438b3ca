"""Subsets of the instances: columns, expressions, names; errors of scores and of labels."""
