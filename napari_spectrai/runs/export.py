"""Export a training: its document with its data next to it, and the command or script that runs it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.files import make_folder
from napari_spectrai.labels import Labels
from napari_spectrai.remedies import shell
from napari_spectrai.runs.folder import RunFolder, default_folder
from napari_spectrai.runs.start import data_in


def keep(experiment: Experiment, cubes: Any = None, truths: Any = None, path: str | Path | None = None) -> Path:
    """Write the document of a training so that it can be run anywhere, and return its path.

    Parameters
    ----------
    experiment : Experiment
    cubes, truths : Cube, array, layer or list of them, optional
        Default: the files named by ``experiment.data``. Data that are not an unchanged file are written into a folder next to the
        document, with the same name.
    path : path, optional
        Path of the document, ``.yml``; default: one in ``experiments``, next to the folder of the runs, which is the same for the same
        settings and data.

    Raises
    ------
    ValueError
        If the path does not end in ``.yml`` or ``.yaml``.
    """
    if path is None:
        stem = _content(experiment, cubes, truths)
        path = default_folder().parent / "experiments" / (stem or f"{datetime.now():%Y%m%d-%H%M%S-%f}") / "experiment.yml"
        if stem and path.exists():  # the same training was kept before
            return path
    path = Path(path).absolute()
    if path.suffix.lower() not in (".yml", ".yaml"):
        raise ValueError(f"{path.name}: an experiment is a YAML file; name it .yml")
    make_folder(path.parent)
    kept = data_in(experiment, cubes, truths, RunFolder(path.with_suffix("")))
    return kept.save(path)


def _content(experiment: Experiment, cubes: Any, truths: Any) -> str:
    """Return a hash of settings and data in memory; empty if some of the data are not in memory."""
    digest = hashlib.blake2b(experiment.to_yaml().encode(), digest_size=8)
    for items in (cubes, truths):
        for item in items if isinstance(items, list | tuple) else [] if items is None else [items]:
            if not isinstance(item, Cube | Labels) or not isinstance(item.data, np.ndarray):
                return ""
            about = (item.axis.to_json(), item.pixel_size) if isinstance(item, Cube) else (dict(item.names), dict(item.colours))
            digest.update(repr((item.data.shape, str(item.data.dtype), item.name, about, dict(item.metadata))).encode())
            digest.update(np.ascontiguousarray(item.data).data.cast("B"))
    return digest.hexdigest()


def command(document: Path) -> str:
    """Return the shell command that trains a document."""
    return shell("train", document)


def script(document: Path) -> str:
    """Return a Python script that trains a document and contains all its settings."""
    experiment = Experiment.load(document)
    text = experiment.to_yaml().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'''"""Train {experiment.task.title.lower()} with {experiment.network.title}."""

import yaml

import napari_spectrai as spectrai

experiment = spectrai.Experiment.from_mapping(
    yaml.safe_load(
        """
{text}"""
    )
)

if __name__ == "__main__":
    model = spectrai.train(experiment)
    print(model.card())
'''
