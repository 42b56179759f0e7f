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


def without_source(name: str, source: str) -> str:
    """Return the name of a layer without that of the layer it lies on, with which napari and the docks begin it."""
    for between in (" - ", " · "):
        if source and name.startswith(source + between) and len(name) > len(source + between):
            return name[len(source + between) :]
    return name
