"""Fit one candidate on the training pixels of a fold, and predict others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.candidates import Candidate
from napari_spectrai.learn import classical
from napari_spectrai.learn.classical.scored_pixels import answers_at, counted, input_of
from napari_spectrai.learn.data.assemble import assemble, rearranged
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.pool import Samples, in_units
from napari_spectrai.learn.mixture.blend import answers
from napari_spectrai.learn.mixture.spectral_views import seen
from napari_spectrai.learn.train.trainer import Trainer
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.patches import Layout, layout_of
from napari_spectrai.plan.subsets import Map
from napari_spectrai.plan.truths import Truth
from napari_spectrai.runs import RunFolder

Stopping = Callable[[], bool]
AT_ONCE = 4096
"""Number of samples per prediction step of a network."""


class Stopped(Exception):  # noqa: N818
    """The comparison was asked to stop."""


class Bench:
    """The data of a comparison, prepared once, with a layout for each candidate.

    Parameters
    ----------
    experiment : Experiment
        Its preparation is fitted once, on all pixels of the comparison.
    cubes, truths : as for `assemble`
    maps : maps of shape (z, y, x)
        All pixels of the comparison as training, and those of the test part unchanged.
    """

    def __init__(self, experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], maps: Sequence[Map]) -> None:
        self.experiment, self.cubes, self.truths, self.maps = experiment, cubes, truths, list(maps)
        self._datasets: dict[Any, Dataset] = {}
        self.base = self._dataset(experiment, "spectra")

    def _dataset(self, experiment: Experiment, sees: str) -> Dataset:
        layout = layout_of(experiment)
        key = (layout, sees)
        if key not in self._datasets:
            if sees != "spectra":
                plain = self._dataset(experiment, "spectra")
                self._datasets[key] = replace(plain, inputs=_viewed(plain, sees))
            else:
                self._datasets[key] = assemble(experiment, self.cubes, self.truths, self.maps, validates=False)
        return self._datasets[key]

    def data(self, candidate: Candidate, maps: Sequence[Map] | None = None) -> Dataset:
        """Return the data as the input of a candidate, split by `maps`."""
        data = self._dataset(candidate.experiment, candidate.sees)
        return data if maps is None else rearranged(candidate.experiment, data, divide(candidate.experiment, self.cubes, self.truths, maps))

    def fitted(self, candidate: Candidate, maps: Sequence[Map], stopping: Stopping, *, chosen: dict[str, Any] | None = None) -> nn.Module:
        """Return a candidate fitted on the training pixels of some maps; `chosen` settings are not tuned again."""
        data = self.data(candidate, maps)
        if candidate.network.classical:
            return classical.fitted(candidate.network, data, "training", chosen=chosen)  # type: ignore[arg-type]
        return trained_on(candidate.experiment, data, stopping)

    def asked(self, maps: Sequence[Map], part: str = "validation") -> list[Tensor]:
        """Return for each cube which pixels of a part are to be predicted, bool (z, y, x)."""
        data = rearranged(self.experiment, self.base, divide(self.experiment, self.cubes, self.truths, maps))
        return [counted(scene) for scene in data.scenes(part)]

    def truth(self, asked: Sequence[Tensor]) -> Tensor:
        """Return the truth of the pixels to predict: spectra (n, λ), or class indices (n,) from 0."""
        known = torch.cat([scene.y[chosen] for scene, chosen in zip(self.base.scenes(), asked, strict=True) if scene.y is not None]).cpu()
        return known - 1 if self.base.classes else in_units(self._units(asked), known, known)[1]

    def _units(self, asked: Sequence[Tensor]) -> Tensor | None:
        """Return the conversion of outputs and truths to the unit of the truth, (n, 4); None if they are in it."""
        units = [scene.units[a].cpu() for scene, a in zip(self.base.scenes(), asked, strict=True) if scene.units is not None]
        return torch.cat(units) if units else None

    @torch.no_grad()
    def answers(self, candidate: Candidate, module: nn.Module, asked: Sequence[Tensor]) -> Tensor:
        """Return the predictions of a fitted candidate, (n, bands or classes), in the order of cubes and pixels."""
        output = self._answers(candidate, module, asked)
        return output if self.base.classes else in_units(self._units(asked), output, output)[0]

    def _answers(self, candidate: Candidate, module: nn.Module, asked: Sequence[Tensor]) -> Tensor:
        data = self.data(candidate)
        if candidate.network.classical or not _by_samples(candidate):
            scenes = [replace(scene, counts=chosen) for scene, chosen in zip(data.scenes(), asked, strict=True) if bool(chosen.any())]
            return torch.cat([answers_at(module, scene) for scene in scenes]).float().cpu()
        samples = _samples(data, asked, layout_of(candidate.experiment).patch)
        batches = (data.inputs[samples[start : start + AT_ONCE].pixels()] for start in range(0, len(samples), AT_ONCE))
        return torch.cat([module(batch).float().cpu() for batch in batches]).flatten(0, -2)

    @torch.no_grad()
    def planes(self, candidate: Candidate, module: nn.Module) -> list[Tensor]:
        """Return the predictions of a fitted candidate for all pixels of each cube, (z, y, x, bands or classes)."""
        data = self.data(candidate)
        return [torch.cat([answers(module, plane[None]) for plane in input_of(module, scene)]).cpu() for scene in data.scenes()]


def _samples(data: Dataset, asked: Sequence[Tensor], patch: int) -> Samples:
    """Return the samples of single pixels: their spectra, or the windows around them; the margin puts their corners at the pixels."""
    first, columns, rows = [], [], []
    for chosen, place in zip(asked, data.places, strict=True):
        z, y, x = torch.nonzero(chosen, as_tuple=True)
        height, width = place.padded[1:]
        first.append(place.base + (z * height + y) * width + x)
        columns.append(x)
        rows.append(torch.full_like(x, width))
    return Samples(torch.cat(first), torch.cat(columns), torch.cat(rows), patch)


def _by_samples(candidate: Candidate) -> bool:
    """Whether a network predicts single pixels, so that it does not need whole images."""
    layout: Layout = layout_of(candidate.experiment)
    return layout.pixelwise or layout.patch == 1


def _viewed(data: Dataset, sees: str) -> Tensor:
    inputs = data.inputs.clone()
    for place in data.places:
        place.of(inputs).copy_(seen(place.of(data.inputs), sees))
    return inputs


def trained_on(experiment: Experiment, data: Dataset, stopping: Stopping) -> nn.Module:
    """Return a network trained to its last epoch, without a run folder."""
    with tempfile.TemporaryDirectory(prefix="napari-spectrai-fold-") as place:
        training = Trainer(experiment, data, RunFolder.create(experiment, f"{place}/run"), shown=False)
        steps: Generator[Any, None, None] = training.epochs()
        for _ in steps:
            if stopping():
                steps.close()
                raise Stopped
        network: nn.Module = training.average.module
        return network.eval()
