"""Folders of jobs whose results pass into the window: when nobody is there to take them, nothing of them stays."""

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
    """Yield the folder of a job while it is prepared: the one named, else a temporary one, which goes again if preparing fails."""
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
    """Remove the folder of a job that nobody follows any more; one that was named, as that of a training, stays."""
    if (folder.path / _MARK).exists():
        shutil.rmtree(folder.path, ignore_errors=True)
