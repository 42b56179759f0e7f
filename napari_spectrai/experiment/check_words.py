"""Words that several checks of an experiment share."""

from __future__ import annotations

from typing import get_args

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.document import Experiment
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.labels import Labels
from napari_spectrai.spec import listed


def name_of(cube: Cube | Labels) -> str:
    """Return the name of a cube or labels, quoted."""
    return repr(cube.name or "cube")


def sizes_of(shape: tuple[int, ...]) -> str:
    """Return the lengths of sides, such as ``75 × 70``."""
    return " × ".join(map(str, shape))


def of_spectra(experiment: Experiment) -> str:
    """Return how to switch to single spectra: by a setting of the network if it has one, else by another network."""
    dims = type(experiment.network).model_fields.get("dims")
    if dims is not None and 1 in get_args(dims.annotation):
        return "set network.dims=1"
    kinds = [kind for kind in networks if experiment.task.suits(networks[kind].tasks) and networks[kind].dimensions == (1,)]
    learning = [kind for kind in kinds if not networks[kind].classical]
    return f"choose a network of single spectra; {listed(learning or kinds)}"
