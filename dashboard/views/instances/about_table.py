"""The explanation behind (i) of the panel Table."""

from __future__ import annotations

from dashboard.widgets.panel import About

TABLE = About(
    what="Every instance of the subset with what the model says of it, its metadata and what was measured on it. A "
    "click chooses an instance, ticks choose several; both are in the address.",
    how="The server filters and sorts, and sends the rows that are in view. Filters of the columns can be made the "
    "subset with the button above the table. Neighbours' disagreement: the share of the 10 instances that the "
    "chosen layer finds most alike which have another label; it is there for up to 3,000 labelled instances.",
    formula="loss = -log p(label); margin = p(first) - p(second); disagreement = share of 10 nearest by cosine of "
    "standardised activations with another label",
    source="Downloads hold every row of the subset and every column. Texts that a spreadsheet would take for a formula "
    "get an apostrophe.",
)
