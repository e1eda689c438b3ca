"""The weights of a layer that sees an image itself: filters small enough to be looked at as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound

CHANNELS = (1, 3)  # grey, or red, green and blue


def weights(session: Any, context: Any, *, layer: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:  # noqa: ARG001
    """The filters of a convolution on an image of one or three channels.

    Args:
        session: the subject with the weights asked for. layer: key of the layer.

    Returns:
        {"channels": 1 or 3, "low", "high": smallest and largest weight} and {"weights": float32 (F, channels, kh, kw)}.

    Raises:
        NotFound: no such layer, or its filters are no pictures.
    """
    [info] = session.infos([layer])
    module = dict(session.model.named_modules(remove_duplicate=False)).get(info.name)
    weight = getattr(module, "weight", None)
    # A depthwise filter has one channel as well, but not one of the image.
    if getattr(module, "in_channels", None) not in CHANNELS or weight is None or weight.ndim != 4:
        raise NotFound(
            f"The weights of {layer} are no picture.", "Only a convolution on one or three channels has such weights."
        )
    values = weight.detach().float().cpu().numpy().astype(np.float32)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return {"channels": int(values.shape[1]), "low": low, "high": high}, {"weights": values}
