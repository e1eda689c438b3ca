"""The explanation behind (i) of the panel Computation graph."""

from __future__ import annotations

from dashboard.widgets.panel import About

GRAPH = About(
    what=(
        "What the model computes, from its inputs (left) to its outputs (right). A box is one call of a layer or of an "
        "operator, a line a tensor. A stacked box is a module: a click expands it into a frame, a click on the frame's "
        "title collapses it. A layer that is called twice is two boxes, the second with #2. A click on a layer selects "
        "it for all views. Dashed boxes are dead: nothing the model returns depends on them. Hatched ones are frozen: "
        "none of their parameters is trained."
    ),
    how=(
        "A pass over a few instances is noted call by call. torch.fx then follows the model without values: where it "
        "finds the same calls, the graph is that of every input; else it is that of this pass, and the panel says why. "
        "Times are medians over several passes on this machine, per instance: they say which layers are slow here, not "
        "how fast the model is elsewhere. FLOPs are counted by shape, two for a product and its sum. Colour by change "
        "compares the weights shown with those chosen under 'Compare with'; of a module it is that of the layer in it "
        "that moved most. Boxes stand in columns by longest path; their order is chosen so that few lines cross."
    ),
    formula="change = ‖W_b − W_a‖ / ‖W_a‖ (all parameters of a layer as one vector)",
    source=(
        "Kahng, Andrews, Kalro and Chau: ActiVis, IEEE TVCG 24(1), 2018 (graph of the model as the way in). Sugiyama, "
        "Tagawa and Toda, IEEE Trans. SMC 11(2), 1981 (layered drawing). Wongsuphasawat et al.: Visualizing dataflow "
        "graphs, IEEE TVCG 24(1), 2018 (collapsing by hierarchy)."
    ),
)
