"""Temporary job folders, deleted when nobody collects the result."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_spectrai.runs.folder import RunFolder

_MARK = "passing"


@contextmanager
def job_folder(folder: str | Path | None = None) -> Iterator[RunFolder]:
    """Yield the folder of a job during preparation: the given one, else a temporary one, which is removed if the preparation fails."""
    if folder is not None:
        yield RunFolder(folder)
        return
    place = RunFolder(tempfile.mkdtemp(prefix="napari-spectrai-"))
    try:
        (place.path / _MARK).touch()
        yield place
    except BaseException:
        discard(place)
        raise


def discard(folder: RunFolder) -> None:
    """Remove the temporary folder of a job that nobody follows any more; a given folder, such as that of a training, is kept."""
    if (folder.path / _MARK).exists():
        shutil.rmtree(folder.path, ignore_errors=True)
