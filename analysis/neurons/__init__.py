"""Neurons over instances and subsets: tables of activations and gradients, orders, projections."""
