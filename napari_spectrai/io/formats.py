"""The table of formats: their suffixes, how content identifies them where suffixes are shared, and the modules that read them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from napari_spectrai.io.agilent_files import is_image
from napari_spectrai.io.envi_fields import describes
from napari_spectrai.io.esri_header import is_esri
from napari_spectrai.io.foreign import ARCHIVES, CLOSED, FOREIGN, VAMAS, foreign_content, is_foreign, starts
from napari_spectrai.io.found import DECLARATIONS
from napari_spectrai.spec import listed


@dataclass(frozen=True, slots=True)
class Format:
    """One family of files: its suffixes, and the module of `napari_spectrai.io` that knows it."""

    name: str
    suffixes: tuple[str, ...]
    module: str
    writes: bool = False

    def function(self, name: str) -> Callable[..., Any]:
        """Import the module's `name` (``read``, ``write``, ``inspect`` or ``pictures``)."""
        function: Callable[..., Any] = getattr(import_module(f"napari_spectrai.io.{self.module}"), name)
        return function

    @property
    def is_archive(self) -> bool:
        """Whether files of this format are ZIP archives."""
        return self.module in ("zarr", "omezarr") or self.suffixes == (".npz",)


_DIGITS = tuple(f".{number}" for number in range(10))
FORMATS = (
    Format("NumPy array", (".npy",), "arrays", writes=True),
    Format("NumPy archive", (".npz",), "arrays", writes=True),
    Format("MATLAB", (".mat",), "matlab", writes=True),
    Format("HDF5", (".h5", ".hdf5", ".he5", ".nxs", ".nx5", ".ptir"), "hdf5", writes=True),
    Format("Imaris", (".ims",), "imaris"),
    Format("netCDF", (".nc", ".nc4", ".cdf"), "netcdf"),
    Format("OME-Zarr", (".ome.zarr",), "omezarr", writes=True),
    Format("Zarr", (".zarr",), "zarr", writes=True),
    Format("HyperSpy in Zarr", (".zspy",), "zarr"),
    Format("zipped Zarr", (".zarr.zip", ".ome.zarr.zip", ".ozx"), "zarr"),
    Format("ENVI", (".hdr", ".bsq", ".bil", ".bip", ".dat", ".raw", ".img", ".hyspex", ".cue"), "envi", writes=True),
    Format("Ripple", (".rpl",), "ripple"),
    Format("OME-TIFF", (".ome.tif", ".ome.tiff"), "tiff", writes=True),
    Format("TIFF", (".tif", ".tiff", ".lsm"), "tiff"),
    Format("Renishaw WiRE", (".wdf",), "renishaw"),
    Format(
        "text", (".csv", ".txt", ".tsv", ".asc", ".dpt", ".xy", ".prn", ".asp", ".sed", ".sig", ".ttt", ".trt", ".tab"), "text", writes=True
    ),
    Format("JCAMP-DX", (".jdx", ".dx", ".jcm", ".jcamp"), "jcamp"),
    Format("Galactic SPC", (".spc",), "galactic"),
    Format("Thermo OMNIC", (".spa",), "omnic"),
    Format("Gwyddion simple field", (".gsf",), "gwyddion"),
    Format("Igor binary wave", (".ibw",), "igor"),
    Format("Princeton Instruments SPE", (".spe",), "princeton"),
    Format("PerkinElmer", (".sp", ".fsm"), "perkin_elmer"),
    Format("Agilent FPA image", (".seq", ".dmt", ".dms", ".dmd", ".drd"), "agilent"),
    Format("WITec", (".wip", ".wid"), "witec"),
    Format("Bruker OPUS", _DIGITS, "opus"),
    Format("imzML", (".imzml",), "imzml"),
    Format("EMSA/MAS", (".msa", ".emsa"), "emsa"),
    Format("images of one band each", (), "band_images"),
    Format("a vendor's format", (".dm3", ".dm4", ".tvf", ".bcf", ".spx", ".hspy", ".emd", ".sur", ".pro", ".xml"), "vendor"),
)
"""A format is identified by the longest suffix that fits, or by content where that suffix is shared (`_SHARED`)."""

_SHARED = (
    ".img", ".dat", ".raw", ".txt", ".asc", ".csv", ".asp", ".xml", ".spx", ".map", ".spc", ".dx", ".prn", ".sp", ".fsm", ".spe", *_DIGITS,
)  # fmt: skip
"""Suffixes that several programs give to files of different kinds."""
_AS_VALUES = (".spe", ".spc", ".sp", ".spx", ".map", *_DIGITS)
"""Suffixes of other formats that raw values of ENVI may have."""
_OPUS_SUFFIX = re.compile(r"\.\d{1,4}")
_HEAD, _END_OF_SPE = 1024, 4098
_CONTENT: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "HDF5"), (b"\x93NUMPY", "NumPy array"), (b"WDF1", "Renishaw WiRE"), (b"MATLAB 5.0", "MATLAB"),
    (b"\x0a\x0a\xfe\xfe", "Bruker OPUS"), (b"Spectral Data File", "Thermo OMNIC"), (b"Gwyddion Simple Field", "Gwyddion simple field"),
    (b"PEPE", "PerkinElmer"), (b"WIT_PR", "WITec"), (b"WIT_DA", "WITec"),
    (b"CDF\x01", "netCDF"), (b"CDF\x02", "netCDF"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"),
)  # fmt: skip


def _named(name: str) -> Format:
    return next(known for known in FORMATS if known.name == name)


def by_content(path: Path) -> Format | None:
    """Return the format that the first bytes of a file identify, or None where they are not conclusive."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:  # a folder, or a file that may not be read; the reader reports it
        return _of_folder(path)
    for magic, name in _CONTENT:
        if head.startswith(magic):
            return _named(name)
    if path.suffix.lower() == ".spe" and _is_winspec(path):
        return _named("Princeton Instruments SPE")
    if path.suffix.lower() == ".zip" and _holds_store(path):
        return _named("zipped Zarr")
    return _of_words(head) or _of_companions(path)


def _of_folder(path: Path) -> Format | None:
    """Return the format of a folder that is a store, or whose images are the bands of one, by their names."""
    if any((path / name).is_file() for name in DECLARATIONS):
        return _named("Zarr")
    return band_images() if path.is_dir() and import_module("napari_spectrai.io.band_images").declared(path) else None


def band_images() -> Format:
    """Return the format of a folder of images of one band each."""
    return _named("images of one band each")


def _is_winspec(path: Path) -> bool:
    """Whether the header of a file ends as those of WinSpec and LightField do; raw values of SPECIM's cameras have the same suffix."""
    with path.open("rb") as file:
        file.seek(_END_OF_SPE)
        return file.read(2) == b"UU" or envi_header(path) is None


def _of_words(head: bytes) -> Format | None:
    """Return the format whose words a text starts with."""
    words = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if words[:4].upper() == b"IGOR" and re.search(rb"^\s*WAVES[^\s(]*/N=\(\s*\d+\s*,", words[4:], re.MULTILINE | re.IGNORECASE):
        return _named("Igor binary wave")
    if words.startswith(b"##") and re.search(rb"^##\s*JCAMP[-_ ]?DX\s*=|^##\s*TITLE\s*=", words, re.MULTILINE | re.IGNORECASE):
        return _named("JCAMP-DX")
    return _named("EMSA/MAS") if words.startswith(b"#FORMAT") and b"EMSA" in words else None


def _of_companions(path: Path) -> Format | None:
    """Return the format of a file of values by the file of parameters or the header next to it."""
    if is_image(path):
        return _named("Agilent FPA image")
    if path.suffix.lower() == ".raw" and any(path.with_suffix(suffix).is_file() for suffix in (".rpl", ".RPL")) and not envi_header(path):
        return _named("Ripple")
    header = envi_header(path)
    if header is None:
        return None
    # a table, a note or a spectrum next to a scene may have its name
    suffix, own = path.suffix.lower(), _named("ENVI")
    others = {suffix for known in FORMATS if known != own for suffix in known.suffixes}
    if is_foreign(suffix) and not describes(header, path):  # exported to ENVI under the same name
        return None
    return own if suffix in own.suffixes or suffix not in others or (suffix in _AS_VALUES and describes(header, path)) else None


def envi_header(path: Path) -> Path | None:
    """Return the ENVI header next to a file of raw values, if one does."""
    for candidate in (
        path.with_name(path.name + ".hdr"),
        *(path.with_suffix(suffix) for suffix in (".hdr", ".HDR")),
        path.with_name(path.name + ".HDR"),
    ):
        if candidate != path and candidate.is_file():
            with candidate.open("rb") as file:
                head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
            if head.startswith(b"ENVI") or is_esri(head.decode("latin-1")):
                return candidate
    return None


def is_text(path: Path) -> bool:
    """Whether the first bytes of a file are those of a text."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return bool(head) and (head[:2] in (b"\xff\xfe", b"\xfe\xff") or not re.search(rb"[\x00-\x08\x0e-\x19\x1b-\x1f]", head))


def of_text(path: Path) -> Format | None:
    """Return the format of tables for a text whose suffix no format has; None for other files and those known not to be read."""
    suffix = path.suffix.lower()
    closed = any(suffix in suffixes or (magic and starts(path, magic)) for suffixes, magic in CLOSED.values())
    closed = closed or starts(path, VAMAS)  # which lists its numbers one below the other, those of its header too
    return None if closed or not path.is_file() or not is_text(path) else _of_suffix(_named("text"), path.name.lower(), suffix)


def _holds_store(path: Path) -> bool:
    from napari_spectrai.io.zarr_stores import archived

    try:
        return archived(path) is not None
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return False


def _of_suffix(known: Format, name: str, suffix: str) -> Format:
    """Return the format of a file by its content, with the file's own suffix among its suffixes."""
    fits = not suffix or any(name.endswith(one) for one in known.suffixes)
    return known if fits else replace(known, suffixes=(*known.suffixes, suffix))


def writer_of(path: str | Path) -> Format:
    """Return the format that a name's suffix asks for, whatever the file holds now, or raise ValueError listing those written."""
    path = Path(path)
    name = path.name.lower()
    fitting = [(len(suffix), known) for known in FORMATS for suffix in known.suffixes if name.endswith(suffix)]
    if fitting:
        return max(fitting, key=lambda pair: pair[0])[1]
    written = {suffix for known in FORMATS if known.writes for suffix in known.suffixes}
    raise ValueError(f"{path}: no format is written under {_suffix_in_words(path)}; {listed(written, path.suffix.lower())}")


def _unknown(path: Path) -> NoReturn:
    suffix = path.suffix.lower()
    kind = next((name for name, (suffixes, magic) in CLOSED.items() if suffix in suffixes or (magic and starts(path, magic))), None)
    if kind is not None:
        raise ValueError(
            f"{path}: no reader for {kind}, whose layout is not published; export it as text, which is read with its positions"
        )
    if suffix in ARCHIVES:
        raise ValueError(f"{path}: {suffix} is an archive; unpack it, and open what is in it")
    remedy = next((words for known, words in FOREIGN if suffix in known), None)
    if remedy is not None:
        raise ValueError(f"{path}: no reader for {suffix}: {remedy}")

    if path.is_file() and (words := foreign_content(path)):
        raise ValueError(f"{path}: no reader for it: {words}")
    suffixes = {suffix for known in FORMATS for suffix in known.suffixes}
    raise ValueError(f"{path}: no reader for {_suffix_in_words(path)}; {listed(suffixes, suffix)}")


def _suffix_in_words(path: Path) -> str:
    return repr(path.suffix.lower()) if path.suffix else "a name without a suffix"


def format_of(path: str | Path) -> Format:
    """Return the format of a file: by its suffix, or by its content where that suffix is shared or unknown.

    Raises
    ------
    ValueError
        If neither identifies a format; lists the known suffixes.
    """
    path = Path(path)
    name = path.name.lower()
    fitting = [(len(suffix), known) for known in FORMATS for suffix in known.suffixes if name.endswith(suffix)]
    suffix = path.suffix.lower()
    if fitting and suffix not in _SHARED:
        return max(fitting, key=lambda pair: pair[0])[1]
    found = by_content(path)
    if found is not None:
        return _of_suffix(found, name, suffix)
    if fitting:
        known = max(fitting, key=lambda pair: pair[0])[1]
        if known.module == "envi" and suffix in (".dat", ".raw") and path.is_file() and is_text(path):
            return _of_suffix(_named("text"), name, suffix)
        return known
    if _OPUS_SUFFIX.fullmatch(suffix):
        return _of_suffix(_named("Bruker OPUS"), name, suffix)
    return _unknown(path)
