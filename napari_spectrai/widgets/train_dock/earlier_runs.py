"""Runs of before in the Train dock: how one goes on, and what of its document the form shows."""

from __future__ import annotations

from napari_spectrai.experiment import Experiment
from napari_spectrai.runs import Run, RunFolder


def resumed(folder: RunFolder) -> Run:
    """Return a run that goes on: resumed, or attached where another process is working on it.

    Raises
    ------
    OSError
        If its folder is gone, or its process cannot be started.
    """
    if not folder.document.exists():
        raise FileNotFoundError(f"{folder.path} no longer exists; it cannot be resumed")
    if folder.owner() is not None:
        return Run.attach(folder)
    run = Run(folder.path)
    run.resume()
    return run


def document_of(folder: RunFolder) -> Experiment:
    """Return the document of a run, without files that are copies of layers, which are in the run folder until the run has finished.

    Missing files are reported next to their list.

    Raises
    ------
    OSError, ValueError
        If it cannot be read.
    """
    document = folder.experiment()
    data = document.data
    if data.input and not any(path.is_relative_to(folder.path) for path in data.input):
        return document
    return document.model_copy(update={"data": data.model_copy(update={"input": [], "truth": []})})
