"""The settings under napari-spectrai in napari's Preferences."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari.components import ViewerModel
from napari.settings import get_plugin_settings
from psygnal import SignalInstance

RUNS = "NAPARI_SPECTRAI_RUNS"
PLUGIN = "napari-spectrai"

_handed_on: str | None = None
_state = {"loaded": False}


@dataclass(frozen=True, slots=True)
class Preferences:
    """The current preferences.

    Attributes
    ----------
    runs_folder : Path or None
        Folder of trainings; None: in the user's data folder.
    device : str
        Default device of the docks.
    plot_theme : str
    measure_speed : bool
        Whether to run a few steps before a training to estimate its duration.
    """

    runs_folder: Path | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    plot_theme: Literal["as napari", "light", "dark"] = "as napari"
    measure_speed: bool = True


changed = SignalInstance((Preferences,), name="changed")
"""Emitted with the preferences when one of them was changed."""


def preferences() -> Preferences:
    """Return the current preferences."""
    settings = _settings()
    _state["loaded"] = True
    if settings is None:  # the plugin is not registered with napari, as in some scripts
        return Preferences()
    folder = str(settings.runs_folder).strip()
    return Preferences(Path(folder).expanduser() if folder else None, settings.device, settings.plot_theme, settings.measure_speed)


def is_loaded() -> bool:
    """Whether the preferences have been read."""
    return _state["loaded"]


def load() -> None:
    """Read the preferences for the first time, which takes napari a while: it reads the manifests of all plug-ins again.

    A dock does this in a turn of the event loop of its own. Nothing happens if they are known.
    """
    if not is_loaded():
        now = preferences()
        hand_on(now)
        if now.plot_theme != "as napari":
            changed.emit(now)


def theme_of_plots(viewer: ViewerModel) -> str:
    """Return the name of the theme for plots in that viewer; napari's until the preferences are known."""
    chosen = preferences().plot_theme if is_loaded() else "as napari"
    return viewer.theme if chosen == "as napari" else chosen


def _settings() -> Any:
    plugin = get_plugin_settings().get(PLUGIN)
    if plugin is None:
        return None
    settings = plugin.general
    # napari rebuilds the settings when plugins are added or removed
    settings.events.connect(_on_change)
    return settings


def _on_change(_: Any = None) -> None:
    now = preferences()
    hand_on(now)
    changed.emit(now)


def hand_on(now: Preferences) -> None:
    """Apply the preference to `runs.default_folder`, here and in child processes; a variable set outside takes precedence."""
    global _handed_on  # noqa: PLW0603  # what of the environment is ours
    if os.environ.get(RUNS) not in (None, "", _handed_on):
        return
    _handed_on = None if now.runs_folder is None else str(now.runs_folder)
    if _handed_on is None:
        os.environ.pop(RUNS, None)
    else:
        os.environ[RUNS] = _handed_on
