"""Given spectra: of painted regions, points or shapes over the layer, of a layer of spectra, or of a file or folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.cube import Cube
from napari_spectrai.labels import Labels as SpectralLabels
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.mapping.references import NAMES
from napari_spectrai.marks import COLUMNS, labels_of_marks, pixels_of_marks
from napari_spectrai.summary import region_spectrum
from napari_spectrai.widgets.dock import rows
from napari_spectrai.widgets.layer_watch import LayerWatch
from napari_spectrai.widgets.layers import as_cube, painted, spectral_layers
from napari_spectrai.widgets.short_names import without_source
from napari_spectrai.widgets.spectra_dock.pins import NAME, names_of

_FILE, _FOLDER = "a file …", "a folder …"
Region = tuple[str, npt.NDArray[np.intp]]
"""Name and pixels, of shape (n, spatial dimensions)."""


class ReferenceChoice(Container[Any]):
    """Where the given spectra come from: a layer over the cube, a layer of spectra, a file or a folder.

    Parameters
    ----------
    source : gives the layer that is mapped

    Signals
    -------
    edited : another layer, file or folder was chosen
    repainted : the chosen layer was renamed, or marks other pixels
    """

    edited = Signal()
    repainted = Signal()

    def __init__(self, viewer: Viewer, source: Callable[[], Image | None]) -> None:
        self._viewer, self._source = viewer, source
        self._chosen: Any = None
        self.choice = ComboBox(
            choices=self._choices, nullable=True, value=None, label="References", name="references",
            tooltip="given spectra: means of painted classes (Labels) or shapes, spectra at points, a layer of spectra, or files",
        )  # fmt: skip
        self.file = FileEdit(
            mode=FileDialogMode.EXISTING_FILE, label="File", name="reference_file",
            tooltip="a file of spectra: JCAMP-DX, SPC, CSV with a column of positions and one for each spectrum, …", nullable=True,
        )  # fmt: skip
        self.folder = FileEdit(
            mode=FileDialogMode.EXISTING_DIRECTORY, label="Folder", name="reference_folder",
            tooltip="a folder of files, one spectrum or more in each", nullable=True,
        )  # fmt: skip
        self._files = (rows(self.file), rows(self.folder))
        super().__init__(widgets=[rows(self.choice), *self._files], labels=False)
        self.margins = (0, 0, 0, 0)
        self._watch, self._name = LayerWatch(self.native, self._on_repainted), ""
        self._on_choice(None)
        self.choice.changed.connect(self._on_choice)
        for field in (self.file, self.folder):
            field.changed.connect(self._on_file)

    def leave(self) -> None:
        """Watch the chosen layer no longer."""
        self._watch.leave()

    def _on_repainted(self) -> None:
        self.repainted.emit()

    def _on_file(self, _: Any = None) -> None:
        self.edited.emit()

    def _choices(self, _: Any = None) -> list[tuple[str, Any]]:
        source = self._source()
        layers = [layer for layer in self._viewer.layers if isinstance(layer, Labels | Points | Shapes)]
        layers += [layer for layer in spectral_layers(self._viewer) if layer is not source and layer.ndim == 2]
        return [*((str(layer.name), layer) for layer in layers), (_FILE, _FILE), (_FOLDER, _FOLDER)]

    def reset_choices(self, *_: Any) -> None:
        """Offer the layers there are; the choice stays as long as its layer is there."""
        before = self._chosen
        with self.choice.changed.blocked():
            self.choice.reset_choices()
            # words are compared by what they say: Qt gives back others of the same letters
            known = any(before == value if isinstance(value, str) else before is value for _, value in self._choices())
            there = before if known else None
            self.choice.value = there
        if there is None and before is not None:
            self._on_choice(None)
        elif isinstance(there, Layer) and there.name != self._name:  # the references have other names
            self._name = str(there.name)
            self.repainted.emit()

    def _on_choice(self, chosen: Any) -> None:
        self._chosen = chosen
        layer = chosen if isinstance(chosen, Layer) else None
        self._watch.watch([layer])
        self._name = "" if layer is None else str(layer.name)
        for field, name in zip(self._files, (_FILE, _FOLDER), strict=True):
            field.visible = chosen == name
        self.edited.emit()

    def choose(self, given: Layer | str | Path) -> None:
        """Choose a layer, a file or a folder."""
        if isinstance(given, Layer):
            self.choice.reset_choices()
            self.choice.value = given
            return
        path = Path(given)
        self.choice.value = _FOLDER if path.is_dir() else _FILE
        (self.folder if path.is_dir() else self.file).value = path

    def read(self) -> Callable[[Cube], Cube | Path] | None:
        """Return what gives the spectra for a cube, and may read files, or None while nothing is chosen."""
        chosen = self._chosen
        if chosen in (_FILE, _FOLDER):
            path = (self.file if chosen == _FILE else self.folder).value
            return None if path is None or not str(path) or str(path) == "." else lambda _: Path(str(path))
        if chosen is None:
            return None
        source = self._source()
        return lambda cube: spectra_of(chosen, cube, source)


def spectra_of(layer: Layer, cube: Cube, source: Image | None) -> Cube:
    """Return the spectra that a layer gives: of classes, shapes or points over a cube their means, of a layer of spectra all.

    Raises
    ------
    ValueError
        If the layer marks no pixel of the cube, or has another shape.
    """
    if isinstance(layer, Image):
        found = as_cube(layer)
        return Cube(found.numpy().reshape(-1, len(found.axis)), found.axis, name=found.name, metadata=dict(found.metadata))
    own = str(layer.name) if source is None else without_source(str(layer.name), str(source.name))
    marked = _classes(layer, cube, source, own) if isinstance(layer, Labels) else _marks(layer, cube, own)
    if not marked:
        raise ValueError(f"{layer.name!r} is empty; paint a region for each reference, each with a label of its own")
    spectra = [region_spectrum(cube, places).mean for _, places in marked]
    return Cube(np.stack(spectra), cube.axis, name=str(layer.name), metadata={NAMES: [name for name, _ in marked]})


def _classes(layer: Labels, cube: Cube, source: Image | None, own: str) -> list[Region]:
    """Return the classes of labels, by their names where they have some, and the pixels of each."""
    labels = painted(layer, source)
    if labels.data.shape != cube.spatial_shape:
        sizes = [" × ".join(map(str, shape)) for shape in (labels.data.shape, cube.spatial_shape)]
        raise ValueError(f"{layer.name!r} has {sizes[0]} pixels and the cube {sizes[1]}; paint over the layer that is mapped")
    return _of_each(labels, own)


def _of_each(labels: SpectralLabels, own: str) -> list[Region]:
    values = [int(value) for value in np.unique(labels.data) if value]
    return [(labels.names.get(value) or f"{own} {value}", np.argwhere(labels.data == value)) for value in values]


def _marks(layer: Points | Shapes, cube: Cube, own: str) -> list[Region]:
    """Return the classes of points or shapes and their pixels; where they have no classes, each is one, also where they overlap."""
    if any(column in layer.features for column in COLUMNS if column != NAME) or not len(layer.data) or not cube.is_image:
        return _of_each(labels_of_marks(layer, cube), own)
    names = names_of(layer) if isinstance(layer, Points) else [f"{own} {number}" for number in range(1, len(layer.data) + 1)]
    found = [(name, np.stack(pixels, 1)) for name, pixels in zip(names, pixels_of_marks(layer, cube), strict=True)]
    gone = [name for name, places in found if not len(places)]
    if len(gone) == len(found):
        raise ValueError(f"nothing in {layer.name!r} lies on the layer that is mapped; move it there")
    if gone:
        warnings.warn(
            f"{layer.name}: {', '.join(gone)} lies outside the layer that is mapped and is ignored", SpectralWarning, stacklevel=3
        )
    return [(name, places) for name, places in found if len(places)]
