"""Opening the document of an experiment for a command."""

from __future__ import annotations

import warnings
from pathlib import Path

from napari_spectrai.cli.app import console
from napari_spectrai.experiment import Experiment
from napari_spectrai.layer_axes import SpectralWarning


def opened(path: Path) -> Experiment:
    """Open an experiment, and print what was changed in a document of spectrai."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpectralWarning)
        experiment = Experiment.load(path)
    for warning in caught:
        console.print(str(warning.message), style="yellow", highlight=False, soft_wrap=True, markup=False)
    return experiment
