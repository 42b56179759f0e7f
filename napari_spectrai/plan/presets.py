"""Presets of the length of a training (or comparison) and the width of the network: quick look, balanced, best."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from napari_spectrai.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Preset:
    """Length of a training and width of the network, as multiples of the defaults."""

    title: str
    times: float
    wider: int
    about: str


PRESETS = {
    "quick": Preset(
        "Quick look",
        1 / 6,
        1,
        "a sixth of the default epochs, or of the time to compare methods: shows whether it learns, and what the result will look like",
    ),
    "balanced": Preset("Balanced", 1, 1, "the default number of epochs, or time to compare methods, for data of this size"),
    "best": Preset(
        "Best",
        2,
        2,
        "twice the epochs (or the time to compare methods) and twice the width of the network, if it has one: slightly better, at several "
        "times the duration",
    ),
}


def preset(experiment: Experiment, kind: str) -> Experiment:
    """Return the experiment with the epochs and width of a preset; the weights are averaged over the same fraction of the training.

    For methods that choose among others, the time of the comparison is changed instead.

    Raises
    ------
    ValueError
        If there is no such preset.
    """
    if kind not in PRESETS:
        raise ValueError(f"there is no preset {kind!r}; choose one of {', '.join(PRESETS)}")
    chosen, training = PRESETS[kind], experiment.training
    if chosen.times == chosen.wider == 1:
        return experiment
    if experiment.network.chooses:
        return experiment.override(f"network.seconds={experiment.network.seconds * chosen.times:g}")  # type: ignore[attr-defined]
    epochs = max(2, round(training.epochs * chosen.times))
    # the time constant of the average is 1 / (1 - ema) steps
    ema = 1 - min(1.0, (1 - training.ema) * training.epochs / epochs) if training.ema else 0.0
    longer = training.model_copy(update={"epochs": epochs, "ema": round(ema, 5)})
    made = experiment.model_copy(update={"training": longer})
    if chosen.wider > 1 and "width" in type(experiment.network).model_fields:
        with suppress(ValueError):  # already at its limit
            made = made.override(f"network.width={chosen.wider * experiment.network.width}")  # type: ignore[attr-defined]  # just asked
    return made


def continued(experiment: Experiment, model: Path) -> Experiment:
    """Return an experiment that continues from a model: it starts from its weights, and is no longer than a quick look."""
    short = preset(experiment, "quick").training if not experiment.network.chooses else experiment.training
    return experiment.model_copy(update={"training": short.model_copy(update={"start": model})})


def applied(experiment: Experiment, usual: Experiment, kind: str) -> Experiment:
    """Return an experiment with the length of a preset and, if its network is the default, also the width; the rest is unchanged."""
    wanted = preset(usual, kind)
    update = {"epochs": wanted.training.epochs, "ema": wanted.training.ema}
    made = experiment.model_copy(update={"training": experiment.training.model_copy(update=update)})
    sizes = {name: getattr(wanted.network, name) for name in ("width", "seconds") if hasattr(wanted.network, name)}
    if not sizes or made.network.kind != usual.network.kind:
        return made
    return made.model_copy(update={"network": made.network.model_copy(update=sizes)})


def found_in(experiment: Experiment, usual: Experiment) -> str | None:
    """Return the preset that an experiment's length and width match; None if there is none."""
    return next((kind for kind in PRESETS if applied(experiment, usual, kind) == experiment), None)
