"""Open a file as a spectral image: choose one of its arrays, the spectral dimension, the unit, and the roles of the columns of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit, Label, LineEdit, PushButton
from napari.viewer import Viewer
from superqt.utils import thread_worker

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.columns import ROLES
from napari_spectrai.notices import noting
from napari_spectrai.remedies import advising
from napari_spectrai.widgets.dock import Dock, as_field, line, message, rows, say, text
from napari_spectrai.widgets.file_look import FileLook, axis_of, look_at, size_of
from napari_spectrai.widgets.first_look import band_contrast
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layers import LayerData, layers_of
from napari_spectrai.widgets.shared_units import agreeing

_UNITS = (("nm", "nm"), ("µm", "um"), ("1/cm", "1/cm"), ("eV", "eV"), ("m/z", "m/z"), ("band numbers", "band"))
_MOST_COLUMNS, _LONGEST_TITLE = 24, 18


class OpenDock(Dock):
    """Open any file that napari-spectrai reads, including those that napari's own readers claim, and containers of several arrays.

    Files are read in a thread. From a script: set ``dock.path``, wait for it with ``dock.settle()``, set perhaps ``dock.array.value``,
    ``dock.dimension.value``, ``dock.image_height.value`` and ``dock.image_width.value``, ``dock.unit.value`` and the roles in
    ``dock.columns``, and call ``dock.open()``.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._seen: FileLook | None = None
        self._usual = ""
        self._waiting = self._blank = False
        self._file = FileEdit(
            mode=FileDialogMode.EXISTING_FILE,
            label="File",
            name="file",
            tooltip="a spectral file; for Zarr and for images of one band each, type the path of their folder",
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
        self.image_height, self.image_width = (
            LineEdit(name=side, tooltip=f"{side} of the image whose pixels the file lists one by one; empty: as in the file")
            for side in ("height", "width")
        )
        self._size = line(self.image_height, Label(value="×"), self.image_width)
        self._size.label = "Height × width"
        self.first, self.last = (
            LineEdit(name=end, tooltip=f"position of the {end} band, where the file gives none; those between are evenly spaced")
            for end in ("first", "last")
        )
        self._ends = line(self.first, Label(value="–"), self.last)
        self._ends.label = "Positions"
        self.unit = ComboBox(
            choices=self._units,
            label="Unit",
            name="unit",
            tooltip="the unit of the band positions, where the file gives none or a wrong one",
        )
        self._heading, self.columns = Label(value="Columns", visible=False), Container[ComboBox](labels=True, name="columns", visible=False)
        self._about, self._problem = text("about", "Choose a file."), message()
        self._open = PushButton(text="Open", name="open", enabled=False, tooltip="open it as a layer with its spectral axis")
        self._choices = rows(self.array, self.dimension, self._size, self._ends, self.unit)
        self._choices.visible = False
        super().__init__("Open")

    def _parts(self) -> Iterator[Sequence[Any]]:
        yield [rows(self._file), self._choices, self._heading, self.columns, self._about, self._problem, self._open]
        self._latest = LatestOnly(self.column)
        self._latest.answered.connect(self._on_look)
        self._latest.failed.connect(lambda error: say(self._problem, str(error)))
        self._file.changed.connect(self._on_file)
        for choice in (self.dimension, self.unit, *self._typed):
            choice.changed.connect(self._look)
        self.array.changed.connect(self._on_array)
        self._open.changed.connect(self.open)

    # ---------------------------------------------------------------- choices

    @property
    def _typed(self) -> tuple[LineEdit, ...]:
        return self.image_height, self.image_width, self.first, self.last

    @property
    def _arrays(self) -> dict[str, tuple[int, ...]]:
        found = {} if self._seen is None else self._seen.arrays
        wide = {name: shape for name, shape in found.items() if len(shape) > 1}
        return wide or found  # single spectra where there is nothing else

    def _names(self, _: Any = None) -> list[tuple[str, str]]:
        if self._blank:
            return []
        return [(f"{name}   {' × '.join(map(str, shape))}", name) for name, shape in self._arrays.items()]

    @property
    def _shape(self) -> tuple[int, ...]:
        """The shape of the array as stored."""
        if self._seen is not None and self._seen.opened is not None:
            return self._seen.opened.shape
        return self._arrays.get(self.array.value or "", ())

    def _dimensions(self, _: Any = None) -> list[tuple[str, int]]:
        if self._blank:
            return []
        found = None if self._seen is None else self._seen.opened
        own = "" if found is None or self._seen is None or "spectral" in self._seen.options else f" ({found.spectral})"
        return [(f"from the file{own}", -1), *((f"{number}: {length} bands", number) for number, length in enumerate(self._shape))]

    def _units(self, _: Any = None) -> list[tuple[str, str]]:
        if self._blank:
            return []
        found = None if self._seen is None or "axis" in self._seen.options else self._seen.opened
        own = "" if found is None else f" ({found.cube.axis.unit})" if found.cube.axis.unit else " (none)"
        return [(f"from the file{own}", ""), *_UNITS]

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

    @property
    def reading(self) -> bool:
        """Whether the file is being read."""
        return self._waiting

    # ---------------------------------------------------------------- reading

    def _on_file(self, _: Any = None) -> None:
        self._seen = None
        for typed in self._typed:
            with typed.changed.blocked():
                typed.value = ""
        self.columns.clear()
        self._heading.visible = self.columns.visible = self._choices.visible = False
        self._ask({})

    def _on_array(self, _: Any = None) -> None:
        with self.dimension.changed.blocked():
            self._refill(self.dimension)
            self.dimension.value = -1
        self._look()

    def _look(self, _: Any = None) -> None:
        """Read the file again, as the fields have it now."""
        try:
            options = self._options()
        except ValueError as error:
            self._latest.forget()
            self._waiting = False
            self._refuse(str(error))
            return
        self._ask(options)

    def _ask(self, options: dict[str, Any]) -> None:
        self._open.enabled, self._waiting = False, True
        say(self._problem, "")
        self._about.value = f"Reading {self.path.name} …"
        path, before = self.path, self._seen
        self._latest.ask(lambda: look_at(path, options, before))

    def settle(self) -> None:
        """Read now what a thread is still reading; for scripts, which do not wait."""
        if self.reading:
            self._latest.forget()
            self._on_look(look_at(self.path, self._current() or {}, self._seen))

    def _options(self) -> dict[str, Any]:
        """Return what `napari_spectrai.io.read` is given; what is left to the file is omitted."""
        found: dict[str, Any] = {}
        if self.array.value not in (None, self._usual) and len(self._arrays) > 1:
            found["dataset"] = self.array.value
        if self.dimension.value not in (None, -1):
            found["spectral"] = self.dimension.value
        if (axis := axis_of(self.first.value, self.last.value, self.unit.value or "")) is not None:
            found["axis"] = axis
        if (shape := size_of(self.image_height.value, self.image_width.value)) is not None:
            found["shape"] = shape
        roles = [role.value for role in self.columns]
        if self._seen is not None and roles != [column.role for column in self._seen.columns[: len(roles)]]:
            found["columns"] = dict(enumerate(roles))
        return found

    def _on_look(self, seen: FileLook) -> None:
        if not self._waiting or seen.path != self.path or (self._seen is not None and seen.options != self._current()):
            return  # the fields have changed since; another answer follows
        self._waiting = False
        first, self._seen = self._seen is None, seen
        if first:
            self._usual = "" if seen.opened is None else seen.opened.dataset
        self._fill(first=first)
        found = seen.opened
        if found is None:
            self._refuse(seen.problem)
            return
        say(self._problem, "")
        cube = found.cube
        notes = "".join(f"\n{note}" for note in seen.notes)
        spectra = "1 spectrum" if cube.count == 1 else f"{' × '.join(map(str, cube.spatial_shape))} spectra"
        self._about.value = f"{spectra}, {cube.axis.describe().replace(' um', ' µm')}{notes}"
        self._open.enabled = True

    def _current(self) -> dict[str, Any] | None:
        try:
            return self._options()
        except ValueError:
            return None

    def _refuse(self, problem: str) -> None:
        self._open.enabled = False
        self._about.value = ""
        say(self._problem, problem)

    def _fill(self, *, first: bool) -> None:
        """Offer the choices that a file has."""
        assert self._seen is not None  # noqa: S101
        chosen = self.array.value
        for choice in (self.array, self.dimension, self.unit):
            with choice.changed.blocked():
                kept = choice.value
                self._refill(choice)
                if choice is not self.array:
                    choice.value = choice.choices[0] if first else kept
        if first:
            chosen = next(iter(self._arrays), None) if len(self._arrays) == 1 else None
        if self._seen.opened is not None and self._seen.opened.dataset in self._arrays:
            chosen = self._seen.opened.dataset
        with self.array.changed.blocked():
            self.array.value = chosen
        if first:
            self._show_columns()
        self._choices.visible = bool(self._seen.arrays)
        self.array.visible = len(self._arrays) > 1
        table = bool(self._seen.columns)
        self.dimension.visible = not table and len(self._shape) > 1
        self._size.visible = not table and len(self._shape) == 2
        found = self._seen.opened
        if found is not None and "axis" not in self._seen.options:
            self._ends.visible = found.cube.axis == SpectralAxis.bands(len(found.cube.axis))  # the file gives no positions

    def _refill(self, choice: ComboBox) -> None:
        """Offer the choices in their order: magicgui keeps those that stay, and appends others."""
        self._blank = True
        choice.reset_choices()
        self._blank = False
        choice.reset_choices()

    def _show_columns(self) -> None:
        """Offer the role of each column of a table; of tables of very many the first ones, which hold what is not intensity."""
        assert self._seen is not None  # noqa: S101
        for number, column in enumerate(self._seen.columns[:_MOST_COLUMNS]):
            role = ComboBox(
                choices=ROLES,
                value=column.role,
                label=column.name[:_LONGEST_TITLE],
                name=f"column_{number}",
                tooltip=f"what {column.name!r} is, which begins {', '.join(column.sample)}",
            )
            as_field(role, column.name)
            role.changed.connect(self._look)
            self.columns.append(role)
        self._heading.visible = self.columns.visible = bool(self._seen.columns)

    # ---------------------------------------------------------------- opening

    def open(self) -> None:
        """Open the file as layers."""
        self.settle()
        seen = self._seen
        if not self._open.enabled or seen is None or seen.opened is None:
            return
        self._open.enabled = False
        cube, path = seen.opened.cube, seen.path

        def work() -> list[LayerData]:
            with advising("dock"), noting():  # noted above
                return layers_of(cube, path)

        def enable(_: None = None) -> None:
            self._open.enabled = self._seen is seen

        worker = thread_worker(work)()
        worker.returned.connect(self._show)
        worker.errored.connect(lambda error: say(self._problem, str(error)))
        worker.finished.connect(enable)
        worker.start()

    def _show(self, layers: list[LayerData]) -> None:
        band_contrast(self._viewer)
        for data, options, kind in agreeing(self._viewer, layers):
            getattr(self._viewer, f"add_{kind}")(data, **options)
