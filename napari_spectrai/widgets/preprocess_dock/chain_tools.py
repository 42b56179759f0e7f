"""Tools for a list of steps: ready chains, add, undo and redo, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, PushButton, show_file_dialog
from psygnal import Signal

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.preparation import READY, ready_chain
from napari_spectrai.runs.last_steps import last_steps
from napari_spectrai.widgets.dock import as_field, line
from napari_spectrai.widgets.step_list import OrderedForm
from napari_spectrai.widgets.undo_keys import UndoKeys

_FILES = "YAML (*.yml *.yaml)"
_LAST = "last"


class ReadyChoice:
    """A choice of ready chains, which replace the steps.

    Parameters
    ----------
    axis : returns the axis of the layer, to which settings are adapted

    Signals
    -------
    chosen : the steps of a chain, as mappings
    reopened : the file of the steps that were applied last, perhaps on another day
    """

    chosen = Signal(list)
    reopened = Signal(Path)

    def __init__(self, axis: Callable[[], SpectralAxis | None]) -> None:
        self._axis = axis
        about = "; ".join(f"{chain.title}: {chain.about}" for chain in READY.values())
        self.choice = ComboBox(
            choices=lambda _: self._choices(), value="", name="ready",
            tooltip=f"replace the steps by a ready chain, or by those that were applied last, which can be undone. {about}.",
        )  # fmt: skip
        as_field(self.choice, "Ready chain")
        self.choice.changed.connect(self._on_choice)

    def _choices(self) -> list[tuple[str, str]]:
        last = [("Last applied", _LAST)] if last_steps().is_file() else []
        return [("Ready chain …", ""), *((chain.title, name) for name, chain in READY.items()), *last]

    def refresh(self) -> None:
        """Offer the steps that were applied last as soon as there are some."""
        with self.choice.changed.blocked():
            self.choice.reset_choices()

    def _on_choice(self, name: str) -> None:
        axis = self._axis()
        with self.choice.changed.blocked():
            self.choice.value = ""
        if name == _LAST:
            self.reopened.emit(last_steps())
        elif name and axis is not None:
            self.chosen.emit([step.model_dump(mode="json") for step in ready_chain(name, axis)])


class ChainTools(Container[Any]):
    """One row: add a step, undo, redo, load, save, and use the steps in training.

    Signals
    -------
    load, save : the path of a file
    """

    load = Signal(Path)
    save = Signal(Path)

    def __init__(self, form: OrderedForm) -> None:
        self._form = form
        self.undo = PushButton(text="↶", name="undo", enabled=False, tooltip="undo the last change of the steps (Ctrl+Z)")
        self.redo = PushButton(text="↷", name="redo", enabled=False, tooltip="repeat the change that was undone (Ctrl+Shift+Z)")
        self.load_button = PushButton(text="Load…", name="load", tooltip="open a list of steps (YAML), or the preparation of an experiment")
        self.save_button = PushButton(
            text="Save…", name="save", tooltip="save the steps as YAML, which napari-spectrai preprocess applies, too"
        )
        self.train = PushButton(text="Train", name="to_train", tooltip="use these steps as the preparation in the Train dock")
        buttons = (self.undo, self.redo, self.load_button, self.save_button, self.train)
        row = line(form.choice, *buttons)
        row.native.layout().setSpacing(3)
        row.native.layout().setStretch(0, 1)
        for button in buttons:
            button.native.setStyleSheet("padding: 2px 5px;")
        for button, words in ((self.undo, "Undo"), (self.redo, "Redo")):
            button.native.setFixedWidth(28)
            button.native.setAccessibleName(words)
        self.train.native.setAccessibleName("Use in Train")
        super().__init__(widgets=[row], labels=False, name="chain_tools")
        self.margins = (0, 0, 0, 0)
        self.undo.changed.connect(form.undo)
        self.redo.changed.connect(form.redo)
        self.load_button.changed.connect(self._on_load)
        self.save_button.changed.connect(self._on_save)

    def bind_keys(self, dock: Any) -> None:
        """Let Ctrl+Z and Ctrl+Shift+Z undo and redo wherever the focus is in a dock."""
        UndoKeys(dock, self._form.undo, self._form.redo)

    def refresh(self, *, usable: bool) -> None:
        """Enable what can be done."""
        self.undo.enabled, self.redo.enabled = self._form.can_undo, self._form.can_redo
        self.save_button.enabled = self.train.enabled = usable

    def _on_load(self) -> None:
        path = show_file_dialog(FileDialogMode.EXISTING_FILE, caption="Steps", filter=_FILES, parent=self.native)
        if path:
            self.load.emit(Path(str(path)))

    def _on_save(self) -> None:
        path = show_file_dialog(FileDialogMode.OPTIONAL_FILE, caption="Steps", filter=_FILES, parent=self.native)
        if path:
            self.save.emit(Path(str(path)))
