"""What a model file says of itself, read without torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.document import Experiment

KEY = "napari_spectrai"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The description inside a model file.

    Attributes
    ----------
    name, date, versions : what it is called, when and with what it was made
    experiment : Experiment
        The document it was trained by, its preparation fitted.
    axis, truth_axis : SpectralAxis
        Of what goes in (before preparation) and of what comes out.
    trained_on : list of str
        The data, in words.
    scores : dict
        ``{"validation": {"network": {"mse": …}, "ridge": {…}}, "test": {…}}``
    """

    name: str
    experiment: Experiment
    axis: SpectralAxis
    truth_axis: SpectralAxis
    date: str
    trained_on: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the card as text for the file's header."""
        plain = asdict(self) | {
            "format": FORMAT,
            "experiment": self.experiment.model_dump(mode="json"),
            "axis": self.axis.to_json(),
            "truth_axis": self.truth_axis.to_json(),
        }
        return json.dumps(plain)

    @classmethod
    def from_json(cls, text: str, where: str = "") -> Self:
        """Read what `to_json` wrote."""
        try:
            plain = json.loads(text)
            version = plain.pop("format", None)
            if version != FORMAT:
                raise ValueError(f"{where}: model format {version}, and this version reads {FORMAT}; update napari-spectrai")
            plain["experiment"] = Experiment.from_mapping(plain["experiment"], where)
            plain["axis"] = SpectralAxis.from_json(plain["axis"])
            plain["truth_axis"] = SpectralAxis.from_json(plain["truth_axis"])
            return cls(**plain)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"{where}: the description inside the model is damaged ({type(error).__name__}: {error})") from error

    def lines(self) -> list[tuple[str, str]]:
        """Return (label, text) rows for people."""
        experiment = self.experiment
        rows = [
            ("Model", self.name or "unnamed"),
            ("Task", experiment.task.title),
            ("Spectra", self.axis.describe()),
            ("Network", f"{experiment.network.title}{' over ridge' if getattr(experiment.network, 'ridge', False) else ''}"),
            ("Preparation", ", ".join(step.title for step in experiment.preparation) or "none"),
            ("Trained on", "; ".join(self.trained_on) or "not said"),
            ("Date", self.date),
        ]
        for part, methods in self.scores.items():
            figures = " · ".join(f"{method} {values['mse']:.3g}" for method, values in methods.items() if "mse" in values)
            if figures:
                rows.append((f"MSE, {part}", figures))
        return rows

    def __str__(self) -> str:
        return "\n".join(f"{label + ':':<18}{text}" for label, text in self.lines())


def read_card(path: str | Path) -> ModelCard:
    """Read the card of a model file, without its weights and without torch.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is truncated, or not a model of napari-spectrai.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, Any] = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is truncated or not a .safetensors file: {error}") from error
    if KEY not in metadata:
        raise ValueError(f"{path} is a .safetensors file but not a model of napari-spectrai; choose one saved by its training")
    return ModelCard.from_json(metadata[KEY], str(path))
