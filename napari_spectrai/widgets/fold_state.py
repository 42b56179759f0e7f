"""Remember from session to session which folds of the docks are open."""

from __future__ import annotations

import json
from pathlib import Path

from platformdirs import user_data_path

from napari_spectrai.files import write_text


def place() -> Path:
    """Return the file with the state of the folds."""
    return user_data_path("napari-spectrai", appauthor=False) / "folds.json"


def load(fold: str) -> bool | None:
    """Return whether a fold was left open; None if it was never touched."""
    left = _read().get(fold)
    return left if isinstance(left, bool) else None


def save(fold: str, *, is_open: bool) -> None:
    """Save whether a fold is open."""
    try:
        write_text(place(), json.dumps(_read() | {fold: is_open}, indent=1, sort_keys=True), durable=False)
    except OSError:  # a lost fold state is harmless, and a full disk is reported where it matters
        return


def _read() -> dict[str, object]:
    try:
        state = json.loads(place().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing was saved yet, or the file is damaged
        return {}
    return state if isinstance(state, dict) else {}
