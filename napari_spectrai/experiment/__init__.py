"""The experiment document and its settings. Nothing here imports torch."""

from napari_spectrai.experiment.data_settings import Data, Split
from napari_spectrai.experiment.document import Experiment

__all__ = ["Data", "Experiment", "Split"]
