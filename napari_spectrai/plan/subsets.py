"""The parts of a split: their numbers in maps, names and colours, and conversion of maps to labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_spectrai.labels import Colour, Labels

UNUSED, TRAINING, VALIDATION, TEST = 0, 1, 2, 3
"""Numbers in the map of a split."""

PARTS = {TRAINING: "training", VALIDATION: "validation", TEST: "test"}
COLOURS = {TRAINING: "#2f78b7", VALIDATION: "#e69f00", TEST: "#b4458f"}
"""Distinguishable also with colour blindness."""

Map = npt.NDArray[np.uint8]
"""A map (z, y, x) with the number of each pixel's part."""


def as_labels(maps: Sequence[npt.NDArray[np.uint8]]) -> list[Labels]:
    """Return maps (z, y, x) of parts as labels: (y, x) of an image, (z, y, x) of a volume, (n,) of a set of spectra."""
    shaped = [m[0] if m.shape[0] == 1 else m for m in maps]
    shaped = [m[:, 0] if m.ndim == 2 and m.shape[1] == 1 else m for m in shaped]
    colours: dict[int, Colour] = {}
    for part, code in COLOURS.items():
        red, green, blue = (int(code[at : at + 2], 16) / 255 for at in (1, 3, 5))
        colours[part] = (red, green, blue, 1.0)
    return [Labels(m, dict(PARTS), colours, name="split") for m in shaped]
