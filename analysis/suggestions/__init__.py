"""Subsets that explain errors, in words; rules that imitate the model."""
