"""What is noise in spectral data, told from the data alone: its size, how it grows with intensity, how many components stand above it."""

from napari_spectrai.noise.components import eigenimages, leading, noise_of_bands
from napari_spectrai.noise.model import NoiseModel, noise_model
from napari_spectrai.noise.stabilise import Stabiliser

__all__ = ["NoiseModel", "Stabiliser", "eigenimages", "leading", "noise_model", "noise_of_bands"]
