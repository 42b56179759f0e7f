"""The command line. Exit codes: 0 done, 1 failed, 2 usage error, 3 stopped and resumable."""

from __future__ import annotations

from collections.abc import Callable

from napari_spectrai.cli import evaluate_command, map_command, predict_command, train_command  # noqa: F401  # they register their commands
from napari_spectrai.cli.common import app

__all__ = ["app", "main"]


def main(run: Callable[[], None] = app) -> None:
    """Run the command line."""
    run()
