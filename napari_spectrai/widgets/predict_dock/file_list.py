"""Files that a model is applied to, added one by one or by the folder and inspected in the background; and the folder of the results."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit, PushButton, show_file_dialog
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io import SpectralWarning, read
from napari_spectrai.io.folders import spectral_files, stem
from napari_spectrai.widgets.dock import line, rows, text
from napari_spectrai.widgets.latest_only import LatestOnly

SHOWN = 6
"""Largest number of files that are listed by name."""
_ASK, _SKIP, _OVERWRITE = "choose …", "skip existing", "overwrite"


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of a file before the model is applied: its axis and whether it is an image, or why it cannot be read."""

    path: Path
    axis: SpectralAxis | None = None
    is_image: bool = False
    trouble: str = ""


def _look(paths: Sequence[Path]) -> list[Looked]:
    found = []
    for path in paths:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SpectralWarning)
                cube = read(path)
            found.append(Looked(path, cube.axis, cube.is_image))
        except (ValueError, OSError, ModuleNotFoundError) as error:
            found.append(Looked(path, trouble=str(error)))
    return found


def _some(words: Sequence[str], between: str) -> str:
    """Return the first few words, and how many more there are."""
    return between.join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")


class FileList(Container[Any]):
    """Files, and the folder for their results.

    Signals
    -------
    updated : the list, what is known of its files, or the folder of the results has changed
    """

    updated = Signal()

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self.looked: list[Looked] = []
        self.made: set[Path] = set()
        """Results that were written from here."""
        self._names = text("files")
        self._add = PushButton(text="Add files…", name="add_files", tooltip="add spectral files to apply the model to")
        self._folder = PushButton(
            text="Add a folder…", name="add_folder", tooltip="add all spectral files of a folder; a .zarr folder counts as one file"
        )
        self._clear = PushButton(text="Clear", name="clear_files", tooltip="remove all files from the list")
        self.out = FileEdit(
            mode=FileDialogMode.EXISTING_DIRECTORY, nullable=True, value=None, label="Output folder", name="results",
            tooltip="folder for the results, each named <file>-<model>.zarr; empty: next to each file",
        )  # fmt: skip
        self.out.line_edit.native.setPlaceholderText("next to each file")
        self.existing = ComboBox(
            choices=[_ASK, _SKIP, _OVERWRITE], value=_ASK, label="Existing files", name="existing",
            tooltip="what to do with results of this model that already exist",
        )  # fmt: skip
        super().__init__(
            widgets=[line(self._add, self._folder, self._clear), self._names, rows(self.out, self.existing)], labels=False, name="file_list"
        )
        self.margins = (0, 0, 0, 0)
        self._add.changed.connect(self._on_add)
        self._folder.changed.connect(self._on_folder)
        self._clear.changed.connect(lambda: self.fill([]))
        self.out.changed.connect(lambda _: self.updated.emit())
        self.existing.changed.connect(lambda _: self.updated.emit())
        self._show()

    def live_in(self, parent: QWidget) -> None:
        """Inspect files for as long as `parent` exists."""
        self._work = LatestOnly(parent)
        self._work.answered.connect(self._on_looked)
        self._work.failed.connect(lambda error: self._on_looked([Looked(path, trouble=str(error)) for path in self._paths]))

    def leave(self) -> None:
        """Release the thread."""
        self._work.leave()

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return list(self._paths)

    def fill(self, paths: Sequence[str | Path]) -> None:
        """Replace the list by these files, and inspect them in the background."""
        self._paths = list(dict.fromkeys(Path(path).absolute() for path in paths))
        self.looked = []
        wanted = list(self._paths)
        if wanted:
            self._work.ask(lambda: _look(wanted))
        self._show()
        self.updated.emit()

    def _on_looked(self, looked: list[Looked]) -> None:
        if [one.path for one in looked] == self._paths:
            self.looked = looked
            self._show()
            self.updated.emit()

    @property
    def looking(self) -> bool:
        """Whether files are still being inspected."""
        return bool(self._paths) and not self.looked

    @property
    def first_axis(self) -> SpectralAxis | None:
        """The axis of the first file that can be read."""
        return next((one.axis for one in self.looked if one.axis is not None), None)

    def _show(self) -> None:
        plain = [path.name for path in self._paths]
        names = [f"{path.parent.name}/{path.name}" if plain.count(path.name) > 1 else path.name for path in self._paths]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        self._names.value = (
            f"{len(names)} file{'s' if len(names) > 1 else ''}: {', '.join(names[:SHOWN])}{more}" if names else "No files yet."
        )
        self._clear.enabled = bool(names)

    def destination(self, path: Path, model: str) -> Path:
        """Return the path of the result of a file."""
        folder = path.parent if self.out.value in (None, "", Path()) else Path(str(self.out.value))
        words = "-".join("".join(c if c.isalnum() or c in "-_." else " " for c in model).split())
        return folder / f"{stem(path)}-{words}.zarr"

    def ready(self, model: str, against: Callable[[Looked], str]) -> tuple[list[tuple[Path, Path]], str, str]:
        """Return the files with the paths of their results, what prevents the start, and a note on files that are left out.

        Parameters
        ----------
        against : returns why the model cannot be applied to a file, or an empty text
        """
        self.existing.visible = False
        if not self._paths or self.looking:
            return [], *(("", "reading the headers of the files …") if self.looking else ("Add the files to apply the model to.", ""))
        unfit = [(one.path, one.trouble or against(one)) for one in self.looked]
        left_out = [f"{path.name}: {words}" for path, words in unfit if words]
        note = f"Left out: {_some(left_out, '; ')}" if left_out else ""
        pairs = [(path, self.destination(path, model)) for path, words in unfit if not words]
        if not pairs:
            return [], note, ""
        places = [place for _, place in pairs]
        twice = next((place for place in places if places.count(place) > 1), None)
        if twice is not None:
            return [], f"Two files would both be saved as {twice.name}; remove one of them, or process them separately.", note
        return self._without_existing(pairs, [place for place in places if place.exists()], note)

    def _without_existing(
        self, pairs: list[tuple[Path, Path]], there: Sequence[Path], note: str
    ) -> tuple[list[tuple[Path, Path]], str, str]:
        """Apply the choice made for existing results, or ask for one."""
        self.existing.visible = bool(there)
        names, answer = _some([place.name for place in there], ", "), self.existing.value
        if there and answer == _ASK and self.made.issuperset(there):
            return [], "", "These files have their results; to predict them again, choose what to do with those."
        if there and answer == _ASK:
            verb = "exists" if len(there) == 1 else "exist"
            return [], f"{names} already {verb}; choose what to do with them, or choose another folder.", note
        if there and answer == _SKIP:
            pairs = [(path, place) for path, place in pairs if place not in there]
            if not pairs:
                return [], "All results exist already and are kept; overwrite them, or choose another folder.", note
            note = f"Skipped, since their results exist: {names}. {note}".strip()
        return pairs, "", note

    def _on_add(self) -> None:
        paths = show_file_dialog(FileDialogMode.EXISTING_FILES, caption="Spectral files", parent=self.native)
        if paths:
            self.fill([*self._paths, *(Path(str(path)) for path in paths)])

    def _on_folder(self) -> None:
        folder = show_file_dialog(FileDialogMode.EXISTING_DIRECTORY, caption="A folder of spectral files", parent=self.native)
        if folder:
            chosen = Path(str(folder))
            # a Zarr store is a folder, too
            self.fill([*self._paths, *([chosen] if chosen.suffix.lower() == ".zarr" else spectral_files(chosen))])
