"""Compatibility of models with cubes: how an axis is brought onto that of a model, and whether intensities are comparable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.preparation import Preparation, Step, preprocess
from napari_spectrai.preparation.axis import bringing, in_unit
from napari_spectrai.preparation.sample_rows import seen
from napari_spectrai.remedies import where
from napari_spectrai.valid import held_by

FACTOR = 3.0
"""Factor between the brightest intensities of a cube and those of the training data above which a warning is given."""
FACTOR_OF_INPUTS = 8.0
"""The same between the inputs of one training: exposures and samples differ more than instruments."""
FACTOR_OF_TRUTHS = 1.5
"""The same between the truth and the input of a training, if their mean spectra are proportional."""
PROPORTIONAL = 0.97
"""Smallest cosine of the angle between mean spectra that are proportional."""
PERCENTILES = (1.0, 50.0, 99.0)
RECORDED = 2**22
"""Largest number of values from which those of a card are computed, of evenly spread spectra."""
LOOKED_AT = 2**18
"""Approximate number of values from which the intensities of a cube are estimated."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How the bands of a cube are converted to those of a model.

    Attributes
    ----------
    how : str
        ``"same"``; ``"renamed"``: the same bands in another unit or in reverse order, which needs no consent; ``"step"``: with
        `step`, after a person agrees; ``"never"``.
    turned : bool
        Whether the bands are in reverse order.
    step : Step or None
        Preparation step that brings the cube onto the model's axis.
    words : str
        How the axes differ, and the consequence; empty if they are the same.
    remedy : str
        What can be done; follows `words` in messages.
    extrapolated : int
        Number of the model's bands outside the measured range, which take the nearest measured value.
    """

    how: Literal["same", "renamed", "step", "never"]
    turned: bool = False
    step: Step | None = None
    words: str = ""
    remedy: str = field(default="")
    extrapolated: int = 0

    @property
    def consent(self) -> str:
        """How the axes differ, and how a person agrees to the step."""
        done = "Resample" if self.step is not None and self.step.interpolates else "Crop"
        return f"{self.words} {done} it with predict(model, cube, resample=True), or --resample on the command line."

    @property
    def fits(self) -> bool:
        """Whether the model can be applied without asking."""
        return self.how in ("same", "renamed")


def fit_axis(card: ModelCard, axis: SpectralAxis, name: str) -> Fit:
    """Return how a cube on `axis`, named `name`, is brought onto a model's axis."""
    onto = card.axis
    difference = onto.mismatch(axis)
    if difference is None or card.experiment.any_axis:
        return Fit("same")
    turned = _renamed(onto, axis)
    if turned is not None:
        return Fit("renamed", turned)
    same_unit = in_unit(axis, onto.unit)
    words = f"{name!r} has {difference} ({axis.describe()}; the model: {onto.describe()})."
    if same_unit is None or (not onto.unit and (onto.is_numbered or axis.is_numbered)):  # numbers of bands are no positions
        return Fit("never", words=words, remedy=_other_unit(onto, axis))
    try:
        step = bringing(axis, onto)
    except ValueError:
        return Fit("never", words=words, remedy=_not_measured(onto, same_unit))
    if not step.interpolates:
        return Fit("step", step=step, words=f"{words} Those inside the model's range are the same.")
    beyond = outside(onto, same_unit)
    nearest = f", of which {beyond} were not measured and take the nearest value" if beyond else ""
    return Fit("step", step=step, words=f"{words} It can be interpolated to the model's bands{nearest}.", extrapolated=beyond)


def _renamed(onto: SpectralAxis, axis: SpectralAxis) -> bool | None:
    """Return whether an axis has the bands of another in reverse order; None if its bands are others. The unit may be another."""
    same_unit = in_unit(axis, onto.unit)
    if same_unit is None:
        return None
    pairs = ((False, same_unit), (True, same_unit.take(slice(None, None, -1))))
    return next((turned for turned, candidate in pairs if onto.mismatch(candidate) is None), None)


def with_bands_of(onto: SpectralAxis, cube: Cube) -> Cube:
    """Return a cube whose bands have another unit or order than those of an axis on that axis, as a view; any other cube unchanged."""
    if onto.mismatch(cube.axis) is None or (turned := _renamed(onto, cube.axis)) is None:
        return cube
    return cube.with_data(cube.data[..., ::-1] if turned else cube.data, axis=onto)


def outside(onto: SpectralAxis, measured: SpectralAxis) -> int:
    """Return how many bands of an axis lie outside the range that was measured, in the same unit."""
    low, high = measured.values.min(), measured.values.max()
    room = 1e-6 * (high - low)
    return int(((onto.values < low - room) | (onto.values > high + room)).sum())


def _other_unit(onto: SpectralAxis, axis: SpectralAxis) -> str:
    if axis.unit and onto.unit:
        return f"Positions in {axis.unit} cannot be converted to {onto.unit}; choose data in {onto.unit}, or another model."
    numbered = "The model identifies bands by number; " if onto.is_numbered else ""
    if len(axis) == len(onto):
        same = "if they are the same" if numbered else "If its bands are those of the model"
        return f"{numbered}{same}, say so {where('bands' if onto.unit else 'numbered')}."
    if onto.unit:
        return f"Say where its bands lie {where('positions').replace('unit', repr(onto.unit))}."
    return "The model identifies bands by number; choose data with the same number of bands, or another model."


def _not_measured(onto: SpectralAxis, axis: SpectralAxis) -> str:
    low, high = max(onto.values.min(), axis.values.min()), min(onto.values.max(), axis.values.max())
    why = "The model needs bands that were not measured"
    if low >= high:
        return f"{why}: the axes do not overlap; choose other data, or another model."
    return (
        f"{why}; train on the common bands, with Crop(low={float(low):.6g}, high={float(high):.6g}) on the training data, "
        "or choose other data."
    )


# ---------------------------------------------------------------- intensities


def intensities_of(spectra: FloatArray) -> list[float]:
    """Return the percentiles of the magnitudes of spectra (n, L) that a card records (1, 50 and 99); empty if there are no values."""
    spectra = spectra[:: max(1, -(-spectra.size // RECORDED))]
    values = np.abs(spectra[np.isfinite(spectra)])
    return [float(f"{value:.6g}") for value in np.percentile(values, PERCENTILES)] if values.size else []


def negative_share(spectra: FloatArray) -> float | None:
    """Return which fraction of the values of spectra (n, L) that are not zero is negative; None if there are none."""
    values = spectra[np.isfinite(spectra) & (spectra != 0)]
    return float(f"{(values < 0).mean():.4g}") if values.size else None


def of_other_sign(one: float | None, other: float | None) -> bool:
    """Whether nearly all values are negative in one of two data, by their `negative_share`, and in the other nearly none."""
    return one is not None and other is not None and abs(one - other) > 0.8


def unlike_one_another(cubes: Sequence[Cube], steps: Sequence[Step]) -> list[str]:
    """Return sentences on those of several inputs whose intensities differ by a large factor or in sign from those of most.

    Nothing is said where the preparation removes the difference.
    """
    if len(cubes) < 2:
        return []
    each = [seen(cube, max(LOOKED_AT // len(cubes), 2**12)).reshape(-1, cube.shape[-1]) for cube in cubes]
    each = [spectra[held_by(spectra).mask] for spectra in each]
    sizes, signs = [(intensities_of(spectra) or [0.0])[-1] for spectra in each], [negative_share(spectra) for spectra in each]
    known = [number for number, size in enumerate(sizes) if size and signs[number] is not None]
    if len(known) < 2:
        return []
    usually, sign = (sorted(values[n] or 0.0 for n in known)[(len(known) - 1) // 2] for values in (sizes, signs))
    found: list[str] = []
    chain: Preparation | None = None
    for number in known:
        cube, spectra = cubes[number], each[number][:: max(1, len(each[number]) // 64)]
        name, ratio = cube.name or f"input {number + 1}", sizes[number] / usually
        turned = of_other_sign(signs[number], sign)
        if not turned and 1 / FACTOR_OF_INPUTS <= ratio <= FACTOR_OF_INPUTS:
            continue
        chain = chain or Preparation(tuple(steps)).fitted(np.concatenate(each), cube.axis)
        if not _matters(chain, spectra, cube.axis, -1.0 if turned else ratio):
            continue
        if turned:
            found.append(f"Intensities of {name!r} have the opposite sign of those of other inputs; {_negated('cube')}.")
        else:
            factor = usual(ratio)
            found.append(
                f"Intensities of {name!r} are {_times(factor)} those of the other inputs (99th percentile {sizes[number]:.3g}, there "
                f"{usually:.3g}); if only the scale differs, divide it by {factor:g} first: {_divided('cube', factor)}."
            )
    return found if len(found) <= 3 else [*found[:3], f"So do those of {len(found) - 3} more inputs."]


def truth_unlike_input(cube: Cube, truth: Cube, steps: Sequence[Step], name: str, other: str) -> str:
    """Return a sentence if the intensities of a truth differ by a factor or in sign from those of its input, else an empty text.

    Mean spectra are compared, in which noise cancels. Nothing is said where the preparation removes the difference.
    """
    first, second = (seen(one, LOOKED_AT).reshape(-1, one.shape[-1]) for one in (cube, truth))
    first, second = first[held_by(first).mask], second[held_by(second).mask]
    means = [spectra.mean(0, dtype=np.float64) if len(spectra) else np.zeros(1) for spectra in (first, second)]
    sizes = [float(np.linalg.norm(mean)) for mean in means]
    if not all(sizes) or len(means[0]) != len(means[1]):
        return ""
    ratio, cosine = sizes[1] / sizes[0], float(means[0] @ means[1]) / (sizes[0] * sizes[1])
    turned = cosine < -PROPORTIONAL or of_other_sign(negative_share(first), negative_share(second))
    allowed = FACTOR_OF_TRUTHS if abs(cosine) > PROPORTIONAL else FACTOR_OF_INPUTS
    if not turned and 1 / allowed <= ratio <= allowed:
        return ""
    few = first[:: max(1, len(first) // 64)]
    if not _matters(Preparation(tuple(steps)).fitted(first, cube.axis), few, cube.axis, -1.0 if turned else ratio):
        return ""
    if turned:
        return f"Intensities of {name} have the opposite sign of those of {other}, and results will; {_negated('truth')}."
    factor = usual(ratio)
    return (
        f"Intensities of {name} are {_times(factor)} those of {other} (mean spectra), and so will results be; if only the scale differs, "
        f"divide the truth by {factor:g} first: {_divided('truth', factor)}."
    )


def _negated(name: str) -> str:
    """Return how the sign of intensities is changed."""
    return f"if only the sign differs, negate it: as_cube(-{name}.numpy(), axis={name}.axis)"


def _divided(name: str, factor: float) -> str:
    """Return how intensities are divided by a factor."""
    return f"preprocess({name}, [{{'kind': 'scale', 'factor': {factor:g}}}]), or the step 'Scale by one factor' of Preprocess"


def _times(factor: float) -> str:
    return f"about {factor:g} times" if factor > 1 else f"about 1/{1 / factor:.4g} of"


def another_scale(card: ModelCard, cube: Cube) -> str:
    """Return a warning with a remedy if a cube's intensities differ by a factor or in sign from the training data; else an empty text.

    No warning is given if the model's preparation removes any factor, such as by normalising each spectrum.
    """
    if not card.intensities:
        return ""
    spectra = seen(cube, LOOKED_AT).reshape(-1, cube.shape[-1])
    spectra = spectra[held_by(spectra).mask]
    measured = intensities_of(spectra)
    steps = Preparation(tuple(card.experiment.preparation))
    some = spectra[:: max(1, len(spectra) // 64)]
    if of_other_sign(card.negative, negative_share(spectra)) and _matters(steps, some, cube.axis, -1.0):
        return (
            f"The intensities of {cube.name or 'the cube'!r} have the opposite sign of those of the training data, which makes its results "
            f"unreliable; {_negated('cube')}."
        )
    if not measured or not measured[-1] or not card.intensities[-1]:
        return ""
    ratio = measured[-1] / card.intensities[-1]
    if 1 / FACTOR <= ratio <= FACTOR or not _matters(steps, some, cube.axis, ratio):
        return ""
    factor = usual(ratio)
    return (
        f"The intensities of {cube.name or 'the cube'!r} are {_times(factor)} those of the training data "
        f"(99th percentile {measured[-1]:.3g}, there {card.intensities[-1]:.3g}), which makes its results unreliable; if only the scale "
        f"differs, divide by {factor:g}: {_divided('cube', factor)}."
    )


def _matters(chain: Preparation, spectra: FloatArray, axis: SpectralAxis, ratio: float) -> bool:
    """Whether dividing the intensities by `ratio` changes the result of the preparation."""
    with np.errstate(all="ignore"):
        one, other = (chain.apply(values, axis)[0] for values in (spectra, (spectra / np.float32(ratio)).astype(np.float32)))
    size = float(np.nanmax(np.abs(one))) if np.isfinite(one).any() else 0.0
    return not np.allclose(one, other, rtol=1e-2, atol=1e-3 * size, equal_nan=True)


def usual(ratio: float) -> float:
    """Return the most probable factor for a ratio: a power of ten, the range of 8, 12 or 16 bits, or the ratio to two digits."""
    known = [10.0**power for power in range(-9, 10) if power] + [float(2**bits - 1) ** sign for bits in (8, 12, 16) for sign in (1, -1)]
    nearest = min(known, key=lambda value: abs(math.log(ratio / value)))
    return nearest if abs(math.log(ratio / nearest)) < math.log(1.6) else float(f"{ratio:.2g}")


def brought(cube: Cube, card: ModelCard, fit: Fit) -> Cube:
    """Return a cube on the model's axis, by a fit other than ``"never"``; if the bands are the same, the values are a view."""
    if fit.how == "same":
        return cube
    if fit.how == "renamed":
        data: Any = cube.data[..., ::-1] if fit.turned else cube.data
        return cube.with_data(data, axis=card.axis)
    assert fit.step is not None  # noqa: S101
    done = preprocess(cube, [fit.step])
    return done.with_data(done.data, axis=card.axis)
