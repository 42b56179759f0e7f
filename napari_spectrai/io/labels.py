"""Reading and writing of label images: one whole number per pixel."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from napari_spectrai.cells import safe_cell, safe_row
from napari_spectrai.files import local, recover, replacing
from napari_spectrai.io import class_table
from napari_spectrai.io.arrays import is_plain
from napari_spectrai.io.found import SeveralArraysError, UnreadableError, affordable, one_line, warn
from napari_spectrai.io.label_arrays import of_container
from napari_spectrai.io.label_values import grey, picture, say_zero, texts, without
from napari_spectrai.io.quiet import quietly
from napari_spectrai.label_conversion import named_or_missing, say_unknown
from napari_spectrai.labels import Class, Colour, Labels
from napari_spectrai.notices import noting, say_note
from napari_spectrai.parsing import parse_json, refuse_special
from napari_spectrai.spec import listed

PICTURES = (".png", ".bmp", ".gif")
"""Suffixes of pictures, which hold labels or nothing that is read here."""
_LONGEST_TEXT = 2**19
"""Characters of a text in a ``.png``; readers refuse texts of more than a megabyte."""
_NOTE = "napari-spectrai labels"
"""Key of the JSON text in ``.tif`` and ``.png`` that keeps names, colours and metadata of labels."""
_COLOURS = "class_colours"
"""Key of the colours, by number."""
SUFFIXES = (*PICTURES, ".tif", ".tiff", ".npy", ".npz", ".mat", ".h5", ".hdf5", ".he5", ".nxs", ".zarr", ".hdr")
WRITTEN = (".tif", ".tiff", ".png", ".npy", ".npz", ".zarr")


def read_labels(path: str | Path, *, dataset: str | None = None) -> Labels:
    """Open labels: ``.png``, ``.tif``, ``.npy``, ``.npz``, ``.mat``, ``.h5``, ``.zarr``, ``.hdr`` (classes of ENVI) or ``.csv``.

    Parameters
    ----------
    dataset : str, optional
        Which array of a container; default: the only one of whole numbers, or one that is called labels, gt or mask. Of a table, the
        column; default: the only one, or one that is called class, label or species.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    UnreadableError (a ValueError)
        If it holds no labels; a colour image does not, since a colour is not a class.
    """
    path = local(path)
    recover(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    suffix = path.suffix.lower()
    refuse_special(path)
    known = (*SUFFIXES, *class_table.SUFFIXES)
    if suffix not in known:
        raise UnreadableError(f"{path}: labels are not read from {suffix or 'a name without a suffix'!r}; {listed(known, suffix)}")
    try:
        with noting() as notes, quietly():
            data, names = (picture(path), _names(path)) if suffix in PICTURES else _array(path, dataset)
            colours = _colours(path) if holds_labels(path) else {}
            if data.dtype.kind in "USOT":  # class names
                named = named_or_missing(texts(data))
                data, names = named.data, named.names
            if not holds_labels(path):
                say_zero(path, data, names)
            labels = Labels(np.ascontiguousarray(data), names, colours, name=path.stem, source=path, metadata=_metadata(path))
    except SeveralArraysError as error:
        raise SeveralArraysError(f"{path}: {error}") from error
    except (UnreadableError, PermissionError):
        raise
    except Exception as error:  # whatever a library raises on broken bytes
        raise UnreadableError(f"{path}: cannot be read as labels: {one_line(error)}") from error
    for note in notes:
        say_note(note)
    return say_unknown(labels)


def holds_labels(path: str | Path) -> bool:
    """Whether a file says that it holds classes: of `write_labels` (all its formats but ``.npy``), or a classification of ENVI."""
    try:
        with quietly():
            refuse_special(path)
            return _is_ours(local(path))
    except PermissionError:
        raise
    except Exception:  # noqa: BLE001  # whatever a library raises on broken bytes; reading the file as a cube reports what is wrong
        return False


def _is_ours(path: Path) -> bool:
    if path.suffix.lower() == ".npz" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) - {"class_names.npy", "metadata.npy"} == {"labels.npy"}
    return bool(_note(path))


def _note(path: Path) -> dict[str, Any]:
    """Return what a ``.zarr``, ``.tif`` or ``.png`` of `write_labels`, or a header of ENVI, says of the numbers; empty if it is neither."""
    suffix, found = path.suffix.lower(), None
    if suffix == ".zarr" and (path / "zarr.json").is_file():
        kept = parse_json((path / "zarr.json").read_text(encoding="utf-8"), path.name).get("attributes", {})
        found = kept if isinstance(kept, dict) and "class_names" in kept else None
    elif suffix in (".tif", ".tiff") and path.is_file():
        from napari_spectrai.io.tiff import opened

        with opened(path) as tiff:
            found = next((kept[_NOTE] for kept in tiff.shaped_metadata or () if _NOTE in kept), None)
    elif suffix == ".png" and path.is_file():
        with Image.open(path, formats=["PNG"]) as opened_picture:
            stored = getattr(opened_picture, "text", {}).get(_NOTE)
        found = None if stored is None else parse_json(str(stored), path.name)
    elif suffix == ".hdr" and path.is_file():
        from napari_spectrai.io.envi_classes import notes_of

        found = notes_of(path)
    return found if isinstance(found, dict) else {}


def _names(path: Path) -> dict[int, str]:
    """Return the names that `write_labels` has stored in a picture."""
    return {int(value): str(name) for value, name in _note(path).get("class_names", {}).items()} if holds_labels(path) else {}


def _colours(path: Path) -> dict[int, Colour]:
    """Return the colours that `write_labels` has stored."""
    kept = _of_archive(path).get(_COLOURS, {}) if path.suffix.lower() == ".npz" else _note(path).get(_COLOURS, {})
    return {int(value): (red, green, blue, opacity) for value, (red, green, blue, opacity) in kept.items()}


def _metadata(path: Path) -> dict[str, Any]:
    """Return what `write_labels` has stored in addition to names."""
    if not holds_labels(path):
        return {}
    if path.suffix.lower() != ".npz":
        return dict(_note(path).get("metadata", {}))
    return {key: value for key, value in _of_archive(path).items() if key != _COLOURS}


def _of_archive(path: Path) -> dict[str, Any]:
    """Return the metadata in a ``.npz`` of `write_labels`."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return dict(json.loads(str(archive["metadata"]))) if "metadata" in archive.files else {}


def _array(path: Path, dataset: str | None) -> tuple[Any, Mapping[int, str]]:
    suffix = path.suffix.lower()
    if suffix in (".tif", ".tiff"):
        from napari_spectrai.io.tiff import opened
        from napari_spectrai.io.tiff_metadata import missing_value

        with opened(path) as tiff:  # no other files, as an OME-TIFF may name
            affordable(tiff.series[0].shape, tiff.series[0].dtype)
            data, missing = tiff.asarray(series=0), missing_value(tiff.series[0])
        if data.ndim > 2 and data.shape[-1] in (3, 4):
            data = grey(data, path, "RGB" if data.shape[-1] == 3 else "RGBA")
        return without(data, missing), _names(path)
    if suffix in (".hdr", *class_table.SUFFIXES):
        return _envi(path) if suffix == ".hdr" else class_table.read(path, dataset)
    if suffix == ".npy":
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
        affordable(stored.shape, stored.dtype)
        return np.array(stored), {}
    return of_container(path, dataset)


def _envi(path: Path) -> tuple[Any, dict[int, str]]:
    from napari_spectrai.io.envi_classes import numbers

    return numbers(path), _names(path)


def write_table(labels: Labels, probabilities: Any, classes: Sequence[Class], path: str | Path) -> Path:
    """Write a line for each pixel or spectrum: its position, its class, the probability of every class (..., C), as CSV."""
    path = local(path)
    places = ("spectrum",) if labels.data.ndim == 1 else ("z", "y", "x")[-labels.data.ndim :]
    shares = np.asarray(probabilities).reshape(-1, len(classes))
    names = {one.value: one.name for one in classes}
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(safe_row([*places, "label", "class", *(f"p({one.name})" for one in classes)]))
        for place, value, row in zip(np.ndindex(*labels.shape), labels.data.flat, shares, strict=True):
            writer.writerow([*place, int(value), safe_cell(names.get(int(value), "")), *(f"{share:.4g}" for share in row)])
    return path


def write_labels(labels: Labels, path: str | Path) -> Path:
    """Write labels: ``.tif``, ``.png``, ``.npy``, ``.npz`` or ``.zarr``.

    All but ``.npy`` keep names, colours, placement and the prediction that made them.
    """
    path = local(path)
    suffix = path.suffix.lower()
    data, kept = (
        labels.data,
        {key: value for key, value in labels.metadata.items() if key in ("prediction", "placement") and is_plain(value)},
    )
    if suffix not in WRITTEN:
        raise ValueError(f"{path.name}: labels are not written in this format; {listed(WRITTEN, suffix)}")
    if suffix == ".png" and (data.ndim != 2 or data.min(initial=0) < 0 or data.max(initial=0) > 65_535):
        raise ValueError(f"{path.name}: a .png holds one plane of numbers from 0 to 65535; choose .tif or .zarr")
    note: dict[str, Any] = {
        "class_names": {str(value): name for value, name in labels.names.items()},
        _COLOURS: {str(value): list(colour) for value, colour in labels.colours.items()},
        "metadata": kept,
    }
    with replacing(path) as temporary:
        if suffix == ".npy":
            np.save(temporary, data, allow_pickle=False)
            if labels.names or labels.colours:
                warn(
                    path,
                    f"a .npy holds numbers alone; names and colours of {len(set(labels.names) | set(labels.colours))} classes are "
                    "left out; .npz and .zarr keep them",
                )
        elif suffix == ".npz":
            names = [labels.names.get(number, "") for number in range(max(labels.names, default=-1) + 1)]
            coloured = kept | ({_COLOURS: note[_COLOURS]} if labels.colours else {})
            more = ({"class_names": np.array(names)} if names else {}) | ({"metadata": np.array(json.dumps(coloured))} if coloured else {})
            np.savez_compressed(temporary, labels=data, **more)  # type: ignore[arg-type]
        elif suffix == ".zarr":
            import zarr

            from napari_spectrai.io.zarr import CHECKED

            array = zarr.create_array(str(temporary), shape=data.shape, dtype=data.dtype, chunks="auto", compressors=CHECKED)
            array.attrs.update(note)
            array[...] = data
        elif suffix == ".png":
            stored, words = PngInfo(), json.dumps(note)
            if len(words) <= _LONGEST_TEXT:
                stored.add_itxt(_NOTE, words, zip=True)
            else:
                warn(path, f"names and colours of {len(labels.names):,} classes are too many for a .png and are left out; .zarr keeps them")
            Image.fromarray(data.astype(np.uint8 if data.max(initial=0) < 256 else np.uint16)).save(temporary, pnginfo=stored)
        else:
            import tifffile

            tifffile.imwrite(temporary, data, compression="zlib", metadata={_NOTE: note})
    return path
