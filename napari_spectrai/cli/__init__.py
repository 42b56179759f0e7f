"""The command line. Exit codes: 0 done, 1 failed, 2 wrong use, 3 stopped and resumable."""

from __future__ import annotations

from collections.abc import Callable

from napari_spectrai.cli import applying, judging, working
from napari_spectrai.cli.shared import app

__all__ = ["app", "applying", "judging", "main", "working"]


def main(run: Callable[[], None] = app) -> None:
    """Run the command line."""
    run()
