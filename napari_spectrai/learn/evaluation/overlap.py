"""Which of the scored spectra a model was trained or validated on, and notes on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.learn.data.fingerprints import Fingerprints
from napari_spectrai.learn.evaluation.scaling import under
from napari_spectrai.learn.evaluation.streaming import blocks
from napari_spectrai.learn.model import Model
from napari_spectrai.reports.svg import rounded

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """The part of the scored pixels that a model was trained or validated on.

    Attributes
    ----------
    known : bool ndarray of the shape of the pixels
        Where that is certain; of very many training spectra only a sample can be recognised.
    count, scored : int
        How many of the scored spectra, estimated where only a sample can be recognised.
    is_exact : bool
        Whether `known` holds all of them.
    """

    known: Mask
    count: int
    scored: int
    is_exact: bool

    @property
    def others(self) -> Mask | None:
        """The pixels that the model has not seen; None where they are none or all, or cannot be separated."""
        return ~self.known if self.is_exact and 0 < self.count < self.scored else None


def overlap_of(model: Model | None, source: Cube, truth: Cube | None = None, *, scored: Mask | None = None) -> Overlap | None:
    """Return which of the pixels of a source, or of its truth, a model was trained or validated on, recognised by their spectra.

    Parameters
    ----------
    model : Model or None
    source : Cube
    truth : Cube, optional
        With its pixels, or with more of them by an integer factor; a pixel counts where either spectrum is recognised.
    scored : bool ndarray, optional
        The pixels that are scored; of whole images that have one class, one value per image. Default: all.

    Returns
    -------
    Overlap or None
        None if the model file holds no fingerprints (a method without training, or a file of an earlier version), or if none of the
        spectra can be recognised.
    """
    if model is None or not model.fingerprints:
        return None
    known, open_to = _among(model.fingerprints, source)
    if truth is not None:
        index = under(truth.spatial_shape, source)
        if index is not None and truth.spatial_shape != source.spatial_shape:
            known, open_to = known[np.ix_(*index)], open_to[np.ix_(*index)]
        more, others = _among(model.fingerprints, truth)
        known, open_to = (known | more, open_to | others) if known.shape == more.shape else (more, others)
    if scored is not None and scored.shape != known.shape:  # one class per image
        known, open_to = (mask.reshape(scored.size, -1).mean(1).reshape(scored.shape) > 0.5 for mask in (known, open_to))
    where = np.ones(known.shape, bool) if scored is None else scored
    total, found, possible = int(where.sum()), int((known & where).sum()), int((open_to & where).sum())
    if not possible:
        return None
    exact = model.fingerprints.is_complete
    return Overlap(known, found if exact else round(total * found / possible), total, exact)


def _among(fingerprints: Fingerprints, cube: Cube) -> tuple[Mask, Mask]:
    known, open_to = (np.zeros(cube.spatial_shape, bool) for _ in range(2))
    for place in blocks(cube.shape):
        known[place], open_to[place] = fingerprints.among(cube[place].numpy())
    return known, open_to


def overlap_notes(model: Model | None, overlap: Overlap | None, source: Cube | None, truth: Any = None) -> Iterator[str]:
    """Yield notes on scores on spectra that a model was trained or validated on.

    Where the values do not show it, names may: it is then noted as a possibility.
    """
    if model is None:
        return
    if overlap is not None:
        if overlap.count:
            few = f"{'' if overlap.is_exact else 'About '}{overlap.count:,} of the {overlap.scored:,}"
            part = f"All {overlap.scored:,}" if overlap.count >= overlap.scored else few
            name = model.description.name or "given"
            yield (
                f"{part} scored spectra were used to train or validate the model ({name}): scores on them are optimistic. "
                "Score data that the model has not seen."
            )
        return
    named = [cube.name for cube in (source, truth) if isinstance(cube, Cube) and cube.name]
    same = next((name for name in named if any(_is_named(one, name) for one in model.description.trained_on)), None)
    if same is not None:
        yield (
            f"The model was trained on data of this name ({same!r}), and its file does not record which spectra these were. "
            "If they are among those scored here, the scores are optimistic."
        )


def words_of_others(count: int, name: str, metric: str, score: float) -> str:
    """Return a note on the score of a result on the spectra that the model has not seen."""
    return f"On the {count:,} spectra that the model has not seen, {name!r} has {METRICS[metric].title} {rounded(score)}."


def _is_named(trained_on: str, name: str) -> bool:
    return trained_on == name or trained_on.startswith(f"{name} (")
