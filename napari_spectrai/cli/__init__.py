"""The command line. Exit codes: 0 done, 1 failed, 2 wrong use, 3 stopped and resumable."""

from __future__ import annotations

from collections.abc import Callable

from napari_spectrai.cli import evaluate_command as judging
from napari_spectrai.cli import map_command as mapping
from napari_spectrai.cli import predict_command as applying
from napari_spectrai.cli import train_command as working
from napari_spectrai.cli.common import app

__all__ = ["app", "applying", "judging", "main", "mapping", "working"]


def main(run: Callable[[], None] = app) -> None:
    """Run the command line."""
    run()
