"""How labels of another shape become those of an image."""

from __future__ import annotations

import math


def resized(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Return how labels of another shape become those of an image; empty if it is not known."""
    remedy = ""
    if shape[: len(wanted)] == wanted:
        remedy = "give one number for each pixel: of one mask for each class, np.where(labels.any(-1), labels.argmax(-1) + 1, 0)"
        if shape[-1] in (3, 4):
            colours = f"np.unique(labels.reshape(-1, {shape[-1]}), axis=0, return_inverse=True)[1].reshape(labels.shape[:-1])"
            remedy += f"; of colours, {colours}"
    elif shape[-len(wanted) :] == wanted:
        remedy = (
            "give the plane that belongs to the input, such as labels[0], or of one mask for each class, "
            "np.where(labels.any(0), labels.argmax(0) + 1, 0)"
        )
    elif shape == wanted[::-1]:
        remedy = "their rows and columns seem exchanged: give labels.T"
    elif len(wanted) == 1:
        remedy = "give one label for each spectrum, in their order"
    elif len(shape) == 1 and shape[0] == math.prod(wanted):
        remedy = f"if they are in the order of its pixels, row by row, give labels.reshape({', '.join(map(str, wanted))})"
    elif len(shape) == len(wanted):
        remedy = "crop or resample one of them, or set their pixel sizes and positions (scale and translate of layers)"
    return f"; {remedy}" if remedy else ""
