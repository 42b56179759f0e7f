"""How long to train (or to compare) and how wide a network, in three words: a quick look, balanced, best."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from napari_spectrai.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Preset:
    """A length of training and a width of the network, as shares of the usual ones."""

    title: str
    times: float
    wider: int
    about: str


PRESETS = {
    "quick": Preset(
        "Quick look",
        1 / 6,
        1,
        "a sixth of the usual epochs, or of the time to compare methods: whether it learns at all, and what the result will look like",
    ),
    "balanced": Preset("Balanced", 1, 1, "the usual number of epochs, or time to compare methods, for data of this size"),
    "best": Preset(
        "Best",
        2,
        2,
        "twice the epochs (or the time to compare methods) and twice the width of a network that has one: a little better, for several "
        "times the time",
    ),
}


def preset(experiment: Experiment, kind: str) -> Experiment:
    """Return the experiment with the epochs and width of a preset; the weights are averaged over the same share of the training.

    What chooses among methods has the time for their comparison changed instead.

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
    # the average forgets within 1 / (1 - ema) steps
    ema = 1 - min(1.0, (1 - training.ema) * training.epochs / epochs) if training.ema else 0.0
    longer = training.model_copy(update={"epochs": epochs, "ema": round(ema, 5)})
    made = experiment.model_copy(update={"training": longer})
    if chosen.wider > 1 and "width" in type(experiment.network).model_fields:
        with suppress(ValueError):  # at its limit already
            made = made.override(f"network.width={chosen.wider * experiment.network.width}")  # type: ignore[attr-defined]  # just asked
    return made


def applied(experiment: Experiment, usual: Experiment, kind: str) -> Experiment:
    """Return an experiment with the length, and where it has the usual network the width, of a preset of the usual one; the rest stays."""
    wanted = preset(usual, kind)
    update = {"epochs": wanted.training.epochs, "ema": wanted.training.ema}
    made = experiment.model_copy(update={"training": experiment.training.model_copy(update=update)})
    sizes = {name: getattr(wanted.network, name) for name in ("width", "seconds") if hasattr(wanted.network, name)}
    if not sizes or made.network.kind != usual.network.kind:
        return made
    return made.model_copy(update={"network": made.network.model_copy(update=sizes)})


def found_in(experiment: Experiment, usual: Experiment) -> str | None:
    """Return the preset whose length and width an experiment has; None if it has its own."""
    return next((kind for kind in PRESETS if applied(experiment, usual, kind) == experiment), None)
