"""How long to train, in three words: a quick look, balanced, best."""

from __future__ import annotations

from dataclasses import dataclass

from napari_spectrai.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Preset:
    """A length of training, as a share of the usual one."""

    title: str
    times: float
    about: str


PRESETS = {
    "quick": Preset("Quick look", 1 / 6, "a sixth of the usual epochs: whether it learns at all, and what the result will look like"),
    "balanced": Preset("Balanced", 1, "the usual number of epochs for data of this size"),
    "best": Preset("Best", 3, "three times the usual epochs, for the last bit of quality"),
}


def preset(experiment: Experiment, kind: str) -> Experiment:
    """Return the experiment with the epochs of a preset; the weights are averaged over the same share of the training.

    Raises
    ------
    ValueError
        If there is no such preset.
    """
    if kind not in PRESETS:
        raise ValueError(f"there is no preset {kind!r}; choose one of {', '.join(PRESETS)}")
    training = experiment.training
    epochs = max(2, round(training.epochs * PRESETS[kind].times))
    # the average forgets within 1 / (1 - ema) steps
    ema = 1 - min(1.0, (1 - training.ema) * training.epochs / epochs) if training.ema else 0.0
    if epochs == training.epochs:
        return experiment
    return experiment.model_copy(update={"training": training.model_copy(update={"epochs": epochs, "ema": round(ema, 5)})})
