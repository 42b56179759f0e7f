"""Preprocessing of spectra: steps, which are settings with a pure function ``(spectra, axis) -> (spectra, axis)``, and chains of them."""

from napari_spectrai.preparation.chain import Preparation
from napari_spectrai.preparation.chain_file import load_steps, read_steps, save_steps
from napari_spectrai.preparation.despike import Despike, find_spikes
from napari_spectrai.preparation.preprocessing import preparing, preprocess
from napari_spectrai.preparation.ready_chains import READY, ready_chain
from napari_spectrai.preparation.spikes.spike_report import Spikes
from napari_spectrai.preparation.step import NeighbourStep, SpatialStep, Step, steps

__all__ = [
    "READY", "Despike", "NeighbourStep", "Preparation", "SpatialStep", "Spikes", "Step", "find_spikes", "load_steps", "preparing",
    "preprocess", "read_steps", "ready_chain", "save_steps", "steps",
]  # fmt: skip
