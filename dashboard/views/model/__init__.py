"""The model: its graph, what its neurons do for instances and subsets, and how a layer lays instances out."""
