"""Preparing spectra: steps that are settings with a pure ``(spectra, axis) -> (spectra, axis)``, and chains of them."""

from napari_spectrai.preparation.chain import Preparation, preparing, preprocess
from napari_spectrai.preparation.document import load_steps, read_steps, save_steps
from napari_spectrai.preparation.step import SpatialStep, Step, steps

__all__ = ["Preparation", "SpatialStep", "Step", "load_steps", "preparing", "preprocess", "read_steps", "save_steps", "steps"]
