"""Files of other programs, which are known and not read, by their suffixes or their first bytes, and what to do about each."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

CLOSED: dict[str, tuple[tuple[str, ...], bytes]] = {
    "LabSpec 6 files": ((".l6s", ".l6m", ".l6v"), b"LabSpec6"),
    "older files of Renishaw WiRE (.wxd)": ((".wxd",), b"#WXD"),
    "groups and maps of OMNIC": ((".spg", ".srs", ".srsx"), b"Spectral Exte File"),
    "files of neaSCAN": ((".nea",), b""),
}
"""Files of instruments that are known and not read, by their suffixes and first bytes."""


FOREIGN: tuple[tuple[tuple[str, ...], str], ...] = (
    ((".xlsx", ".xlsm", ".xls", ".ods", ".numbers"), "it is a spreadsheet; save the sheet as .csv"),
    (
        (".czi", ".nd2", ".lif", ".oib", ".oif", ".oir", ".vsi"),
        "plugins of napari read it, such as those of bioio; a dock takes the layer",
    ),
    ((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"), "it is a picture, with three colours at most; labels are read by read_labels"),
    ((".pkl", ".pickle", ".pt", ".pth"), "opening it would run code that is in it; save its arrays as .npz or .h5"),
    ((".rds", ".rdata", ".rda"), "it is a file of R; save the table with write.csv"),
    ((".parquet", ".feather", ".arrow", ".sqlite", ".db"), "it is a file of tables; save the table as .csv, or its values as .npz"),
    ((".fits", ".fit", ".fts"), "FITS is not read; save its array as .npy or .h5"),
    ((".sif",), "files of Andor Solis are not read; export it as ASCII (.asc), which is"),
    ((".vms",), "VAMAS is not read; export it as a text with columns"),
    ((".gwy",), "Gwyddion's own files are not read; save the channel as .gsf, which is"),
    ((".jws",), "files of JASCO's Spectra Manager are not read; export it as text or JCAMP-DX, which are"),
    ((".asd",), "files of ASD's spectrometers are not read; export it with ViewSpec as text, which is"),
    ((".bsw", ".dsw", ".csw"), "files of Cary WinUV are not read; export it as .csv, which is"),
    ((".axd", ".axz"), "documents of Analysis Studio are not read; export the spectra as .csv, or the map as .ptir"),
    ((".ngs", ".ngc"), "files of NGSLabSpec are not read; export it as text or .xml, which are"),
    ((".fds", ".fd3", ".uds"), "files of Hitachi's spectrometers are not read; export it as text, which is"),
    ((".ser", ".emi", ".mrc", ".blo"), "it is a file of an electron microscope that is not read; save it with HyperSpy as .hspy, which is"),
    ((".tdms",), "files of LabVIEW are not read; export it as text or .h5"),
    (
        (".procspec", ".rfl8", ".rfl8x", ".irr8", ".raw8"),
        "files of OceanView and AvaSoft are not read; export it as text, which is",
    ),
    ((".spd", ".ipr"), "files of EDAX are not read; save the map with HyperSpy as .hspy, which is, or export it as .raw with .rpl"),
    ((".pts", ".asw", ".eds"), "files of JEOL are not read; save the map with HyperSpy as .hspy, which is"),
    ((".opj", ".opju", ".oggu"), "projects of Origin are not read; export the worksheet as .csv"),
    ((".im3",), "files of PerkinElmer's Nuance and Vectra are not read; export the cube as .tif"),
    ((".cu3", ".cu3s", ".cu3c"), "files of Cubert are not read; export the cube as ENVI or .tif, which are"),
    ((".sdt", ".ptu", ".pt3"), "it holds times of photons, and no spectra; export the images of its spectral channels as .tif"),
    ((".mzml", ".mzxml"), "it holds mass spectra without places; convert the image to .imzML, which is read"),
    ((".qub", ".cub", ".lbl"), "files of PDS and ISIS are not read; convert it with GDAL to ENVI: gdal_translate -of ENVI"),
    ((".xrdml", ".brml"), "it is a pattern of X-ray diffraction; export it as text"),
    ((".json", ".yaml", ".yml", ".xdce", ".toml"), "it is a file of settings or metadata; save spectra as .csv or .npz"),
    ((".hdf", ".hdf4", ".l1r", ".l1b"), "it is a file of HDF4, which is not read; convert it to HDF5 with h4toh5, or to ENVI with GDAL"),
    ((".jp2", ".nitf", ".ntf", ".ecw"), "it is not read; convert it with GDAL to ENVI: gdal_translate -of ENVI"),
    ((".ome",), "it holds metadata alone; open the .ome.tif next to it"),
    ((".ibd",), "it holds the values of an imzML file; open the .imzML next to it"),
    ((".xim",), "it is an image of one energy of a scanning X-ray microscope; save the stack as .h5 or .tif"),
    ((".pdf", ".doc", ".docx", ".html", ".htm"), "it is a document; save its table as .csv"),
)
"""Suffixes of other programs, and what to do about each."""


def is_foreign(suffix: str) -> bool:
    """Whether a suffix is one of files that are known and not read."""
    return suffix in ARCHIVES or any(suffix in known for known, _ in (*FOREIGN, *CLOSED.values()))


VAMAS = b"VAMAS Surface Chemical Analysis"
_PACKED = ((b"\x1f\x8b\x08", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"PK\x03\x04", "ZIP"))
ARCHIVES = (".zip", ".gz", ".bz2", ".xz", ".7z", ".tar", ".tgz", ".rar")


def starts(path: Path, magic: bytes) -> bool:
    """Whether a file starts with some bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


def compression_of(path: Path) -> str:
    """Return the name of the compression that a file's first bytes show, or ``""``."""
    return next((name for magic, name in _PACKED if starts(path, magic)), "")


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CONTENT: tuple[tuple[bytes, str], ...] = (
    (b"SIMPLE  =", ".fits"), (b"\x89PNG\r\n", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"GIF8", ".gif"), (b"%PDF-", ".pdf"),
    (b"Andor Technology", ".sif"), (VAMAS, ".vms"), (b"TDSm", ".tdms"), (b"PAR1", ".parquet"), (b"SQLite format 3", ".sqlite"),
    (b"\x0e\x03\x13\x01", ".hdf"), (b"NITF0", ".nitf"), (b"\0\0\0\x0cjP  \r\n\x87\n", ".jp2"),
)  # fmt: skip
_HTML = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|table)\b", re.IGNORECASE)
_OFFICE = ("[Content_Types].xml", "mimetype")
"""Members of the archives that spreadsheets and documents are."""


def foreign_content(path: Path) -> str:
    """Return what to do about a file whose first bytes are those of another program, whatever its suffix, or ``""``."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return ""
    kind = next((suffix for magic, suffix in _CONTENT if head.startswith(magic)), "")
    kind = kind or (".html" if _HTML.match(head) else ".xlsx" if head.startswith(_PACKED[-1][0]) and _is_of_office(path) else "")
    if head.startswith(_OLE):
        return "it is an OLE file, as Excel and Word write them; save its table as .csv"
    return next((words for suffixes, words in FOREIGN if kind in suffixes), "")


def _is_of_office(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name in _OFFICE for name in archive.namelist()[:8])
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return False
