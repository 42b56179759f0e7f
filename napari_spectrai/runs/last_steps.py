"""The preprocessing steps that were applied last, remembered from session to session."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari_spectrai.files import make_folder
from napari_spectrai.preparation import Step, save_steps
from napari_spectrai.runs.folder import default_folder


def last_steps() -> Path:
    """Return the file of the steps that were applied last, which need not exist."""
    return default_folder() / "last-steps.yml"


def remember_steps(applied: Iterable[Step]) -> None:
    """Remember steps that are applied.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    make_folder(last_steps().parent)
    save_steps(applied, last_steps())
