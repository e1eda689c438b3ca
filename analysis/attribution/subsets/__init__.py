"""Explanations of many instances: means, what leads, groups and outliers."""
