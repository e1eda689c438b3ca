"""Which layers are extracted when nobody says. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.layerinfo import LayerInfo

MOST = 60_000  # filters: at 12 bytes each, 720 kB an instance
KINDS = ("conv", "linear", "recurrent")


def default_layers(layers: Iterable[LayerInfo], most: int = MOST) -> tuple[list[LayerInfo], list[LayerInfo], str]:
    """All layers that can be read while they have at most ``most`` filters together, else the first ones by depth.

    Convolutions, linear and recurrent layers; of a model that has none, whatever can be read.

    Returns:
        the layers chosen; those left out, each with its reason; a notice, '' unless some were left out for their size.
    """
    everything = sorted(layers, key=lambda info: info.order if info.order >= 0 else 1 << 30)
    usual = [info for info in everything if info.kind in KINDS] or everything
    readable = [info for info in usual if not info.reason]
    chosen = _prefix(readable, most)
    left_out = [info for info in usual if info.reason]
    if len(chosen) == len(readable):
        return chosen, left_out, ""
    reason = f"left out: the layers before it have {sum(info.filters for info in chosen):,} filters already"
    for info in readable[len(chosen) :]:
        left_out.append(LayerInfo.from_json({**info.to_json(), "reason": reason}))
    notice = (
        f"The first {len(chosen)} of {len(readable)} layers are shown; together they have "
        f"{sum(info.filters for info in chosen):,} filters, of {most:,} at most. Name others with layers=."
    )
    return chosen, left_out, notice


def _prefix(layers: Sequence[LayerInfo], most: int) -> list[LayerInfo]:
    """The longest beginning with at most ``most`` filters; at least one layer."""
    total, chosen = 0, list[LayerInfo]()
    for info in layers:
        total += info.filters
        if total > most and chosen:
            break
        chosen.append(info)
    return chosen
