"""Modules of the docks, imported one by one while the window has nothing else to do, so that a dock opens without a long pause.

They are imported in the main thread: in another one, a process that ends meanwhile crashes.
"""

from __future__ import annotations

import gc
import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QTimer

from napari_spectrai.widgets import preferences

_PACKAGES = ("experiment", "preparation", "mapping", "plan", "widgets")
"""In this order: what others import comes first, so that no single import takes long."""
_OF_COMMANDS = ("demo",)
"""Modules of `widgets` that no dock needs."""
_APART = 30
"""Milliseconds between two imports, in which the window answers keys, clicks and repaints."""
_started: list[Any] = []


def begin() -> None:
    """Start, once in a process, if there is a window."""
    application = QCoreApplication.instance()
    if application is not None and not _started:
        _started.append(_WarmUp(application))


def modules() -> Iterator[str]:
    """Yield the names of the modules; those of whole docks last."""
    for package in _PACKAGES:
        name = f"napari_spectrai.{package}"
        found = [one.name for one in pkgutil.walk_packages(import_module(name).__path__, f"{name}.") if not one.ispkg]
        yield from (one for one in sorted(found, key=lambda one: one.count("_dock")) if one.rpartition(".")[2] not in _OF_COMMANDS)


class _WarmUp(QObject):
    def __init__(self, application: QCoreApplication) -> None:
        super().__init__(application)
        self._names = modules()
        self._timer = QTimer(self)
        self._timer.setInterval(_APART)
        self._timer.timeout.connect(self._next)
        self._timer.start()

    def _next(self) -> None:
        name = next((one for one in self._names if one not in sys.modules), None)
        if name is None and not preferences.is_loaded():
            preferences.load()
        elif name is None:
            self._timer.stop()
            gc.collect()  # now, while nobody waits, and not while a dock is opened: there are many objects more than before
        else:
            import_module(name)
