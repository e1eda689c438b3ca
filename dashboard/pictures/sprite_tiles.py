"""Instances as tiles of shared sprites: the style of an element that shows one of them."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.errors import NotFound
from analysis.extraction.reader import Extraction
from dashboard.pictures import addresses, patches
from dashboard.pictures.patches import Patch

SPRITE = patches.MOST_PATCHES  # instances of one picture


def styles(found: Extraction, indices: Sequence[int], side: int) -> dict[int, dict[str, str]]:
    """CSS of each instance's tile, by its index; {} for data without pictures.

    side: pixels of the page that the longer side of a tile has. Instances outside the sample are left out.
    """
    there = [index for index in indices if found.row_of(index) is not None]
    made: dict[int, dict[str, str]] = {}
    for start in range(0, len(there), SPRITE):
        made |= _of_sprite(found, there[start : start + SPRITE], side)
    return made


def _of_sprite(found: Extraction, indices: Sequence[int], side: int) -> dict[int, dict[str, str]]:
    try:
        sheet = patches.sheet_of(patches.tiles(found, [Patch(index, ()) for index in indices]))
    except NotFound:
        return {}
    source = addresses.instances(found.directory.name, indices)
    scale = side / max(sheet.width, sheet.height)
    made = {}
    for place, index in enumerate(indices):
        row, across = divmod(place, sheet.columns)
        # Percentages of a background count from its free play, which is one tile less than the whole.
        x, y = 100 * across / max(1, sheet.columns - 1), 100 * row / max(1, sheet.rows - 1)
        made[index] = {
            "backgroundImage": f'url("{source}")',
            "backgroundSize": f"{100 * sheet.columns}% {100 * sheet.rows}%",
            "backgroundPosition": f"{x:.4f}% {y:.4f}%",
            "width": f"{max(1, round(sheet.width * scale))}px",
            "height": f"{max(1, round(sheet.height * scale))}px",
        }
    return made
