"""Every attribution method there is, in one explicit list, in the order in which the page offers them."""

from __future__ import annotations

from analysis.attribution.method import Method
from analysis.attribution.methods import integrated_gradients, saliency
from analysis.errors import ParameterError

METHODS: tuple[Method, ...] = (
    saliency.METHOD,
    integrated_gradients.METHOD,
)


def get(name: str) -> Method:
    """The method of this name. Raises ParameterError if there is none."""
    for method in METHODS:
        if method.name == name:
            return method
    listed = ", ".join(method.name for method in METHODS)
    raise ParameterError(f"There is no attribution method {name[:60]!r}.", f"Choose one of: {listed}.")
