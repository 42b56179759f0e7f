"""The experiment document and its settings. Nothing here imports torch."""

from napari_spectrai.experiment.document import Data, Experiment, Split

__all__ = ["Data", "Experiment", "Split"]
