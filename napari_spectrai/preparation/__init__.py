"""Preparing spectra: steps that are settings with a pure ``(spectra, axis) -> (spectra, axis)``, and chains of them."""

from napari_spectrai.preparation.chain import Preparation, preprocess
from napari_spectrai.preparation.step import Step, steps

__all__ = ["Preparation", "Step", "preprocess", "steps"]
