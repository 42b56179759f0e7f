"""What is noise in spectral data, told from the data alone: its size, how it grows with intensity, how many components stand above it."""

from napari_spectrai.noise.anscombe import Stabiliser
from napari_spectrai.noise.components import eigenimages, leading, noise_of_bands
from napari_spectrai.noise.poisson_gaussian import NoiseModel, noise_model

__all__ = ["NoiseModel", "Stabiliser", "eigenimages", "leading", "noise_model", "noise_of_bands"]
