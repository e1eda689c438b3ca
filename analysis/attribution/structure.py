"""What a model is made of, as far as methods depend on it: one pass, watched operation by operation."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Structure:
    """Facts about a model, found in one pass with gradients.

    gradient: '' if the score has a finite gradient at the input that is not 0 everywhere, else why not.
    """

    kind: str = ""
    gradient: str = ""
    layers: tuple[str, ...] = field(default=())


def gradient_flows(structure: Structure) -> str:
    """For methods that need nothing but the gradient at the input."""
    return structure.gradient
