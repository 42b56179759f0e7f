"""Recently opened model files, remembered from session to session."""

from __future__ import annotations

import json
from pathlib import Path

from napari_spectrai.files import write_text
from napari_spectrai.runs.folder import default_folder

MOST = 20
"""Number of model files remembered."""


def _file() -> Path:
    return default_folder() / "recent-models.json"


def recent_models() -> list[Path]:
    """Return the model files opened recently that still exist, latest first."""
    try:
        paths = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no list yet, or a damaged one, which the next model replaces
        return []
    if not isinstance(paths, list):
        return []
    return [Path(path) for path in paths if isinstance(path, str) and Path(path).is_file()]


def remember_model(path: str | Path) -> None:
    """Put a model file at the top of the list.

    Raises
    ------
    OSError
        If the list cannot be written.
    """
    path = Path(path).absolute()
    kept = [path, *(other for other in recent_models() if other != path)]
    write_text(_file(), json.dumps([str(one) for one in kept[:MOST]], indent=1), durable=False)
