"""Rules for operations: what flows back through each, where it is not the gradient."""
