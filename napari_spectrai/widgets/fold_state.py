"""What the window remembers of how a person left it: which folds were open."""

from __future__ import annotations

import json
from pathlib import Path

from platformdirs import user_data_path

from napari_spectrai.files import write_text


def place() -> Path:
    """Return the file in which it is kept."""
    return user_data_path("napari-spectrai", appauthor=False) / "folds.json"


def was_open(fold: str) -> bool | None:
    """Return whether a fold was left open; None if nobody has touched it."""
    left = _read().get(fold)
    return left if isinstance(left, bool) else None


def leave(fold: str, *, is_open: bool) -> None:
    """Remember how a fold was left."""
    try:
        write_text(place(), json.dumps(_read() | {fold: is_open}, indent=1, sort_keys=True), durable=False)
    except OSError:  # a fold that is forgotten harms nobody, and a full disk is told where it does
        return


def _read() -> dict[str, object]:
    try:
        found = json.loads(place().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing is remembered yet, or it is damaged
        return {}
    return found if isinstance(found, dict) else {}
