"""The parts of a split: their numbers in its maps, their names, and the colours that they are shown in."""

PARTS = {1: "training", 2: "validation", 3: "test"}
COLOURS = {1: "#2f78b7", 2: "#e69f00", 3: "#b4458f"}
"""Told apart also by the colour-blind."""
