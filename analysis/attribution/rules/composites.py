"""Which rule of layer-wise relevance propagation which layer gets. No torch."""

from __future__ import annotations

from dataclasses import dataclass

EPSILON, GAMMA, ALPHA1, ALPHA2, FLAT, BOX = "epsilon", "gamma", "alpha1_beta0", "alpha2_beta1", "flat", "z_box"
DENSE, CONVOLUTION, FIRST = "dense", "convolution", "first"


@dataclass(frozen=True)
class Composite:
    """Rules by layer type: of dense layers, of convolutions, and of the first layer ('' for that of its type)."""

    dense: str
    convolution: str
    first: str = ""

    def rule(self, layer: str, first: bool) -> str:
        """The rule of a layer, 'dense' or 'convolution'."""
        return self.first if first and self.first else (self.dense if layer == DENSE else self.convolution)


# Names as in Kohlbrenner et al., 'Towards Best Practice in Explaining Neural Network Decisions with LRP', IJCNN 2020,
# and Montavon et al., 'Layer-Wise Relevance Propagation: An Overview', 2019.
COMPOSITES: dict[str, Composite] = {
    "epsilon": Composite(EPSILON, EPSILON),
    "epsilon_plus": Composite(EPSILON, ALPHA1),
    "epsilon_plus_flat": Composite(EPSILON, ALPHA1, FLAT),
    "epsilon_gamma": Composite(EPSILON, GAMMA),
    "epsilon_gamma_box": Composite(EPSILON, GAMMA, BOX),
    "epsilon_alpha2_beta1": Composite(EPSILON, ALPHA2),
    "epsilon_alpha2_beta1_flat": Composite(EPSILON, ALPHA2, FLAT),
    "gamma": Composite(GAMMA, GAMMA),
    "alpha1_beta0": Composite(ALPHA1, ALPHA1),
    "alpha2_beta1": Composite(ALPHA2, ALPHA2),
}
