"""Open a file as a spectral image: choose one of its arrays, the spectral dimension, and the roles of the columns of a table."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit, LineEdit, PushButton
from napari.qt.threading import thread_worker
from napari.viewer import Viewer

from napari_spectrai.io import Column, SpectralWarning, columns_of, inspect, read
from napari_spectrai.io.columns import ROLES
from napari_spectrai.widgets.dock import Dock, message, rows, say, text
from napari_spectrai.widgets.first_look import band_contrast
from napari_spectrai.widgets.layers import LayerData, layers_from_file

_FROM_FILE = "from the file"
_MOST_COLUMNS, _LONGEST_TITLE = 24, 18


class OpenDock(Dock):
    """Open any file that napari-spectrai reads, including those that napari's own readers claim, and containers of several arrays.

    From a script: set ``dock.path``, perhaps ``dock.array.value``, ``dock.dimension.value``, ``dock.size.value`` (as ``"40 × 50"``) and
    the roles in ``dock.columns``, and call ``dock.open()``.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._arrays: dict[str, tuple[int, ...]] = {}
        self._columns: list[Column] = []
        self._file = FileEdit(
            mode=FileDialogMode.EXISTING_FILE, label="File", name="file", tooltip="a spectral file; for Zarr, type the path of its folder"
        )
        self.array = ComboBox(
            choices=self._names, nullable=True, label="Array", name="array", tooltip="the array of the file that holds the spectra"
        )
        self.dimension = ComboBox(
            choices=self._dimensions,
            label="Spectral dimension",
            name="dimension",
            tooltip="the dimension of the array that holds the bands",
        )
        self.size = LineEdit(
            label="Image size",
            name="size",
            tooltip="height × width of an image whose pixels the file lists one after another; empty: as the file says",
        )
        self.columns = Container[ComboBox](labels=True, name="columns", visible=False)
        self._about, self._problem = text("about", "Choose a file."), message()
        self._open = PushButton(text="Open", name="open", enabled=False, tooltip="open it as a layer with its spectral axis")
        super().__init__(
            "Open", [rows(self._file, self.array, self.dimension, self.size), self.columns, self._about, self._problem, self._open]
        )
        self._file.changed.connect(self._on_file)
        self.array.changed.connect(self._on_array)
        self.dimension.changed.connect(self._look)
        self.size.changed.connect(self._look)
        self._open.changed.connect(self.open)

    def _names(self, _: Any = None) -> list[tuple[str, str]]:
        wide = {name: shape for name, shape in self._arrays.items() if len(shape) > 1}
        # single spectra where there is nothing else
        return [(f"{name}   {' × '.join(map(str, shape))}", name) for name, shape in (wide or self._arrays).items()]

    def _dimensions(self, _: Any = None) -> list[tuple[str, int]]:
        shape = self._arrays.get(self.array.value or "", ())
        return [(_FROM_FILE, -1), *((f"{number}: {length} bands", number) for number, length in enumerate(shape))]

    @property
    def path(self) -> Path:
        """The file."""
        return Path(str(self._file.value))

    @path.setter
    def path(self, path: str | Path) -> None:
        self._file.value = Path(path)

    @property
    def problem(self) -> str:
        """The error message."""
        return str(self._problem.value)

    @property
    def about(self) -> str:
        """Description of the file."""
        return str(self._about.value)

    def _on_file(self, _: Any = None) -> None:
        say(self._problem, "")
        try:
            self._arrays = inspect(self.path)
            self._columns = columns_of(self.path)
        except (ValueError, OSError, ModuleNotFoundError) as error:
            self._arrays, self._columns = {}, []
            say(self._problem, str(error))
        with self.array.changed.blocked():
            self.array.reset_choices()
            names = [name for _, name in self._names()]
            self.array.value = names[0] if len(names) == 1 else None
        with self.size.changed.blocked():
            self.size.value = ""
        self._show_columns()
        self._on_array()

    def _show_columns(self) -> None:
        """Offer the role of each column of a table; of tables of very many the first ones, which hold what is not intensity."""
        self.columns.clear()
        for number, column in enumerate(self._columns[:_MOST_COLUMNS]):
            role = ComboBox(
                choices=ROLES,
                value=column.role,
                label=column.name[:_LONGEST_TITLE],
                name=f"column_{number}",
                tooltip=f"what {column.name!r} is, which begins {', '.join(column.sample)}",
            )
            role.changed.connect(self._look)
            self.columns.append(role)
        self.columns.visible = bool(self._columns)

    def _on_array(self, _: Any = None) -> None:
        with self.dimension.changed.blocked():
            self.dimension.reset_choices()
            self.dimension.value = -1
        self._look()

    def _options(self) -> dict[str, Any]:
        several = len(self._names()) > 1
        place = self.dimension.value
        found: dict[str, Any] = {} if not self.size.value.strip() else {"shape": _size(self.size.value)}
        roles = [role.value for role in self.columns]
        if roles != [column.role for column in self._columns[: len(roles)]]:
            found["columns"] = dict(enumerate(roles))
        return found | {"dataset": self.array.value if several else None, "spectral": None if place in (None, -1) else place}

    def _look(self, _: Any = None) -> None:
        """Describe the file, including what was guessed."""
        self._open.enabled = False
        if not self._arrays:
            self._about.value = "Choose a file."
            return
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", SpectralWarning)
                cube = read(self.path, **self._options())
        except (ValueError, OSError, ModuleNotFoundError) as error:
            self._about.value = ""
            asked = "choose one with dataset=" in str(error) and self._names()
            say(self._problem, "Choose an array of the file." if asked else str(error))
            return
        say(self._problem, "")
        notes = "".join(f"\n{warning.message}" for warning in caught if issubclass(warning.category, SpectralWarning))
        self._about.value = f"{' × '.join(map(str, cube.spatial_shape))} spectra, {cube.axis.describe()}{notes}"
        self._open.enabled = True

    def open(self) -> None:
        """Open the file; it is read on a thread."""
        if not self._open.enabled:
            return
        self._open.enabled = False
        path, options = self.path, self._options()

        def work() -> list[LayerData]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SpectralWarning)  # shown above
                return layers_from_file(path, **options)

        worker = thread_worker(work)()
        worker.returned.connect(self._show)
        worker.errored.connect(lambda error: say(self._problem, str(error)))
        worker.finished.connect(self._look)
        worker.start()

    def _show(self, layers: list[LayerData]) -> None:
        band_contrast(self._viewer)
        for data, options, kind in layers:
            getattr(self._viewer, f"add_{kind}")(data, **options)


def _size(text: str) -> tuple[int, int]:
    """Return the height and width that a text gives, in whatever way they are separated."""
    numbers = re.findall(r"\d+", text)
    if len(numbers) != 2:
        raise ValueError(f"Image size is height × width, such as 40 × 50, and not {text!r}")
    return int(numbers[0]), int(numbers[1])
