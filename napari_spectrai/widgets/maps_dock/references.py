"""Given spectra: of painted regions, points or shapes over the layer, of a layer of spectra, or of a file or folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.cube import Cube
from napari_spectrai.labels import Labels as SpectralLabels
from napari_spectrai.mapping.references import NAMES
from napari_spectrai.marks import COLUMNS, labels_of_marks
from napari_spectrai.summary import region_spectrum
from napari_spectrai.widgets.dock import rows
from napari_spectrai.widgets.layer_watch import LayerWatch
from napari_spectrai.widgets.layers import as_cube, painted, spectral_layers
from napari_spectrai.widgets.short_names import without_source

_FILE, _FOLDER = "a file …", "a folder …"


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
    labels = painted(layer, source) if isinstance(layer, Labels) else _marked(layer, cube)
    if labels.data.shape != cube.spatial_shape:
        sizes = [" × ".join(map(str, shape)) for shape in (labels.data.shape, cube.spatial_shape)]
        raise ValueError(f"{layer.name!r} has {sizes[0]} pixels and the cube {sizes[1]}; paint over the layer that is mapped")
    values = [int(value) for value in np.unique(labels.data) if value]
    if not values:
        raise ValueError(f"{layer.name!r} is empty; paint a region for each reference, each with a label of its own")
    spectra = [region_spectrum(cube, np.argwhere(labels.data == value)).mean for value in values]
    own = str(layer.name) if source is None else without_source(str(layer.name), str(source.name))
    names = [labels.names.get(value) or f"{own} {value}" for value in values]
    return Cube(np.stack(spectra), cube.axis, name=str(layer.name), metadata={NAMES: names})


def _marked(layer: Points | Shapes, cube: Cube) -> SpectralLabels:
    """Return points or shapes as labels; where they have no classes, each is one."""
    if not any(column in layer.features for column in COLUMNS):
        data, state, _ = layer.as_layer_data_tuple()
        what = "point" if isinstance(layer, Points) else "shape"
        state["features"] = {"class": [f"{what} {number}" for number in range(1, len(data) + 1)]}
        for name in ("feature_defaults", "properties", "property_choices"):  # older names of the same, which would win
            state.pop(name, None)
        layer = type(layer)(data, **state)
    return labels_of_marks(layer, cube)
