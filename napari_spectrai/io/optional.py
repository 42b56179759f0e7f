"""Libraries that only some formats need: imported on demand, and named when missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def need(module: str, what: str) -> Any:
    """Import `module`, or raise an error that says how to install it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{what} needs the package {module.partition(".")[0]!r}, which is not installed; run: pip install "napari-spectrai[formats]"'
        ) from error
