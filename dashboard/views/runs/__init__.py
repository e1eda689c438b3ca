"""The Runs view: what there is to look at, and the demos when there is nothing yet."""
