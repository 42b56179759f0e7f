"""From cubes to batches: one pool of prepared spectra, where a batch of spectra or patches is one fancy index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai import io
from napari_spectrai.cube import Cube, FloatArray, SpectralAxis, as_cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.learn.split import NAMES, TEST, TRAINING, VALIDATION, Map, apart, origins, split_maps
from napari_spectrai.preparation import Preparation
from napari_spectrai.spec import SettingsError

FITTING_SPECTRA = 200_000
"""Spectra that a step which learns from the training data gets to see; a larger set is thinned to it."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Patches of the pool, by their first pixel and the pixels from one row to the next; `patch` 1 is a spectrum."""

    first: Tensor
    row: Tensor
    patch: int

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, chosen: Tensor | slice) -> Samples:
        return Samples(self.first[chosen], self.row[chosen], self.patch)

    def pixels(self) -> Tensor:
        """Return pixel numbers of shape (n, patch, patch)."""
        steps = torch.arange(self.patch, device=self.first.device)
        return self.first[:, None, None] + steps[:, None] * self.row[:, None, None] + steps


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything a training reads.

    Attributes
    ----------
    inputs, truths : Tensor of shape (pixels, λ)
        Prepared spectra of all cubes, one after another.
    parts : dict
        `Samples` of ``"training"``, ``"validation"`` and ``"test"``.
    """

    inputs: Tensor
    truths: Tensor
    parts: dict[str, Samples]
    preparation: Preparation
    axis: SpectralAxis
    prepared_axis: SpectralAxis
    maps: list[Map]
    names: list[str]
    notes: list[str]

    def batch(self, samples: Samples, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return inputs and truths of shape (N, patch, patch, λ) on `device`."""
        pixels = samples.pixels()
        return self.inputs[pixels].to(device, non_blocking=True), self.truths[pixels].to(device, non_blocking=True)

    def batches(self, part: str, size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield a part in order."""
        samples = self.parts[part]
        for start in range(0, len(samples), size):
            yield self.batch(samples[start : start + size], device)

    def spectra(self, *parts: str) -> tuple[Tensor, Tensor]:
        """Return the input and truth spectra (n, λ) of some parts."""
        pixels = torch.cat([self._pixels_of(part) for part in parts if part in self.parts])
        return self.inputs[pixels], self.truths[pixels]

    def _pixels_of(self, part: str) -> Tensor:
        samples = self.parts[part]
        if samples.patch == 1:
            return samples.first
        label = next(label for label, name in NAMES.items() if name == part)
        # of the split, not of the patches, which show each pixel many times
        labels = np.concatenate([labels.ravel() for labels in self.maps])
        return torch.from_numpy(np.flatnonzero(labels == label)).to(samples.first.device)

    def to(self, device: torch.device) -> Dataset:
        """Return the dataset on `device` if it fits there with room to work, else as it is."""
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if 4 * (self.inputs.nelement() + self.truths.nelement()) > 0.5 * free:
                return self
        parts = {name: Samples(s.first.to(device), s.row.to(device), s.patch) for name, s in self.parts.items()}
        return replace(self, inputs=self.inputs.to(device), truths=self.truths.to(device), parts=parts)


def gather(experiment: Experiment, cubes: Any, truths: Any) -> tuple[list[Cube], list[Cube]]:
    """Return cubes and truths as lists, read from the experiment's files where none are given, and check that they pair.

    Raises
    ------
    SettingsError
        A ValueError: if there is none, a truth is missing, or shapes or axes differ; the message names the pair.
    """
    if cubes is None:
        cubes, truths = ([io.read(path) for path in getattr(experiment.data, side)] for side in ("input", "truth"))
    inputs, targets = _as_list(cubes), _as_list(truths)
    if len(inputs) == len(targets):
        pairs = [share_axis(cube, truth) for cube, truth in zip(inputs, targets, strict=True)]
        inputs, targets = [cube for cube, _ in pairs], [truth for _, truth in pairs]
    found = problems_with(experiment, inputs, targets)
    if found:
        raise SettingsError(found)
    return inputs, targets


def share_axis(cube: Cube, truth: Cube) -> tuple[Cube, Cube]:
    """Return a pair where one without band positions has taken its partner's, so that steps treat both alike."""
    if len(cube.axis) == len(truth.axis):
        if cube.axis.unit and not truth.axis.unit:
            return cube, as_cube(truth, axis=cube.axis)
        if truth.axis.unit and not cube.axis.unit:
            return as_cube(cube, axis=truth.axis), truth
    return cube, truth


def _as_list(cubes: Any) -> list[Cube]:
    if cubes is None:
        return []
    return [as_cube(cube) for cube in cubes] if isinstance(cubes, list | tuple) else [as_cube(cubes)]


def assemble(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Cube], maps: Sequence[Map] | None = None) -> Dataset:
    """Split, prepare and pool. `maps` (of a resumed run) replaces a new split.

    Raises
    ------
    ValueError
        If values are missing (NaN, infinite), or a part has no samples; with the place and the remedy.
    """
    patch = _patch(experiment)
    shapes = [_as_volume(cube) for cube in cubes]
    maps = list(maps) if maps is not None else split_maps(shapes, experiment.split, patch)
    if [m.shape for m in maps] != shapes:
        raise ValueError(f"the saved split is for cubes of shape {[m.shape for m in maps]} (z, y, x), not {shapes}; start a new run")
    raw = [cube.numpy().reshape(-1, cube.shape[-1]) for cube in cubes]
    fitting = np.concatenate([_thinned(r[m.ravel() == TRAINING]) for r, m in zip(raw, maps, strict=True)])
    if not len(fitting):
        raise ValueError(_none_left("training", experiment, patch, maps))
    if not any(step.kind == "fill" for step in experiment.preparation):
        for cube, spectra in zip(cubes, raw, strict=True):
            refuse_missing(spectra, cube, "input")
    preparation = Preparation(tuple(experiment.preparation)).fitted(fitting, cubes[0].axis)
    inputs, prepared_axis = _pooled(cubes, raw, preparation, "input")
    targets, _ = _pooled(truths, [t.numpy().reshape(-1, t.shape[-1]) for t in truths], preparation, "truth")
    notes: list[str] = []
    if experiment.split.method == "random" and any(cube.is_image for cube in cubes):
        notes.append("Neighbouring pixels are split at random: scores will flatter. Use blocks or contiguous for an honest figure.")
    parts = _parts(maps, patch, inputs, notes)
    for part in ("training", "validation", *(["test"] if experiment.split.test else [])):
        if part not in parts:
            raise ValueError(_none_left(part, experiment, patch, maps))
    return Dataset(
        inputs=torch.from_numpy(inputs), truths=torch.from_numpy(targets), parts=parts, preparation=preparation,
        axis=cubes[0].axis, prepared_axis=prepared_axis, maps=maps,
        names=[f"{cube.name or 'unnamed'} ({cube.count:,} spectra)" for cube in cubes], notes=notes,
    )  # fmt: skip


def _patch(experiment: Experiment) -> int:
    return 1 if getattr(experiment.network, "dims", 1) == 1 else experiment.data.patch


def _as_volume(cube: Cube) -> tuple[int, int, int]:
    spatial = cube.spatial_shape
    if len(spatial) == 1:
        return (1, spatial[0], 1)
    return (int(np.prod(spatial[:-2], dtype=int)), spatial[-2], spatial[-1])


def _thinned(spectra: FloatArray) -> FloatArray:
    return spectra if len(spectra) <= FITTING_SPECTRA else spectra[:: -(-len(spectra) // FITTING_SPECTRA)]


def _pooled(
    cubes: Sequence[Cube], raw: Sequence[FloatArray], preparation: Preparation, side: str
) -> tuple[npt.NDArray[np.float32], SpectralAxis]:
    prepared = []
    for cube, spectra in zip(cubes, raw, strict=True):
        result, axis, _ = preparation.apply(spectra, cube.axis)
        refuse_missing(spectra, cube, side, result)
        prepared.append(np.ascontiguousarray(result, dtype=np.float32))
    return (prepared[0] if len(prepared) == 1 else np.concatenate(prepared)), axis


def refuse_missing(
    spectra: FloatArray,
    cube: Cube,
    side: str,
    prepared: FloatArray | None = None,
    *,
    origin: tuple[int, ...] = (),
    remedy: str = "crop them, or begin the preparation with the step 'fill'",
) -> None:
    """Raise ValueError if spectra (n, λ) of `cube`, once prepared, hold NaN or infinite values: how many, where, the remedy.

    `origin` is where `cube` begins in the image it was cut from.
    """
    bad = ~np.isfinite(spectra if prepared is None else prepared)
    if not bad.any():
        return
    missing = ~np.isfinite(spectra)  # preparation spreads them over the spectrum
    bad = missing if missing.any() else bad
    spectrum, band = np.argwhere(bad)[0]
    pixel = [int(c) for c in np.unravel_index(spectrum, cube.spatial_shape)]
    for place, start in enumerate(origin):
        pixel[place] += start
    raise ValueError(
        f"{side} {cube.name or 'cube'!r} holds {int(bad.sum()):,} NaN or infinite values in {int(bad.any(-1).sum()):,} spectra, "
        f"the first at pixel ({', '.join(map(str, pixel))}), band {band}; {remedy}"
    )


def _parts(maps: Sequence[Map], patch: int, inputs: FloatArray, notes: list[str]) -> dict[str, Samples]:
    parts: dict[str, Samples] = {}
    for label, name in NAMES.items():
        first, row, base = [], [], 0
        for labels in maps:
            corners = origins(labels, label, patch)
            if label in (VALIDATION, TEST):
                corners = apart(corners, patch)
            height, width = labels.shape[1:]
            first.append(base + (corners[:, 0] * height + corners[:, 1]) * width + corners[:, 2])
            row.append(np.full(len(corners), width))
            base += labels.size
        firsts, rows = np.concatenate(first), np.concatenate(row)
        if patch == 1 and len(firsts):
            # a spectrum of zeros (a dead pixel) has nothing to be learnt from, nor to be judged by
            alive = inputs[firsts].any(-1)
            if not alive.all():
                notes.append(f"{int((~alive).sum()):,} of {len(alive):,} spectra for {name} are all zero and are left out.")
            firsts, rows = firsts[alive], rows[alive]
        if len(firsts):
            parts[name] = Samples(torch.from_numpy(firsts), torch.from_numpy(rows), patch)
    return parts


def _none_left(part: str, experiment: Experiment, patch: int, maps: Sequence[Map]) -> str:
    shapes = ", ".join("×".join(map(str, m.shape[1:] if m.shape[0] == 1 else m.shape)) for m in maps)
    split = experiment.split
    remedy = f"raise split.{part}" if part != "training" else "lower split.validation or split.test"
    if patch > 1:
        blocks = f", raise split.block ({split.block})" if split.method == "blocks" else ""
        remedy += f"{blocks}, or lower data.patch ({patch}) or split.gap ({patch if split.gap is None else split.gap})"
    return (
        f"no samples are left for {part}: {shapes} pixels (empty or all zero ones not counted), validation {split.validation:g}, "
        f"test {split.test:g}; {remedy}"
    )
