"""Bundled data: small real data sets with their licence and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_spectrai import repr_html
from napari_spectrai.cube import Cube
from napari_spectrai.io import read
from napari_spectrai.spec import listed


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sample:
    """A bundled data set: a cube, and where there are any, the truth and labels of its pixels.

    Parameters
    ----------
    name, title : str
        The name that `sample` takes, and the same for people.
    cube : Cube
    truth : Cube or None
        The same spectra with less noise.
    notice : str
        Source and licence.
    labels : ndarray of shape (y, x) or None
        Class numbers; 0 is unlabelled.
    class_names : mapping of int to str

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> scene = spectrai.sample("indian_pines")
    >>> spectrai.Labels(scene.labels, scene.class_names)
    Labels(unnamed: 145 × 145, 16 classes)
    """

    name: str
    title: str
    cube: Cube
    truth: Cube | None
    notice: str
    labels: npt.NDArray[np.uint8] | None = None
    class_names: Mapping[int, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        more = [name for name in ("truth", "labels") if getattr(self, name) is not None]
        return f"Sample({self.name}: {', '.join(['cube', *more])})"

    def _repr_html_(self) -> str:
        rows = [("Cube", repr(self.cube))]
        rows += [("Truth", repr(self.truth))] if self.truth is not None else []
        rows += [("Labels", f"{len(self.class_names)} classes: {', '.join(self.class_names.values())}")] if self.labels is not None else []
        return repr_html.card("Sample", self.title, rows)


_TITLES = {
    "raman_pairs": "Raman pairs",
    "cartilage": "Cartilage Raman map",
    "lambda_stack": "Lambda stack of five dyes",
    "indian_pines": "Indian Pines",
    "microplastic": "Microplastic FTIR map",
}


def sample_folder() -> Path:
    """Return the folder of the bundled data: in the package once installed, next to it in a checkout."""
    inside = Path(__file__).parent / "sample_data"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "sample_data"


def sample_names() -> list[str]:
    """Return the names that `sample` takes."""
    return list(_TITLES)


def sample_model() -> Path:
    """Return the bundled model: a denoiser of the Raman pairs, trained on their rows 0 to 799."""
    return sample_folder() / "raman_denoiser" / "raman_denoiser.safetensors"


def sample(name: str) -> Sample:
    """Return bundled data by name.

    Parameters
    ----------
    name : str
        ``"raman_pairs"``: 1,000 spectra of MDA-MB-231 cells × 500 bands, acquired for 0.1 s (the cube) and 1 s
        (the truth); the source has no axis (Horgan et al. 2021, doi:10.1021/acs.analchem.1c02178).
        ``"cartilage"``: a Raman map, 25 × 35 pixels × 300 bands, already denoised by its authors (hySpc.chondro).
        ``"lambda_stack"``: a confocal lambda stack of five dyes, 256 × 256 pixels × 28 channels (doi:10.6084/m9.figshare.28067108.v4).
        ``"indian_pines"``: an AVIRIS scene, 145 × 145 pixels × 200 bands, with 16 classes (doi:10.4231/R7RX991C).
        ``"microplastic"``: an FTIR map of particles, 13 × 16 pixels × 427 bands (Cowger et al. 2021, doi:10.1021/acs.analchem.1c00123).

    Returns
    -------
    Sample

    Raises
    ------
    ValueError
        If there is no such sample; the message lists those there are.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> spectrai.sample("lambda_stack").cube.shape
    (256, 256, 28)
    """
    key = name.strip().lower().replace(" ", "_").replace("-", "_")
    if key not in _TITLES:
        raise ValueError(f"there is no sample {name!r}; {listed(_TITLES, key)}")
    folder = sample_folder() / key
    truth, marked = folder / "truth.npz", folder / "labels.npz"
    notice = (folder / "README.md").read_text(encoding="utf-8")
    bundled = Sample(key, _TITLES[key], read(folder / "cube.npz"), read(truth) if truth.exists() else None, notice)
    if not marked.exists():
        return bundled
    with marked.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        names = {number: str(name) for number, name in enumerate(archive["class_names"]) if number}
        return replace(bundled, labels=archive["labels"], class_names=names)
