"""Estimation of noise from spectral data: its level, its dependence on intensity, and the number of components above it."""

from napari_spectrai.noise.anscombe import Stabiliser
from napari_spectrai.noise.components import eigenimages, leading, noise_of_bands
from napari_spectrai.noise.poisson_gaussian import NoiseModel, noise_model

__all__ = ["NoiseModel", "Stabiliser", "eigenimages", "leading", "noise_model", "noise_of_bands"]
