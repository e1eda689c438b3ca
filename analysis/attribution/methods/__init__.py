"""One file a method: what it computes, whether it fits a model, its parameters, and what its result means."""
