"""Kinds of operators: what the colour of the graph means when it is the type. A kind has a hue and a name."""

from __future__ import annotations

import re
from typing import Any

FAMILIES = (
    "convolution",
    "linear",
    "recurrent, attention",
    "normalization",
    "activation",
    "pooling, resizing",
    "other operators",
    "input, output, weights",
    "module of several kinds",
)
OTHER, END, MIXED = 6, 7, 8
# In this order: the first that is found in the type or the operator's name, both in lower case.
_WORDS: tuple[tuple[int, str], ...] = (
    (3, r"norm|local_response"),
    (2, r"lstm|gru|rnn|attention|transformer"),
    (5, r"pool|upsample|interpolate|pixel_?(un)?shuffle|resize"),
    (0, r"conv"),
    (1, r"linear|embedding|matmul|\bmm\b|bmm|addmm|bilinear|einsum"),
    (4, r"relu|elu\b|sigmoid|tanh|silu|swish|gelu|mish|softmax|softplus|hardtanh|prelu|glu\b|softsign|threshold"),
)


def family(node: dict[str, Any]) -> int:
    """Number of a call's kind in ``FAMILIES``."""
    if node.get("kind") in ("input", "output", "parameter"):
        return END
    text = f"{node.get('type', '')} {node.get('op', '')}".lower()
    return next((number for number, words in _WORDS if re.search(words, text)), OTHER)


def shared_family(numbers: set[int]) -> int:
    """The kind of a module: that of its calls, apart from what connects them, if they have one in common."""
    telling = {number for number in numbers if number not in (OTHER, END)}
    if len(telling) == 1:
        return telling.pop()
    return MIXED if telling else OTHER
