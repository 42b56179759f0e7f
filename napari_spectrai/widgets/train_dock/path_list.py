"""A list of files and folders chosen by a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import Container, PushButton, Select
from psygnal import Signal
from qtpy.QtWidgets import QFileDialog

from napari_spectrai.widgets.dock import line


class PathList(Container[Any]):
    """Files and folders in order, with buttons to add and remove them.

    Parameters
    ----------
    title, tooltip : texts of the list
    repeated : whether a file may be listed more than once, such as one truth for several inputs

    Signals
    -------
    edited : the list has changed
    """

    edited = Signal()

    def __init__(self, title: str, tooltip: str, *, repeated: bool = False) -> None:
        self._title, self._repeated = title, repeated
        self._paths: list[Path] = []
        self._shown = Select(choices=self._choices, name="list", tooltip=tooltip)
        self._shown.native.setFixedHeight(64)
        self._shown.native.setAccessibleName(title)
        self._files = PushButton(text=f"{title} files…", name="files", tooltip=f"add files: {tooltip}")
        self._folder = PushButton(text="Folder…", name="folder", tooltip=f"add a folder: {tooltip}")
        self._remove = PushButton(text="Remove", name="remove", enabled=False, tooltip="remove the selected files from the list")
        super().__init__(widgets=[line(self._files, self._folder, self._remove), self._shown], labels=False)
        self.margins = (0, 0, 0, 0)
        self._files.changed.connect(self._ask_files)
        self._folder.changed.connect(self._ask_folder)
        self._remove.changed.connect(self._take_out)
        self._shown.changed.connect(lambda _: self._update())
        self._update()

    def _choices(self, _: Any = None) -> list[tuple[str, int]]:
        return [(name, number) for number, name in enumerate(_names(self._paths))]

    @property
    def paths(self) -> list[Path]:
        """The files and folders."""
        return list(self._paths)

    @paths.setter
    def paths(self, paths: Sequence[str | Path]) -> None:
        self._paths = [Path(path) for path in (paths if self._repeated else dict.fromkeys(map(str, paths)))]
        self._shown.reset_choices()
        self._update()
        self.edited.emit()

    def _update(self) -> None:
        self._shown.visible = bool(self._paths)
        self._remove.enabled = bool(self._shown.value)

    def _ask_files(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self.native, f"{self._title} files")
        if chosen:
            self.paths = [*self._paths, *chosen]

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self.native, f"{self._title} folder")
        if chosen:
            self.paths = [*self._paths, chosen]

    def _take_out(self) -> None:
        self.paths = [path for number, path in enumerate(self._paths) if number not in self._shown.value]


def _names(paths: Sequence[Path]) -> list[str]:
    """Return a distinct name for each path: its own, with its folder if another file has the same name."""
    plain = [path.name for path in paths]
    longer = [name if plain.count(name) == 1 else f"{path.parent.name}/{name}" for path, name in zip(paths, plain, strict=True)]
    return [name if longer.count(name) == 1 else f"{number}: {name}" for number, name in enumerate(longer, 1)]
