"""Bundled data: small, real, with licence and provenance beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_spectrai.cube import Cube
from napari_spectrai.io import read
from napari_spectrai.spec import listed


@dataclass(frozen=True, slots=True)
class Sample:
    """A bundled data set: the cube, and the truth where there is one."""

    name: str
    title: str
    cube: Cube
    truth: Cube | None
    notice: str


_TITLES = {"raman_pairs": "Raman pairs"}


def sample_folder() -> Path:
    """Return where the bundled data are: in the package once installed, beside it in a checkout."""
    inside = Path(__file__).parent / "sample_data"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "sample_data"


def sample_model() -> Path:
    """Return the bundled model: a denoiser of the Raman pairs, trained on their rows 0 to 799."""
    return sample_folder() / "raman_denoiser" / "raman_denoiser.safetensors"


def sample(name: str) -> Sample:
    """Return bundled data by name.

    Parameters
    ----------
    name : str
        ``"raman_pairs"``: 1,000 spectra of MDA-MB-231 cells × 500 bands, acquired briefly (the cube) and at length
        (the truth); the source gives no axis (Horgan et al. 2021, doi:10.1021/acs.analchem.1c02178).

    Raises
    ------
    ValueError
        If there is no such sample, with those there are.
    """
    key = name.strip().lower().replace(" ", "_").replace("-", "_")
    if key not in _TITLES:
        raise ValueError(f"there is no sample {name!r}; {listed(_TITLES, key)}")
    folder = sample_folder() / key
    truth = folder / "truth.npz"
    notice = (folder / "README.md").read_text(encoding="utf-8")
    return Sample(key, _TITLES[key], read(folder / "cube.npz"), read(truth) if truth.exists() else None, notice)
