"""How a model is applied and results are scored: one object each, for functions, jobs, docks and the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from napari_spectrai.experiment.metrics import CLASS_MEANS, ClassMean
from napari_spectrai.preparation.normalise import Normalise
from napari_spectrai.spec import listed

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """How a model is applied; `napari_spectrai.predict` describes each option.

    Raises
    ------
    ValueError
        If the device is unknown, or the tile is not positive.
    """

    tile: int | None = None
    uncertainty: bool = False
    device: str = "auto"
    factor: int = 2
    settings: Mapping[str, Any] = field(default_factory=dict)
    views: bool = False
    ensemble: tuple[Any, ...] = ()
    then: tuple[Any, ...] = ()
    resample: bool = False
    applicability: bool | None = None

    def __post_init__(self) -> None:
        for name in ("ensemble", "then"):
            given = getattr(self, name)
            object.__setattr__(self, name, tuple(given) if isinstance(given, list | tuple) else (given,))
        object.__setattr__(self, "settings", dict(self.settings or {}))
        if self.device.partition(":")[0] not in DEVICES:
            raise ValueError(f"there is no device {self.device!r}; {listed(DEVICES)}")
        if self.tile is not None and self.tile < 1:
            raise ValueError(f"a tile of {self.tile} pixels is not positive; omit it for an automatic choice")

    def arguments(self) -> list[str]:
        """Return the options, with models as paths or names, as arguments of ``napari-spectrai predict``."""
        words = ["--device", self.device]
        words += ["--tile", str(self.tile)] if self.tile else []
        words += [f"--{name}" for name in ("uncertainty", "views", "resample") if getattr(self, name)]
        words += [] if self.applicability is None else ["--applicability" if self.applicability else "--no-applicability"]
        for name in ("ensemble", "then"):
            for model in getattr(self, name):
                words += [f"--{name}", str(model)]
        for name, value in self.settings.items():
            words += ["--set", f"{name}={json.dumps(value)}"]
        return words + (["--factor", str(self.factor)] if self.factor != 2 else [])


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How results are scored; `napari_spectrai.evaluate` describes each option.

    Raises
    ------
    ValueError
        If the normalisation, the mean over classes or the pairing is unknown.
    """

    normalise: str | None = None
    match: bool = False
    class_mean: ClassMean = "truth"
    pairing: Literal["position", "pixels"] = "position"

    def __post_init__(self) -> None:
        ways = get_args(Normalise.model_fields["by"].annotation)
        if self.normalise is not None and self.normalise not in ways:
            raise ValueError(f"there is no way {self.normalise!r} to normalise; {listed(ways, str(self.normalise))}")
        if self.class_mean not in CLASS_MEANS:
            raise ValueError(f"there is no mean over {self.class_mean!r}; {listed(CLASS_MEANS, str(self.class_mean))}")
        if self.pairing not in ("position", "pixels"):
            raise ValueError(f"there is no pairing {self.pairing!r}; known: pixels, position")

    def arguments(self) -> list[str]:
        """Return the options as arguments of ``napari-spectrai evaluate``."""
        words = ["--normalise", self.normalise] if self.normalise is not None else []
        words += ["--class-mean", self.class_mean] if self.class_mean != "truth" else []
        words += ["--pairing", self.pairing] if self.pairing != "position" else []
        return words + (["--match"] if self.match else [])


def model_path(model: str | Path) -> Path | str:
    """Return a model file as a path, or the name of a method that needs no training."""
    path = Path(model)
    return path if path.exists() or path.suffix else str(model)
