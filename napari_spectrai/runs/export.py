"""Export a training: its document with its data next to it, and the command or script that runs it."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_spectrai.experiment import Experiment
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
        Path of the document, ``.yml``; default: a new one in ``experiments``, next to the folder of the runs.

    Raises
    ------
    ValueError
        If the path does not end in ``.yml`` or ``.yaml``.
    """
    if path is None:
        stem = f"{datetime.now():%Y%m%d-%H%M%S-%f}"
        path = default_folder().parent / "experiments" / stem / "experiment.yml"
    path = Path(path).absolute()
    if path.suffix.lower() not in (".yml", ".yaml"):
        raise ValueError(f"{path.name}: an experiment is a YAML file; name it .yml")
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = data_in(experiment, cubes, truths, RunFolder(path.with_suffix("")))
    return kept.save(path)


def command(document: Path) -> str:
    """Return the shell command that trains a document."""
    return f"napari-spectrai train {shlex.quote(str(document))}"


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
