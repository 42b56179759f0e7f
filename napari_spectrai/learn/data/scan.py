"""One pass through data larger than memory: fingerprints, and pixels that become NaN or infinite in the preparation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import FloatArray
from napari_spectrai.learn.data.filling import fine, prepared
from napari_spectrai.learn.data.fingerprints import MOST, Fingerprints, Hashes, hashed
from napari_spectrai.learn.stages import Say, silent
from napari_spectrai.plan.partition import Division
from napari_spectrai.plan.storage import Mask, Region, Source
from napari_spectrai.plan.subsets import TRAINING, UNUSED, VALIDATION
from napari_spectrai.preparation import Preparation


@dataclass(slots=True)
class Sketch:
    """The smallest of many hashes, and how often each occurred: a sample of all (Bar-Yossef et al. 2002, doi:10.1007/3-540-45726-7_1)."""

    hashes: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    times: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    complete: bool = True

    def add(self, hashes: Hashes) -> None:
        """Add the hashes (n,) of some spectra."""
        new, times = np.unique(hashes, return_counts=True)
        if not self.complete:  # a hash above the sample cannot enter it
            inside = new <= self.hashes[-1]
            new, times = new[inside], times[inside]
        together, place = np.unique(np.concatenate([self.hashes, new]), return_inverse=True)
        total = np.bincount(place, np.concatenate([self.times, times]), len(together)).astype(np.int64)
        self.complete = self.complete and len(together) <= 2 * MOST
        self.hashes, self.times = together[: 2 * MOST], total[: 2 * MOST]

    def fingerprints(self, *, single: bool = False) -> Fingerprints:
        """Return the fingerprints; with `single`, of the spectra that occurred once. Their number is estimated if these are a sample."""
        kept = self.hashes[self.times == 1] if single else self.hashes
        if self.complete:
            return Fingerprints.of_hashes([kept])
        share = float(self.hashes[-1]) / 2.0**64
        return Fingerprints(kept[:MOST], max(MOST + 1, round(len(kept) / share)))


def scan(
    division: Division, sources: list[Source], truths: list[Source], preparation: Preparation, times: int, say: Say = silent
) -> tuple[Fingerprints, int]:
    """Remove pixels that become NaN or infinite from `division`; return the fingerprints of the others, and how many were removed."""
    known, sharp, lost = Sketch(), Sketch(), 0
    done, total = 0, sum(source.cube.count for source in sources)
    for number, source in enumerate(sources):
        for region in source.regions():
            say("Reading all spectra once", done, total)
            done += region.pixels
            held: Mask = division.data[number][region.key]
            if not held.any():
                continue
            raw, gone = _examined(source, region, held, preparation)
            truth = None
            if truths:
                held_fine: Mask = fine(division.data[number], region, times)
                truth, gone_fine = _examined(truths[number], region.times(times), held_fine, preparation.for_target())
                gone |= gone_fine.reshape(region.shape[0], times, region.shape[1], times).any((1, 3))
            if gone.any():
                lost += int(gone.sum())
                division.maps[number][region.key][gone] = UNUSED
                division.data[number][region.key][gone] = False
            learnt = np.isin(division.maps[number][region.key], (TRAINING, VALIDATION))
            known.add(_valid(raw[learnt]))
            if truth is not None:
                sharp.add(_valid(truth[learnt.repeat(times, 0).repeat(times, 1)]))
    return known.fingerprints() | sharp.fingerprints(single=True), lost


def _examined(source: Source, region: Region, held: Mask, preparation: Preparation) -> tuple[FloatArray, Mask]:
    found = prepared(source, region, held, preparation)
    return found.raw, found.gone


def _valid(spectra: FloatArray) -> Hashes:
    hashes, valid = hashed(spectra)
    return hashes[valid]
