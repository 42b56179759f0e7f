"""Whether the score of a run can be compared with that of the run before it in the Train dock: by the pixels that both are of."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QWidget

from napari_spectrai.runs import Finished, RunFolder
from napari_spectrai.runs.comparability import Scored, compared, scored
from napari_spectrai.widgets.latest_only import LatestOnly


class Comparing:
    """Compares each run with the one before, on a thread.

    Parameters
    ----------
    dock : QWidget
        Its life is that of the comparison.
    say : function that shows a sentence
    """

    def __init__(self, dock: QWidget, say: Callable[[str], None]) -> None:
        self._before: Scored | None = None
        self._latest = LatestOnly(dock)
        self._latest.answered.connect(lambda words: say(words) if words else None)
        self._latest.failed.connect(lambda error: say(str(error)))

    def compare(self, folder: RunFolder, ending: Finished) -> None:
        """Compare a run that has just ended with the one before."""
        now = scored(folder, ending.scores)
        before, self._before = self._before, now
        if before is not None and now is not None:
            self._latest.ask(lambda: compared(before, now))
