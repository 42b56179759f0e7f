"""Model files that were opened, remembered from one session to the next."""

from __future__ import annotations

import json
from pathlib import Path

from napari_spectrai.files import write_text
from napari_spectrai.runs.folder import default_folder

MOST = 20
"""Model files that are remembered."""


def _file() -> Path:
    return default_folder() / "recent-models.json"


def recent_models() -> list[Path]:
    """Return the model files opened lately that are still there, the latest first."""
    try:
        paths = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or a damaged list, which the next model begins anew
        return []
    if not isinstance(paths, list):
        return []
    return [Path(path) for path in paths if isinstance(path, str) and Path(path).is_file()]


def remember_model(path: str | Path) -> None:
    """Put a model file at the head of the list.

    Raises
    ------
    OSError
        If the list cannot be written.
    """
    path = Path(path).absolute()
    kept = [path, *(other for other in recent_models() if other != path)]
    write_text(_file(), json.dumps([str(one) for one in kept[:MOST]], indent=1), durable=False)
