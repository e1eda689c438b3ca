"""What a link between a word and a unit weighs, when words and units are clustered together. No torch.

The response s(x) of a unit to a word has a sign, which a spectral method has to be told what to do with. Published
co-clusters take the absolute value; then words of opposite meaning that move the same units fall into one cluster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError

DEFAULT = "signed"
WEIGHTS = {
    "signed": "Right for asking which words do the same: words that raise what others lower come apart, though they "
    "use the same units. Each unit takes part twice, by what it is raised and by what it is lowered by.",
    "raw": "Right when responses of one sign make a group: a word goes with units that it raises and away from those "
    "that it lowers, so opposite words come apart; a group that raises some of its units and lowers others is missed.",
    "positive": "Right for asking what raises a unit: whatever lowers it is left out, and with it what words have in "
    "common there.",
    "absolute": "Right for asking which units a word uses at all, in either direction: words of opposite meaning that "
    "move the same units fall into one cluster.",
}


def edges(responses: NDArray[Any], weight: str) -> NDArray[np.float32]:
    """The weights of the links between words and units, from their responses.

    Args:
        responses: S, (W, U). weight: 'raw' is S itself, 'positive' max(S, 0), 'absolute' |S|, 'signed'
            [max(S, 0), max(-S, 0)] side by side.

    Returns:
        (W, U), of 'signed' (W, 2 U): first the sides on which units are raised, then those on which they are lowered.
        Only 'raw' has negative ones.

    Raises:
        ParameterError: there is no such weight.
    """
    found = np.asarray(responses, np.float32)
    words, units = found.shape
    if weight == "raw":
        return found
    if weight == "positive":
        return np.maximum(found, 0)
    if weight == "absolute":
        return np.abs(found)
    if weight == "signed":
        both = np.empty((words, 2 * units), np.float32)
        np.maximum(found, 0, out=both[:, :units])
        np.subtract(both[:, :units], found, out=both[:, units:])
        return both
    raise ParameterError(f"There is no edge weight {str(weight)[:40]!r}.", f"Choose of: {', '.join(WEIGHTS)}.")
