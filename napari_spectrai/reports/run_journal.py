"""The journal of a run, as its report shows it: the latest event of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.runs.events import Compared, Confusion, Epoch, Failed, Finished, Preview, Started
from napari_spectrai.runs.folder import RunFolder

Scores = dict[str, dict[str, dict[str, float]]]


@dataclass(slots=True)
class Journal:
    """The latest event of each kind in a journal."""

    started: Started | None = None
    epochs: dict[int, Epoch] = field(default_factory=dict)
    preview: Preview | None = None
    confusions: dict[str, Confusion] = field(default_factory=dict)
    ending: Finished | Failed | None = None
    compared: dict[str, Compared] = field(default_factory=dict)
    damaged: int = 0
    """Lines that cannot be read."""
    readable: bool = False

    @property
    def intervals(self) -> dict[str, dict[str, dict[str, list[float]]]]:
        """90 % intervals of the scores."""
        return self.ending.intervals if isinstance(self.ending, Finished) else {}

    @property
    def unit(self) -> str:
        """The unit of the spectral axis."""
        return "" if self.preview is None else self.preview.unit

    @property
    def metric(self) -> str:
        """Name of the metric that determines the best epoch."""
        return self.started.metric if self.started is not None else "mse"

    @property
    def best(self) -> Epoch | None:
        """The best epoch so far."""
        return next((epoch for epoch in reversed(self.epochs.values()) if epoch.best), None)

    def scores(self, card: ModelCard | None) -> Scores:
        """Scores by part and method; for a run that did not finish, those of the best model so far."""
        if isinstance(self.ending, Finished):
            return self.ending.scores
        if card is not None and card.scores:
            return card.scores
        if self.started is None:
            return {}
        baselines = {name: {self.metric: value} for name, value in self.started.baselines.items()}
        own = {} if self.best is None else {"network": self.best.metrics}
        return {"validation": baselines | own} if baselines or own else {}


def read_journal(folder: RunFolder, ending: Finished | Failed | None) -> Journal:
    """Read the journal of a run; `ending` is how it ended, if that is not yet in it.

    Raises
    ------
    ValueError
        If the journal cannot be read.
    """
    journal = Journal()
    try:
        for event in folder.lines():
            if event is None:
                journal.damaged += 1
                continue
            journal.readable = True
            journal.ending = None
            match event:
                case Started():
                    journal.started = event
                    journal.epochs = {number: epoch for number, epoch in journal.epochs.items() if number <= event.resumed_after}
                case Epoch():
                    journal.epochs[event.epoch] = event
                case Preview():
                    journal.preview = event
                case Confusion():
                    journal.confusions[event.part] = event
                case Compared():
                    journal.compared[event.name] = event
                case Finished() | Failed():
                    journal.ending = event
                case _:
                    pass
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder.journal} is damaged, or of another version: {type(error).__name__}: {error}") from error
    if journal.damaged and not journal.readable:
        raise ValueError(f"{folder.journal} is damaged, or of another version: none of its lines can be read")
    if ending is not None:
        journal.ending = ending
    return journal
