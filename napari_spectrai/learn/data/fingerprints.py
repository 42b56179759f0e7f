"""Fingerprints of the training spectra of a model, by which they are recognised when results are scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from torch import Tensor

from napari_spectrai.experiment.package import model_file
from napari_spectrai.plan.subsets import TRAINING, VALIDATION, Map

MOST = 32_768
"""Largest number of fingerprints kept: those with the smallest hashes, a random sample of all (256 KiB)."""
DISTINCT = 8
"""Minimum number of different levels of a spectrum for it to be recognised; fewer may occur by chance."""
COARSE, FINE = 2**10, 2**16
"""Number of levels up to the largest magnitude of a spectrum, from 16 bands on and below."""
BLOCK = 2**18
"""Number of values hashed at a time."""
_HASHES, _COUNT = "fingerprints.hashes", "fingerprints.count"

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprints:
    """A random sample of the 64-bit hashes of spectra.

    Spectra are divided by their largest magnitude and rounded before hashing, as float32, so that data are recognised after renaming,
    cropping, conversion to another format or scaling. Spectra are not hashed if they are constant, contain NaN, or have fewer than
    `DISTINCT` different levels (with fewer bands: if levels are equal, or all are integers below 4,096).

    Attributes
    ----------
    hashes : uint64 array, ascending
    count : int
        Number of different spectra; `hashes` are the smallest hashes.
    """

    hashes: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    count: int = 0

    @classmethod
    def of(cls, spectra: Iterable[npt.NDArray[Any]]) -> Self:
        """Return the fingerprints of arrays of spectra (..., L)."""
        return cls.of_hashes(hashes[known] for hashes, known in map(hashed, spectra))

    @classmethod
    def of_hashes(cls, hashes: Iterable[Hashes]) -> Self:
        """Return the fingerprints of spectra with these hashes (n,)."""
        return cls._sampled(np.concatenate([*hashes, np.zeros(0, np.uint64)]))

    @classmethod
    def _sampled(cls, hashes: Hashes, count: int | None = None) -> Self:
        different = np.unique(hashes)
        return cls(different[:MOST], len(different) if count is None else count)

    def __or__(self, other: Fingerprints) -> Fingerprints:
        """Return the union of both; common fingerprints are counted once if all are kept."""
        together = Fingerprints._sampled(np.concatenate([self.hashes, other.hashes]))
        if self.is_complete and other.is_complete:
            return together
        limit = min((one.hashes[-1] for one in (self, other) if not one.is_complete), default=np.uint64(2**64 - 1))
        return Fingerprints(together.hashes[together.hashes <= limit], self.count + other.count)

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def is_complete(self) -> bool:
        """Whether the hashes are of every spectrum, not of a sample."""
        return self.count == len(self.hashes)

    def among(self, spectra: npt.NDArray[Any]) -> tuple[Mask, Mask]:
        """Return which of the spectra (..., L) are certainly known, and which can be: those whose hash lies in the range of the sample."""
        hashes, usable = hashed(spectra)
        if not len(self.hashes):
            return np.zeros_like(usable), np.zeros_like(usable)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return usable & (self.hashes[place] == hashes), usable & (self.is_complete | (hashes <= self.hashes[-1]))

    # ---------------------------------------------------------------- input and output

    def to_tensors(self) -> dict[str, Tensor]:
        """Return them as tensors for a model file; empty if there are none."""
        if not self:
            return {}
        return {_HASHES: torch.from_numpy(self.hashes.view(np.int64).copy()), _COUNT: torch.tensor([self.count])}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Undo `to_tensors`; files of earlier versions have none."""
        if _HASHES not in tensors or _COUNT not in tensors:
            return cls()
        return cls(tensors[_HASHES].flatten().numpy().view(np.uint64), int(tensors[_COUNT][0]))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read those of a model file, without its weights."""
        with model_file(Path(path)) as opened, safe_open(opened, framework="pt") as file:
            return cls.from_tensors({name: file.get_tensor(name) for name in (_HASHES, _COUNT) if name in file.keys()})  # noqa: SIM118


def hashed(spectra: npt.NDArray[Any]) -> tuple[Hashes, Mask]:
    """Return the hash of each spectrum (..., L), and whether it is valid."""
    bands = spectra.shape[-1]
    flat = spectra.reshape(-1, bands)
    hashes, usable = np.zeros(len(flat), np.uint64), np.zeros(len(flat), bool)
    step = max(1, BLOCK // bands)
    for start in range(0, len(flat), step):
        place = slice(start, start + step)
        hashes[place], usable[place] = _hashed(np.asarray(flat[place], np.float32))
    return hashes.reshape(spectra.shape[:-1]), usable.reshape(spectra.shape[:-1])


def _hashed(spectra: npt.NDArray[np.float32]) -> tuple[Hashes, Mask]:
    bands = spectra.shape[-1]
    whole: Mask = np.asarray(np.isfinite(spectra).all(-1))
    values = np.where(whole[:, None], spectra, 0)
    peak = np.abs(values).max(-1, keepdims=True)
    levels = np.rint(values / np.where(peak > 0, peak, 1) * (COARSE if bands >= 2 * DISTINCT else FINE)).astype(np.int64)
    different = 1 + (np.diff(np.sort(levels, -1), axis=-1) != 0).sum(-1)
    usable: Mask = whole & (different >= max(2, min(DISTINCT, bands)))
    if bands < DISTINCT:  # low counts in few bands coincide by chance
        usable &= (peak[:, 0] >= 4096) | (values != np.rint(values)).any(-1)
    # multilinear hashing with odd multipliers, then mixed so that the smallest are a random sample
    factors = _mixed(np.arange(1, bands + 1, dtype=np.uint64)) | np.uint64(1)
    return _mixed(levels.view(np.uint64) @ factors + np.uint64(bands)), usable


def _mixed(values: Hashes) -> Hashes:
    """Return each value mixed by the finaliser of SplitMix64 (Steele et al. 2014, doi:10.1145/2660193.2660195)."""
    values = values * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def learnt_from(
    hashes: Sequence[tuple[Hashes, Mask]],
    of_truths: Sequence[tuple[Hashes, Mask]],
    maps: Sequence[Map],
    marked: Sequence[npt.NDArray[np.int64]],
    start: Path | None = None,
) -> Fingerprints:
    """Return the fingerprints of the training data: the spectra for training and validation, and their true spectra.

    Validation spectra determine the epoch and the settings, so that scores on them are not those of new data.

    Parameters
    ----------
    hashes : arrays (z, y, x) with the hash of each spectrum of a cube, and whether there is one
    of_truths : the same of the truths, if they are cubes; they may have several times as many pixels per side
    maps : arrays (z, y, x) with the part of each pixel
    marked : arrays (z, y, x) with the class of each pixel, 0 without a class; empty if the truths are cubes
    start : path, optional
        The model that the training starts from; its training data are included.
    """
    chosen: list[Mask] = [np.isin(m, (TRAINING, VALIDATION)) for m in maps]
    if marked:
        chosen = [np.logical_and(where, labels > 0) for where, labels in zip(chosen, marked, strict=True)]
    known = Fingerprints.of_hashes([found[valid & where] for (found, valid), where in zip(hashes, chosen, strict=True)])
    if of_truths:
        sharp = [found[valid & _on_pixels_of(found, where)] for (found, valid), where in zip(of_truths, chosen, strict=True)]
        different, times = np.unique(np.concatenate(sharp), return_counts=True)
        # one clean spectrum may be the truth of many pixels, including pixels outside the training data
        known |= Fingerprints.of_hashes([different[times == 1]])
    if start is not None and start.is_file():
        known |= Fingerprints.load(start)
    return known


def _on_pixels_of(hashes: Hashes, where: Mask) -> Mask:
    """Return a mask (z, y, x) for an image with several times as many pixels per side."""
    times = hashes.shape[1] // where.shape[1]
    return where.repeat(times, 1).repeat(times, 2) if times > 1 else where
