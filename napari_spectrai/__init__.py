"""napari-spectrai: deep learning on spectral images, inside napari and out of it.

>>> import napari_spectrai as spectrai

The names below load on first use, so that importing the package costs nothing and brings neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Cube": "cube",
    "SpectralAxis": "cube",
    "as_cube": "cube",
    "read": "io",
    "write": "io",
    "inspect": "io",
    "preprocess": "preparation.chain",
    "maps": "mapping.maps",
    "Experiment": "experiment",
    "launch": "runs",
    "Run": "runs",
    "train": "learn.train.fit",
    "fit": "learn.train.fit",
    "predict": "learn.inference.predict",
    "Model": "learn.model",
    "evaluate": "learn.evaluation.evaluate",
    "compare": "learn.evaluation.evaluate",
    "judge": "learn.evaluation.cubes",
    "sample": "samples",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604

if TYPE_CHECKING:
    from napari_spectrai.cube import Cube, SpectralAxis, as_cube
    from napari_spectrai.experiment import Experiment
    from napari_spectrai.io import inspect, read, write
    from napari_spectrai.learn.evaluation.cubes import judge
    from napari_spectrai.learn.evaluation.evaluate import compare, evaluate
    from napari_spectrai.learn.inference.predict import predict
    from napari_spectrai.learn.model import Model
    from napari_spectrai.learn.train.fit import fit, train
    from napari_spectrai.mapping.maps import maps
    from napari_spectrai.preparation.chain import preprocess
    from napari_spectrai.runs import Run, launch
    from napari_spectrai.samples import sample


def __getattr__(name: str) -> Any:
    if name == "widgets":  # the window, for those who have one
        return import_module(f"{__name__}.widgets")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOMES))
