"""The list of models and methods: those of runs, opened files, the bundled one, and methods without training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, Container, PushButton, show_file_dialog
from psygnal import Signal

from napari_spectrai.experiment.card import ModelCard, read_card
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.untrained import ready_kinds
from napari_spectrai.runs import all_runs, recent_models, remember_model
from napari_spectrai.samples import sample_model
from napari_spectrai.widgets.dock import line
from napari_spectrai.widgets.elided_choice import dress
from napari_spectrai.widgets.predict_dock.untrained_methods import offered
from napari_spectrai.widgets.stacked_when_narrow import as_wide_as_its_words

MOST_RUNS = 50
_WIDEST = 38
"""Largest number of letters of a name next to a check box."""
Entry = tuple[str, str]
"""The text shown, and the path or kind."""


def shown_name(model: Path | str, card: ModelCard) -> str:
    """Return the display name of a model: the name given in training, else that of the file, else that of the network."""
    if isinstance(model, str):
        return card.name
    name = card.experiment.name
    if name and not any(data.startswith(name) for data in card.trained_on):  # an unnamed run is called after its data
        return name
    return card.experiment.network.title if model.stem in ("best", "last") else model.stem.replace("_", " ")


def _when(card: ModelCard) -> str:
    """Return the time of day for a model created today, else the date."""
    try:
        made = datetime.strptime(card.date, "%Y-%m-%d %H:%M")  # local time, as it was written
    except ValueError:
        return card.date
    if made.date() == datetime.now().date():
        return f"{made:%H:%M}"
    year = "" if made.year == datetime.now().year else f" {made.year}"
    return f"{made.day} {made:%b}{year} {made:%H:%M}"


def _label(path: Path) -> str:
    """Return the label of a model file; one that cannot be read is listed by its file name, and the error appears when it is chosen."""
    try:
        card = read_card(path)
    except (ValueError, OSError):
        return f"{path.parent.name}/{path.name}"
    if path == sample_model():
        return "Bundled: Raman denoiser"
    data = f" for {card.experiment.name}" if card.experiment.name and card.experiment.name != shown_name(path, card) else ""
    return f"{shown_name(path, card)} ({_when(card)}) · {card.experiment.task.title}{data}"


def entries() -> list[Entry]:
    """Return all entries: recent runs, opened files, the bundled model, methods."""
    files = [folder.best for folder in all_runs()[:MOST_RUNS] if folder.best.exists()]
    files += [path for path in recent_models() if path not in files and path != sample_model()]
    if sample_model().exists():
        files.append(sample_model())
    found: list[Entry] = []
    taken: set[str] = set()
    for path in files:
        label, number = _label(path), 2
        while label in taken:  # a combo box needs distinct labels
            label, number = f"{_label(path)} ({number})", number + 1
        taken.add(label)
        found.append((label, str(path)))
    return [*found, *offered()]


class ModelList(Container[Any]):
    """The choice of a model, and a button for another file.

    Signals
    -------
    chosen : another model was chosen, or the list has changed
    refused : why a file cannot be opened, in words
    """

    chosen = Signal()
    refused = Signal(str)

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self.gone = ""
        """The file that was chosen last, if it no longer exists."""
        self.choice = ComboBox(
            # through a function: napari resets the choices of docked widgets whenever a layer comes or goes
            choices=lambda _: self._entries,
            nullable=True,
            name="model_choice",
            tooltip="models of your runs, files you opened, the bundled one, and methods that need no training",
        )
        dress(self.choice)
        self.choice.native.setAccessibleName("Model")
        self._open = PushButton(text="Open…", name="open_model", tooltip="a model file (.safetensors); it can be dragged onto napari, too")
        as_wide_as_its_words(self._open.native)
        super().__init__(widgets=[line(self.choice, self._open)], labels=False, label="Model", name="models")
        self.margins = (0, 0, 0, 0)
        self.choice.changed.connect(lambda _: self.chosen.emit())
        self._open.changed.connect(self._on_open)

    @property
    def model(self) -> Path | str | None:
        """The model file, or the kind of a method without training."""
        return as_model(self.choice.value)

    @property
    def found(self) -> list[Entry]:
        """The entries on offer."""
        return list(self._entries)

    def choose(self, model: str | Path) -> None:
        """Choose a method by its kind, or a model file, which is added to the list."""
        if model in [kind for _, kind in offered()]:
            self.choice.value = model
            return
        path = Path(model).absolute()
        try:
            read_card(path)
        except (ValueError, OSError) as error:
            if str(path) == self.choice.value:  # what is known of it is no longer true
                self.chosen.emit()
            self.refused.emit(str(error))
            return
        unwritten = ""
        try:
            if str(path) not in [value for _, value in self._entries]:
                remember_model(path)
        except OSError as error:
            unwritten = f"{path.name} is open, but will not be in the list next time ({error})"
            self._entries.insert(0, (_label(path), str(path)))
        self.refresh(keep=[] if not unwritten else self._entries[:1])
        self.choice.value = str(path)
        if unwritten:
            self.refused.emit(unwritten)

    def refresh(self, keep: Sequence[Entry] = ()) -> None:
        """Update the list; the chosen entry stays, and if its file has gone, nothing is chosen instead."""
        chosen = self.choice.value
        found = [*keep, *entries()]
        values = [value for _, value in found]
        with self.choice.changed.blocked():
            self._entries = []  # otherwise old entries would stay above new ones
            self.choice.reset_choices()
            self._entries = found
            self.choice.reset_choices()
            self.choice.value = chosen if chosen in values else None if chosen else next(iter(values), None)
        self.gone = chosen if chosen and chosen not in values else self.gone
        self.chosen.emit()

    def _on_open(self) -> None:
        path = show_file_dialog(FileDialogMode.EXISTING_FILE, caption="Model", filter="Models (*.safetensors)", parent=self.native)
        if path:
            self.choose(Path(str(path)))


def as_model(value: str | None) -> Path | str | None:
    """Return a value of the list as the path of a file or the kind of a method."""
    return value if value is None or value in ready_kinds() else Path(value)


def named(value: str) -> str:
    """Return the short name of an entry."""
    model = as_model(value)
    if model is None or isinstance(model, str):
        return networks[value].title
    try:
        return shown_name(model, read_card(model))
    except (ValueError, OSError):
        return model.name


def state_of(model: Path) -> tuple[int, int] | None:
    """Return what changes with the content of a file: when it was written, and its size; None where there is none."""
    try:
        found = model.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class Ticks(Container[Any]):
    """A check box for each of several things; ticked ones stay ticked when the list is rebuilt.

    Signals
    -------
    updated : a box was ticked or cleared
    """

    updated = Signal()

    def __init__(self, name: str, tooltip: str) -> None:
        self._tooltip = tooltip
        self._boxes: list[tuple[Any, CheckBox]] = []
        super().__init__(name=name, labels=False)
        self.margins = (0, 0, 0, 0)

    def offer(self, things: Sequence[tuple[str, Any]], ticked: Callable[[Any], bool] = lambda _: False) -> None:
        """Offer things by name; `ticked` determines which new ones are ticked at first."""
        before = [(thing, box.value) for thing, box in self._boxes]
        self.clear()
        self._boxes = []
        for name, thing in things:
            on = next((value for other, value in before if other is thing or other == thing), None)
            shown = name if len(name) <= _WIDEST else f"{name[: _WIDEST // 2].rstrip()} … {name[-_WIDEST // 2 :].lstrip()}"
            tooltip = f"{name}: {self._tooltip}"
            box = CheckBox(value=ticked(thing) if on is None else on, text=shown.replace("&", "&&"), tooltip=tooltip)
            box.changed.connect(lambda _: self.updated.emit())
            self.append(box)
            self._boxes.append((thing, box))

    @property
    def ticked(self) -> list[Any]:
        """The ticked things."""
        return [thing for thing, box in self._boxes if box.value]

    def tick(self, things: Sequence[Any]) -> None:
        """Tick these, and no others."""
        for thing, box in self._boxes:
            with box.changed.blocked():
                box.value = thing in things
        self.updated.emit()
