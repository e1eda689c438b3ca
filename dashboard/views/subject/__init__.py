"""The Subject view: what was understood of the model and its data, and what will limit a view."""
