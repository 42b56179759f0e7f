"""napari-spectrai: deep learning on spectral images, inside napari and out of it.

>>> import napari_spectrai as spectrai

The names below load on first use, so that importing the package costs nothing and brings neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Cube": "cube",
    "SpectralAxis": "spectral_axis",
    "SpectralWarning": "layer_axes",
    "as_cube": "conversion",
    "Labels": "labels",
    "as_labels": "label_conversion",
    "read": "io",
    "write": "io",
    "inspect": "io",
    "preprocess": "preparation.preprocessing",
    "maps": "mapping.maps",
    "region_means": "mapping.regions",
    "Preparation": "preparation.chain",
    "Experiment": "experiment",
    "launch": "runs",
    "Run": "runs",
    "train": "learn.fit",
    "fit": "learn.fit",
    "sweep": "learn.sweep",
    "predict": "learn.inference.predict",
    "Prediction": "learn.inference.prediction",
    "Model": "learn.model",
    "evaluate": "learn.evaluation.evaluate",
    "compare": "learn.evaluation.evaluate",
    "judge": "learn.evaluation.evaluate",
    "Evaluation": "runs.evaluation",
    "write_report": "reports.run_report",
    "figure": "reports.figure",
    "Figure": "reports.figure",
    "sample": "samples",
    "Sample": "samples",
}

__all__ = [
    "Cube",
    "Evaluation",
    "Experiment",
    "Figure",
    "Labels",
    "Model",
    "Prediction",
    "Preparation",
    "Run",
    "Sample",
    "SpectralAxis",
    "SpectralWarning",
    "__version__",
    "as_cube",
    "as_labels",
    "compare",
    "evaluate",
    "figure",
    "fit",
    "inspect",
    "judge",
    "launch",
    "maps",
    "predict",
    "preprocess",
    "read",
    "region_means",
    "sample",
    "sweep",
    "train",
    "widgets",
    "write",
    "write_report",
]

if TYPE_CHECKING:
    from napari_spectrai import widgets
    from napari_spectrai.conversion import as_cube
    from napari_spectrai.cube import Cube
    from napari_spectrai.experiment import Experiment
    from napari_spectrai.io import inspect, read, write
    from napari_spectrai.label_conversion import as_labels
    from napari_spectrai.labels import Labels
    from napari_spectrai.layer_axes import SpectralWarning
    from napari_spectrai.learn.evaluation.evaluate import compare, evaluate, judge
    from napari_spectrai.learn.fit import fit, train
    from napari_spectrai.learn.inference.predict import predict
    from napari_spectrai.learn.inference.prediction import Prediction
    from napari_spectrai.learn.model import Model
    from napari_spectrai.learn.sweep import sweep
    from napari_spectrai.mapping.maps import maps
    from napari_spectrai.mapping.regions import region_means
    from napari_spectrai.preparation.chain import Preparation
    from napari_spectrai.preparation.preprocessing import preprocess
    from napari_spectrai.reports.figure import Figure, figure
    from napari_spectrai.reports.run_report import write_report
    from napari_spectrai.runs import Run, launch
    from napari_spectrai.runs.evaluation import Evaluation
    from napari_spectrai.samples import Sample, sample
    from napari_spectrai.spectral_axis import SpectralAxis


def __getattr__(name: str) -> Any:
    if name == "widgets":  # the window, for those who have one
        return _import_module(f"{__name__}.widgets")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
