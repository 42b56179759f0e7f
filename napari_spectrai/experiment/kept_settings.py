"""Whether a run that is resumed still has the document that it began with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from napari_spectrai.experiment.document import Experiment

FREE = frozenset({
    "name", "data.input", "data.truth", "data.pairing", "data.spectral", "data.dataset", "data.truth_dataset", "data.axis", "data.columns",
    "training.device", "training.devices", "training.micro_batch", "training.memory",
})  # fmt: skip
"""Settings that a resumed run may change: what it is called, where its data are, and on what it is computed."""


def changed_settings(before: Mapping[str, Any], now: Experiment) -> list[str]:
    """Return what has changed in the document of a run apart from `FREE`, such as ``"training.batch is 8 and was 16"``.

    Parameters
    ----------
    before : mapping
        The document that the run began with, as plain values. A setting that only one of the documents has, as those of different versions
        do, is not compared.
    now : Experiment
        With a schedule that does not depend on it, the number of epochs may be another one.

    Examples
    --------
    >>> changed_settings(Experiment().model_dump(mode="json"), Experiment().override("training.batch=8", "training.devices=2"))
    ['training.batch is 8 and was 32']
    >>> longer = Experiment().override("training.schedule=plateau", "training.epochs=200")
    >>> changed_settings(Experiment().override("training.schedule=plateau").model_dump(mode="json"), longer)
    []
    """
    first, second = dict(_flat(before)), dict(_flat(now.model_dump(mode="json")))
    free = FREE if now.training.schedule.spans_training else FREE | {"training.epochs"}
    names = [name for name in first if name in second and name not in free and first[name] != second[name]]
    return [f"{name} is {second[name]} and was {first[name]}" for name in names]


def _flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of each setting."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
