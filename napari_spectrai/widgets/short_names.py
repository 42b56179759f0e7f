"""Names of layers in few letters: the end stays, where results differ from their source, as in the layer list of napari."""

from __future__ import annotations

MOST = 36
"""Largest number of letters of a name next to others."""


def short(name: str, most: int = MOST) -> str:
    """Return a name with "…" in its middle, if it has more than `most` letters."""
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end].rstrip()}…{name[-end:].lstrip()}"
