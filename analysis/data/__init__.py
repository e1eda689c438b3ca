"""Instances of a data set, read from whatever the user has: what is in an item, batches, labels, kind, pictures.

The package itself imports nothing, so that its torch-free modules can be used anywhere.
"""
