"""A range of the spectrum that is dragged in one dock and followed by others."""

from __future__ import annotations

from napari.layers import Image
from psygnal import SignalInstance

dragged = SignalInstance((Image, float, float, bool), name="dragged", check_nargs_on_connect=False)
"""Emitted with the layer, the first and last position in the unit of its axis, and whether the range has been let go."""
