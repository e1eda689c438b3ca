"""The explanation behind (i) of the panel Instances by class."""

from __future__ import annotations

from dashboard.widgets.panel import About

MEMBERS = About(
    what="Every instance of the subset as a square, a row for each label: left those predicted as labelled, right the "
    "misclassified ones. The fill is the label, the border the predicted class. Few pictures are shown as "
    "thumbnails, with the label as a stripe below.",
    how="Both sides begin with the highest score. Hover or focus says what an instance is; a click chooses it "
    "everywhere, with Shift or Ctrl several. Of more than 3,000 instances those with the highest scores of each "
    "side are drawn, and the others counted; of more than 60 classes the most frequent.",
    formula="score = probability of the predicted class",
    source="The instance selection panel of Kahng et al., ActiVis, IEEE TVCG 24, 2018, section 4.4.",
)
