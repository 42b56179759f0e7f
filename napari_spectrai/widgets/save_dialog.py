"""Save a layer with all that is known of it: napari's own dialog offers formats first that keep the numbers alone."""

from __future__ import annotations

from pathlib import Path

from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_info, show_warning
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_spectrai.notices import noting
from napari_spectrai.widgets.responsive import in_thread
from napari_spectrai.widgets.saving import NotSavedError, save_image, save_labels

_OF_IMAGES = (
    ("HDF5", ".h5"), ("Zarr", ".zarr"), ("OME-Zarr", ".ome.zarr"), ("OME-TIFF", ".ome.tif"), ("ENVI", ".hdr"), ("MATLAB", ".mat"),
    ("NumPy archive", ".npz"), ("NumPy", ".npy"), ("Table", ".csv"),
)  # fmt: skip
_OF_LABELS = (("NumPy archive", ".npz"), ("TIFF", ".tif"), ("PNG", ".png"), ("Zarr", ".zarr"))


def formats_for(layer: Layer) -> dict[str, str]:
    """Return the suffix of each filter of the dialog."""
    return {f"{name} (*{suffix})": suffix for name, suffix in (_OF_LABELS if isinstance(layer, Labels) else _OF_IMAGES)}


def save_as(layer: Layer, path: str | Path) -> Path:
    """Save a layer with its axis, names, colours and place; say where, and what the format does not hold.

    Raises
    ------
    NotSavedError
        If the format cannot hold it.
    OSError
        If the file cannot be written.
    """
    data, meta, kind = layer.as_layer_data_tuple()
    with noting() as notes:
        (written,) = in_thread(lambda: (save_labels if kind == "labels" else save_image)(str(path), data, meta))
    show_info(f"{layer.name} was saved as {written}.")
    for note in notes:
        show_warning(note)
    return Path(written)


def ask_and_save(layer: Layer | None, parent: QWidget | None = None) -> Path | None:
    """Ask for a file, and save the layer there; return None if nothing was saved, which is said."""
    if not isinstance(layer, Image | Labels):
        show_info("Save with axis and names: select an Image or a Labels layer first")
        return None
    formats = formats_for(layer)
    start = Path.cwd() / "".join(letter if letter.isalnum() or letter in "-_. " else "" for letter in str(layer.name)).strip()
    answer, chosen = QFileDialog.getSaveFileName(parent, f"Save {layer.name}", str(start), ";;".join(formats))
    if not answer:
        return None
    known = answer.lower().endswith(tuple(formats.values()))
    try:
        return save_as(layer, answer if known else f"{answer}{formats.get(chosen, next(iter(formats.values())))}")
    except (NotSavedError, OSError) as error:
        show_warning(str(error))
        return None
