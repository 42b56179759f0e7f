"""What a person has set in napari's Preferences under napari-spectrai."""

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


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences as they stand.

    Attributes
    ----------
    runs_folder : Path or None
        Where trainings are kept; None: in the user's data folder.
    device : str
        What docks begin with.
    plot_theme : str
    measure_speed : bool
        Whether a few steps are tried before a training, to tell how long it will take.
    """

    runs_folder: Path | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    plot_theme: Literal["as napari", "light", "dark"] = "as napari"
    measure_speed: bool = True


changed = SignalInstance((Preferences,), name="changed")
"""Emitted with the preferences when one of them has been changed."""


def preferences() -> Preferences:
    """Return the preferences as they stand."""
    told = _settings()
    if told is None:  # napari does not know the plugin, as in a script without it
        return Preferences()
    folder = str(told.runs_folder).strip()
    return Preferences(Path(folder).expanduser() if folder else None, told.device, told.plot_theme, told.measure_speed)


def theme_of_plots(viewer: ViewerModel) -> str:
    """Return the name of the theme in which plots beside that viewer are drawn."""
    chosen = preferences().plot_theme
    return viewer.theme if chosen == "as napari" else chosen


def _settings() -> Any:
    plugin = get_plugin_settings().get(PLUGIN)
    if plugin is None:
        return None
    settings = plugin.general
    # napari makes the settings anew when plugins come and go
    settings.events.connect(_on_change)
    return settings


def _on_change(_: Any = None) -> None:
    now = preferences()
    hand_on(now)
    changed.emit(now)


def hand_on(now: Preferences) -> None:
    """Let `runs.default_folder`, here and in child processes, follow the preference; a variable that was set outside comes first."""
    global _handed_on  # noqa: PLW0603  # what of the environment is ours
    if os.environ.get(RUNS) not in (None, "", _handed_on):
        return
    _handed_on = None if now.runs_folder is None else str(now.runs_folder)
    if _handed_on is None:
        os.environ.pop(RUNS, None)
    else:
        os.environ[RUNS] = _handed_on


hand_on(preferences())
