"""Whether a model fits a cube: the one place that decides how an axis is brought onto a model's, and whether intensities are alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.preparation import Preparation, Step, preprocess
from napari_spectrai.preparation.axis import bringing, in_unit
from napari_spectrai.preparation.chain import seen
from napari_spectrai.valid import held_by

FACTOR = 3.0
"""By how many times the brightest intensities of a cube may differ from those that were learnt from before it is said."""
PERCENTILES = (1.0, 50.0, 99.0)
LOOKED_AT = 2**18
"""Values of a cube, about, by which its intensities are told."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How the bands of a cube become those of a model.

    Attributes
    ----------
    how : str
        ``"same"``; ``"renamed"``: the same bands in another unit or in the opposite order, which needs nobody's consent; ``"step"``: by
        `step`, once a person agrees; ``"never"``.
    turned : bool
        Whether the bands are in the opposite order.
    step : Step or None
        What brings the cube onto the model's axis.
    words : str
        How the axes differ, and what follows; empty for the same.
    remedy : str
        What can be done, to be read after `words`.
    """

    how: Literal["same", "renamed", "step", "never"]
    turned: bool = False
    step: Step | None = None
    words: str = ""
    remedy: str = field(default="")

    @property
    def fits(self) -> bool:
        """Whether the model can be applied without asking."""
        return self.how in ("same", "renamed")


def fit_axis(card: ModelCard, axis: SpectralAxis, name: str) -> Fit:
    """Return how a cube on `axis`, called `name`, is brought onto a model's axis."""
    onto = card.axis
    difference = onto.mismatch(axis)
    if difference is None or card.experiment.any_axis:
        return Fit("same")
    same_unit = in_unit(axis, onto.unit)
    if same_unit is not None:
        for turned, candidate in ((False, same_unit), (True, same_unit.take(slice(None, None, -1)))):
            if onto.mismatch(candidate) is None:
                return Fit("renamed", turned)
    words = f"{name!r} has {difference} ({axis.describe()}; the model: {onto.describe()})."
    if same_unit is None:
        return Fit("never", words=words, remedy=_other_unit(onto, axis))
    try:
        step = bringing(axis, onto)
    except ValueError:
        return Fit("never", words=words, remedy=_not_measured(onto, same_unit))
    if step.kind == "crop":
        return Fit("step", step=step, words=f"{words} Those inside the model's range are the same.")
    return Fit("step", step=step, words=f"{words} Interpolation brings it onto the model's bands.")


def _other_unit(onto: SpectralAxis, axis: SpectralAxis) -> str:
    if axis.unit and onto.unit:
        return f"Positions in {axis.unit} are not converted to {onto.unit} without guessing; choose data in {onto.unit}, or another model."
    if not axis.unit and len(axis) == len(onto):
        return "If its bands are the model's, say so: as_cube(cube, axis=model.axis)."
    if not axis.unit:
        return f"Say where its bands lie: as_cube(cube, axis=SpectralAxis(values, {onto.unit!r}))."
    if len(axis) == len(onto):
        return f"The model knows bands by their numbers; if they are the same, say so: as_cube(cube, axis=SpectralAxis.bands({len(onto)}))."
    return "The model knows bands by their numbers alone; choose data with as many, or another model."


def _not_measured(onto: SpectralAxis, axis: SpectralAxis) -> str:
    low, high = max(onto.values.min(), axis.values.min()), min(onto.values.max(), axis.values.max())
    why = "The model needs bands that were not measured"
    if low >= high:
        return f"{why}: the axes have nothing in common; choose other data, or another model."
    return (
        f"{why}; train on the bands in common, those of the training data that Crop(low={float(low):.6g}, high={float(high):.6g}) keeps, "
        "or choose other data."
    )


# ---------------------------------------------------------------- intensities


def intensities_of(spectra: FloatArray) -> list[float]:
    """Return the percentiles of spectra (n, L) that a card keeps, of their magnitudes: 1, 50 and 99; nothing if there are no values."""
    values = np.abs(spectra[np.isfinite(spectra)])
    return [float(f"{value:.6g}") for value in np.percentile(values, PERCENTILES)] if values.size else []


def another_scale(card: ModelCard, cube: Cube) -> str:
    """Return in a sentence that a cube's intensities are a factor away from those a model learnt from, and the remedy; nothing if not.

    Where the model's preparation gives the same for any factor (such as a normalisation of each spectrum), nothing is said.
    """
    if not card.intensities:
        return ""
    spectra = seen(cube, LOOKED_AT).reshape(-1, cube.shape[-1])
    spectra = spectra[held_by(spectra).mask]
    found = intensities_of(spectra)
    if not found or not found[-1] or not card.intensities[-1]:
        return ""
    ratio = found[-1] / card.intensities[-1]
    if 1 / FACTOR <= ratio <= FACTOR or not _matters(card, spectra[:: max(1, len(spectra) // 64)], cube.axis, ratio):
        return ""
    factor = usual(ratio)
    times = f"about {factor:g} times" if ratio > 1 else f"about 1/{1 / factor:.4g} of"
    return (
        f"The intensities of {cube.name or 'the cube'!r} are {times} those that the model learnt from (99th percentile {found[-1]:.3g}, "
        f"there {card.intensities[-1]:.3g}), which spoils its results; if only the scale differs, divide them by {factor:g}: "
        f"preprocess(cube, [Scale(factor={factor:g})]), or the step 'Scale by one factor' of Preprocess."
    )


def _matters(card: ModelCard, spectra: FloatArray, axis: SpectralAxis, ratio: float) -> bool:
    """Whether the preparation gives something else for intensities divided by `ratio`."""
    chain = Preparation(tuple(card.experiment.preparation))
    with np.errstate(all="ignore"):
        one, other = (chain.apply(values, axis)[0] for values in (spectra, (spectra / np.float32(ratio)).astype(np.float32)))
    size = float(np.nanmax(np.abs(one))) if np.isfinite(one).any() else 0.0
    return not np.allclose(one, other, rtol=1e-2, atol=1e-3 * size, equal_nan=True)


def usual(ratio: float) -> float:
    """Return the factor that a ratio most probably is: a power of ten, the range of 8, 12 or 16 bits, or itself to two digits."""
    known = [10.0**power for power in range(-9, 10) if power] + [float(2**bits - 1) ** sign for bits in (8, 12, 16) for sign in (1, -1)]
    nearest = min(known, key=lambda value: abs(math.log(ratio / value)))
    return nearest if abs(math.log(ratio / nearest)) < math.log(1.6) else float(f"{ratio:.2g}")


def brought(cube: Cube, card: ModelCard, fit: Fit) -> Cube:
    """Return a cube on the model's axis, by a fit that is not ``"never"``; the values of the same bands are a view."""
    if fit.how == "same":
        return cube
    if fit.how == "renamed":
        data: Any = cube.data[..., ::-1] if fit.turned else cube.data
        return cube.with_data(data, axis=card.axis)
    assert fit.step is not None  # noqa: S101
    done = preprocess(cube, [fit.step])
    return done.with_data(done.data, axis=card.axis)
