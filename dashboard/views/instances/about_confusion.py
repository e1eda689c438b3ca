"""The explanation behind (i) of the panel Confusion matrix."""

from __future__ import annotations

from dashboard.widgets.panel import About

CONFUSION = About(
    what="How often instances of a label (rows) got each prediction (columns). The diagonal is right. A cell opens "
    "exactly its instances in all panels, a row or column name those of a class; the same again goes back.",
    how="Counted over the subset; instances without a label are left out and counted in the line under the title. "
    "While a cell is chosen, the matrix stays that of the subset around it. With more than 30 classes the most "
    "confused pairs are listed instead.",
    formula="n_ij = number of instances with label i and prediction j; row share n_ij / sum_j n_ij; recall n_ii / "
    "sum_j n_ij; precision n_jj / sum_i n_ij",
    source="Shares of rows with few instances are uncertain: see n at the end of the row.",
)
