"""Model files inside packages of the BioImage Model Zoo."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj

from napari_spectrai.spec import listed

SUFFIX = ".bioimage.zip"
EXPORTED = (".onnx", ".pt2", SUFFIX)
"""Suffixes of the files that a model is exported to."""
WEIGHTS = "model.safetensors"
"""The model file of this program inside a package."""


def export_suffix(path: Path) -> str:
    """Return which of these suffixes a file to export to has.

    Raises
    ------
    ValueError
        If it has none of them.
    """
    suffix = next((suffix for suffix in EXPORTED if path.name.lower().endswith(suffix)), "")
    if not suffix:
        raise ValueError(f"{path.name}: a model cannot be exported in this format; {listed(EXPORTED)}")
    return suffix


@contextmanager
def model_file(path: Path) -> Iterator[Path]:
    """Give the path of a model file that can be opened: `path` itself, or a temporary copy of the one inside a package.

    A path that is not UTF-8, which the library of the format refuses, is given as a temporary link.

    Raises
    ------
    ValueError
        If `path` is a package that this program did not write, or is damaged.
    """
    if not path.name.lower().endswith(SUFFIX):
        if _is_utf8(path):
            yield path
            return
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder, WEIGHTS)
            link.symlink_to(path.absolute())
            yield link
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, WEIGHTS)
        try:
            with zipfile.ZipFile(path) as archive:
                if WEIGHTS not in archive.namelist():
                    raise ValueError(
                        f"{path.name}: this package holds no model of napari-spectrai; only packages that it exported can be opened"
                    )
                if archive.getinfo(WEIGHTS).compress_type != zipfile.ZIP_STORED:  # so that a copy is not larger than its package
                    raise ValueError(f"{path.name}: its {WEIGHTS} is compressed; packages of napari-spectrai store it as it is")
                with archive.open(WEIGHTS) as source, copy.open("wb") as target:
                    copyfileobj(source, target)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"{path.name} is truncated or not a package: {error}") from error
        yield copy


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
