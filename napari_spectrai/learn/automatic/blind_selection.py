"""Select a denoiser without a truth: predictions from data with added noise are compared with data whose noise is independent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_spectrai.experiment.candidates import Candidate
from napari_spectrai.learn import classical
from napari_spectrai.learn.automatic.choice import Answers, HeldOut
from napari_spectrai.learn.automatic.comparison import FoldOutcome
from napari_spectrai.learn.automatic.drawn_noise import DrawnNoise
from napari_spectrai.learn.automatic.fold_fit import Stopped, Stopping, trained_on
from napari_spectrai.learn.classical.scored_pixels import input_of
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.networks.hooks import on_whole_images

ADDED = 0.5
"""Standard deviation of the added noise relative to that of the data; the target has noise of sqrt(1 + 1 / ADDED²) times that."""
MOST_DRAWS = 4
"""Largest number of draws of noise; one if there are many values."""
MOST_VALUES = 2**21
"""Largest number of values of an image that candidates are compared on; the middle of a larger one is used."""
ALWAYS = 2
"""Number of candidates compared whatever the time: the unchanged data, and one denoiser."""
SQUARE = 12
"""Side of the blocks over which the spread of a loss is measured, in pixels."""


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """One draw of noise.

    Attributes
    ----------
    noisier : Dataset
        The data with added noise.
    target : Tensor of shape (pixels, λ)
        The data with the same noise subtracted, scaled: its error is independent of that of `noisier`.
    """

    noisier: Dataset
    target: Tensor


class BlindComparison:
    """Compares denoisers without a truth.

    Noise z with the level of the data's noise is added to the input and subtracted from the target: ``y + a z`` and ``y - z / a`` have
    independent errors, so the mean squared difference between a denoiser's output and the target is its squared error plus a constant
    (Recorrupted-to-Recorrupted, Pang et al. 2021, doi:10.1109/CVPR46437.2021.00208; Oliveira, Lei & Tibshirani 2024,
    doi:10.1080/10618600.2023.2248556). The noise is drawn as it is estimated in the data (`drawn_noise`).

    Parameters
    ----------
    data : Dataset
        Prepared, without a truth, one sample per pixel.
    seconds : float
        Time limit; candidates that are not finished by then are left out.
    stopping : callable
        Whether to stop now.
    laid_out : callable
        Returns the data in patches, as the input of a network.
    now : callable
        The clock.
    """

    def __init__(
        self,
        data: Dataset,
        seconds: float,
        stopping: Stopping,
        laid_out: Callable[[Candidate], Dataset],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.data, self.seconds, self.stopping, self._laid_out, self.now = data, seconds, stopping, laid_out, now
        self.began = self.now()
        self._noise: dict[int, dict[str, Any]] = {}
        self.shown = _middle(data)
        spectra = torch.cat([s.x[m].cpu() for s, m in zip(data.scenes(), self.shown, strict=True)]).numpy()
        self.drawn = DrawnNoise(data, spectra, self.shown)
        generator = torch.Generator().manual_seed(0)
        draws = max(1, min(MOST_DRAWS, MOST_VALUES // max(1, spectra.size)))
        self.posed = [self._make_pair(generator) for _ in range(draws)]
        units = np.concatenate([_units(m) + number * 10**9 for number, m in enumerate(self.shown)])
        target = torch.cat(
            [torch.cat([place.of(p.target)[m] for place, m in zip(data.places, self.shown, strict=True)]) for p in self.posed]
        )
        # a chessboard of blocks: weights are fitted on one colour and scored on the other
        self.held = HeldOut.of(target, np.tile(units % 2, draws), np.tile(units, draws), 0)

    @property
    def left(self) -> float:
        """Remaining seconds."""
        return self.seconds - (self.now() - self.began)

    @property
    def floor(self) -> np.ndarray:
        """The squared noise in the target of each sample (n,), which is not an error of a denoiser: expected of the data, and as drawn."""
        inputs = self.data.inputs.cpu()
        expected = self.drawn.deviation(inputs).square().mean(-1)
        noise = [expected + (inputs - posed.target).square().mean(-1) for posed in self.posed]
        shown = [place.of(each)[m] for each in noise for place, m in zip(self.data.places, self.shown, strict=True)]
        return torch.cat(shown).double().numpy()

    def _make_pair(self, generator: torch.Generator) -> TrainingPair:
        inputs = self.data.inputs.cpu()
        z = self.drawn.draw(inputs, generator, skew=1 / ADDED)
        return TrainingPair(replace(self.data, inputs=inputs + ADDED * z), inputs - z / ADDED)

    def over(self, candidates: Sequence[Candidate]) -> Iterator[FoldOutcome | tuple[Candidate, int]]:
        """Yield (candidate, finished draws), and each candidate once it was compared or left out."""
        for number, candidate in enumerate(candidates):
            if self.left <= 0 and number >= ALWAYS:
                yield FoldOutcome(candidate, None, 0.0, "not compared: the time was used up", late=True)
                continue
            yield from self._one(candidate, limited=number >= ALWAYS)

    @torch.no_grad()
    def _one(self, candidate: Candidate, *, limited: bool) -> Iterator[FoldOutcome | tuple[Candidate, int]]:
        began, outputs, modules = self.now(), [], {}

        def stopping() -> bool:
            return self.stopping() or (limited and self.left <= 0)

        for number, posed in enumerate(self.posed):
            try:
                module = self.fitted(candidate, posed.noisier, stopping)
                if not candidate.network.classical:
                    modules[number] = module
                outputs += [_answers(module, input_of(module, s))[m] for s, m in zip(posed.noisier.scenes(), self.shown, strict=True)]
            except Stopped:
                if self.stopping():
                    raise
                note = f"not compared: not finished within {self.seconds:.0f} s"
                yield FoldOutcome(candidate, None, self.now() - began, note, late=True)
                return
            except (ArithmeticError, ValueError, RuntimeError) as error:
                yield FoldOutcome(candidate, None, self.now() - began, f"left out: {error}")
                return
            if self.stopping():
                raise Stopped
            yield candidate, number + 1
        output = torch.cat(outputs).float()
        if not bool(output.isfinite().all()):
            yield FoldOutcome(candidate, None, self.now() - began, "left out: its result is not finite")
            return
        yield FoldOutcome(candidate, Answers(candidate.name, output), self.now() - began, modules=modules)

    def fitted(self, candidate: Candidate, data: Dataset, stopping: Stopping) -> nn.Module:
        """Return a candidate fitted on data without a truth."""
        if candidate.network.classical:
            noise = self._noise.get(id(data.inputs))  # the noise of the same data is not estimated again
            method = classical.fitted(candidate.network, data, "training", chosen=noise)  # type: ignore[arg-type]
            if "noise" in method.chosen:
                self._noise[id(data.inputs)] = {"noise": method.chosen["noise"]}
            return method
        patches = self._laid_out(candidate)
        if patches.inputs.shape != data.inputs.shape:
            raise ValueError("the image is smaller than the patches of this network; use a larger image")
        with torch.enable_grad():
            return trained_on(candidate.experiment, replace(patches, inputs=data.continued().inputs), stopping)


def _answers(module: nn.Module, x: Tensor) -> Tensor:
    planes = [on_whole_images(module, plane[None]).float() for plane in x]
    return torch.cat(planes).cpu()


def _middle(data: Dataset) -> list[Tensor]:
    """Return which pixels of each cube candidates are compared on."""
    bands = data.inputs.shape[1]
    most = max(1, MOST_VALUES // bands // max(1, len(data.places)))
    masks = []
    for scene, place in zip(data.scenes(), data.places, strict=True):
        z, y, x = place.shape
        mask = torch.zeros(z, y, x, dtype=torch.bool)
        side = max(1, int((most / z) ** 0.5)) if x > 1 else most
        height, width = min(y, side), min(x, side) if x > 1 else 1
        top, left = (y - height) // 2, (x - width) // 2
        mask[:, top : top + height, left : left + width] = True
        masks.append(mask & scene.x.any(-1).cpu())
    return masks


def _units(mask: Tensor) -> np.ndarray:
    """Return the block of the image around each chosen pixel, with neighbouring blocks of different parity; for a set, the run of rows."""
    z, y, x = (c.numpy().astype(np.int64) for c in torch.nonzero(mask, as_tuple=True))
    if mask.shape[2] == 1:
        return np.asarray(y * 64 // max(1, mask.shape[1]))
    down, across = y // SQUARE, x // SQUARE
    return np.asarray(2 * ((z * 10**4 + down) * 10**4 + across) + (down + across) % 2)
