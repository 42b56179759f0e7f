"""The one document: data, split, preparation, augmentation, task, network, loss and training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from napari_spectrai.cube import as_cube
from napari_spectrai.experiment.augmentations import AugmentationSpec, augmentations
from napari_spectrai.experiment.defaults import suited
from napari_spectrai.experiment.legacy import spectrai
from napari_spectrai.experiment.losses import LossSpec, losses
from napari_spectrai.experiment.networks import NetworkSpec, ResidualMLP, looks_around, networks
from napari_spectrai.experiment.tasks import TaskSpec, tasks
from napari_spectrai.experiment.training import Training
from napari_spectrai.files import write_text
from napari_spectrai.io import SpectralWarning
from napari_spectrai.parsing import brief, parse_yaml, read_document
from napari_spectrai.preparation.step import Step, steps
from napari_spectrai.spec import SettingsError, Spec, listed, problems


class Data(Spec):
    """Which files, where the cubes are not handed over in memory; relative paths start at the document."""

    input: list[Path] = Field(default_factory=list, description="files to learn from")
    truth: list[Path] = Field(default_factory=list, description="files with the truth, one for each input")
    patch: int = Field(
        32, ge=4, le=4096, description="height and width of training patches, in pixels (for networks over the image; of the sharp image)"
    )
    samples: int | None = Field(
        None, ge=1, le=10_000_000, description="patches an epoch; empty: as many as show each pixel about four times"
    )
    per_image: int | None = Field(None, ge=1, le=10_000_000, description="patches per epoch from each image, where data.samples is empty")
    groups: list[str] = Field(
        default_factory=list, description="to which group (patient, day, slide) each input belongs, for a split by group"
    )
    parts: list[Literal["training", "validation", "test"]] = Field(
        default_factory=list, description="which part each input (file, or folder of files) is, where that is not left to the split"
    )
    pairing: Literal["position", "pixels"] = Field(
        "position",
        description="which pixels of input and truth belong together. position: those at the same place in the world, where both have one; "
        "pixels: those of the same row and column, wherever they lie",
    )
    spectral: int | None = Field(
        None, ge=-5, le=4, description="which dimension of the arrays, as they lie in the files, holds the bands; empty: as the files say"
    )


class Split(Spec):
    """Which samples train, which choose the best epoch, which are kept for the final score."""

    method: Literal["auto", "file", "group", "contiguous", "blocks", "stratified", "random"] = Field(
        "auto",
        description="auto: by file where there are several, else contiguous (classes: blocks of an image, stratified for a set); "
        "group: whole groups; contiguous: the last rows; blocks: scattered squares; stratified: single spectra, each class alike; "
        "random: single spectra, for sets without neighbours",
    )
    context: Literal["separate", "shared"] = Field(
        "separate",
        description="separate: patches lie in one part; shared: they may reach into others, whose spectra are seen but never their truth",
    )
    validation: float = Field(0.05, gt=0, lt=1, description="share that chooses the best epoch")
    test: float = Field(0.0, ge=0, lt=1, description="share that is never learnt from, for the final score")
    gap: int | None = Field(None, ge=0, le=10_000, description="pixels left out between parts of an image; empty: as wide as a patch")
    block: int = Field(12, ge=1, le=10_000, description="height and width of a block, in pixels")
    folds: int = Field(
        0, ge=0, le=1000,
        description="cross-validation: each sample is held out once, in so many folds (as many as there are groups: leave one group out), "
        "and the model is fitted on all; 0: one validation part (automatic: 5 folds)",
    )  # fmt: skip
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of blocks and random choices")
    beside: bool = Field(
        True,
        description="where pixels of a scene are split at random, train a second time on blocks, for the honest figure beside the other",
    )

    @model_validator(mode="after")
    def _leaves_some(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave nothing to train on; make them less than 1 together"
            )
        return self


class Experiment(Spec):
    """Everything a training needs, as plain data: the docks edit it, the command line runs it, the model carries it.

    Examples
    --------
    >>> experiment = Experiment().override("training.epochs=50", "network.width=128")
    >>> experiment.training.epochs
    50
    """

    version: Literal[1] = 1
    name: str = Field("", max_length=200, description="what the model will be called")
    task: Annotated[SerializeAsAny[TaskSpec], tasks] = Field(default_factory=lambda: tasks.parse("denoising"), description="what is learnt")
    data: Data = Data()
    split: Split = Split()
    preparation: list[Annotated[SerializeAsAny[Step], steps]] = Field(
        default_factory=lambda: [steps.parse("normalise")], description="steps before the network, kept with the model"
    )
    augmentation: list[Annotated[SerializeAsAny[AugmentationSpec], augmentations]] = Field(
        default_factory=list, description="how each batch is varied"
    )
    network: Annotated[SerializeAsAny[NetworkSpec], networks] = Field(ResidualMLP(), description="what learns")
    loss: Annotated[SerializeAsAny[LossSpec], losses] = Field(default_factory=lambda: losses.parse("mse"), description="what is made small")
    training: Training = Training()

    @model_validator(mode="before")
    @classmethod
    def _begin_with(cls, document: Any) -> Any:
        """Fill in what the task begins with, where nothing else is said."""
        if not isinstance(document, Mapping) or "task" not in document:
            return document
        try:
            task = tasks.parse(document["task"])
        except ValueError:  # said where the field is validated
            return document
        started: dict[str, Any] = {"network": task.network, "loss": task.loss}
        if task.kind == "segmentation":
            started["network"] = {"kind": "unet", "dims": 2, "components": 32}
        if task.own_unit:  # no spectrum is divided by its own maximum where the intensities of two instruments are compared
            started["preparation"] = ["scale"]
        return started | dict(document)

    @model_validator(mode="after")
    def _suits(self) -> Self:
        for what, spec, registry in (("network", self.network, networks), ("loss", self.loss, losses)):
            if self.task.kind not in spec.tasks:
                suited = [kind for kind in registry if self.task.kind in registry[kind].tasks]
                raise ValueError(f"{what} {spec.kind!r} does not suit the task {self.task.kind!r}; {listed(suited)}")
        for part in getattr(self.loss, "parts", ()):
            if self.task.kind not in part.tasks:
                suited = [kind for kind in losses if self.task.kind in losses[kind].tasks and kind != self.loss.kind]
                raise ValueError(f"loss {part.kind!r} in the sum does not suit the task {self.task.kind!r}; {listed(suited)}")
        return self

    @property
    def minimised(self) -> LossSpec:
        """What training makes small: the loss, or of a sum that names no parts the task's own."""
        if getattr(self.loss, "parts", None) == []:
            return self.loss.model_copy(update={"parts": [losses.parse(self.task.loss)]})
        return self.loss

    @property
    def over_ridge(self) -> bool:
        """Whether the network learns what a ridge map leaves over."""
        task = self.task
        return bool(getattr(self.network, "ridge", False)) and task.truth == "cube" and task.needs_truth and task.enlarges == 1

    @property
    def looks_around(self) -> bool:
        """Whether the network or method sees neighbouring pixels."""
        return looks_around(self.network)

    @property
    def any_axis(self) -> bool:
        """Whether what is trained fits cubes on any axis: the network does, and the steps before it only scale."""
        return self.network.any_axis and all(step.kind in ("normalise", "scale") for step in self.preparation)

    @classmethod
    def default(cls, task: str, cube: Any, truth: Any = None) -> Self:
        """Return an experiment with settings that suit the data.

        Parameters
        ----------
        task : str
            ``"denoising"``, ``"calibration"``, ``"classification"``, ``"segmentation"`` or ``"super_resolution"``; an unknown one is
            refused with the list of the known.
        cube : Cube, array or napari layer
            What will be learnt from.
        truth : Cube, Labels, array or napari layer, optional
            Denoising without it learns from the noisy data alone, super-resolution from the cube, degraded.

        Raises
        ------
        ValueError
            If the task is unknown or the truth does not fit the cube.
        """
        return suited(cls, task, as_cube(cube), truth)

    @classmethod
    def from_mapping(cls, document: Any, where: str = "") -> Self:
        """Validate a mapping; every problem comes with its path, value, limit and remedy.

        Raises
        ------
        SettingsError
            A ValueError that lists the problems.
        """
        if not isinstance(document, dict):
            raise ValueError(f"{where or 'the document'} is not an experiment: a mapping is expected, not {type(document).__name__}")
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise SettingsError(problems(error), where) from error
        except (TypeError, AttributeError, KeyError, OverflowError, RecursionError) as error:  # of a validator that met a foreign type
            raise ValueError(f"{where or 'the document'} holds a value that cannot be used ({type(error).__name__}: {error})") from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an experiment from YAML; its relative data paths are taken from the document's folder.

        A document of spectrai (Horgan & Bergholt 2022) is taken over.

        Warns
        -----
        SpectralWarning
            If it is one of spectrai's: everything that was changed, corrected or could not be kept.
        """
        path = Path(path)
        if path.is_dir():
            raise ValueError(f"{path} is a folder; name the experiment in it, a file that ends in .yml")
        document = parse_yaml(read_document(path), str(path))
        if spectrai.recognised(document):
            taken, changes = spectrai.translated(document, path)
            listed_changes = "\n".join(f"- {change}" for change in changes)
            warnings.warn(
                f"{path.name} is a document of spectrai (Horgan & Bergholt 2022). It is taken over with these changes:\n{listed_changes}",
                SpectralWarning,
                stacklevel=2,
            )
            document = taken
        experiment = cls.from_mapping(document, str(path))
        data = experiment.data
        absolute = {side: [(path.parent / file).absolute() for file in getattr(data, side)] for side in ("input", "truth")}
        training = experiment.training
        if training.start is not None:
            training = training.model_copy(update={"start": (path.parent / training.start).absolute()})
        return experiment.model_copy(update={"data": data.model_copy(update=absolute), "training": training})

    def save(self, path: str | Path) -> Path:
        """Write the experiment as YAML, whole or not at all."""
        write_text(path, self.to_yaml())
        return Path(path)

    def to_yaml(self) -> str:
        """Return the document as text."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def override(self, *settings: str) -> Self:
        """Return a copy with some values changed: ``override("training.epochs=50", "augmentation.0.sigma=0.05")``.

        A value is read as YAML. Giving only a kind (``"network=unet"``) takes that kind's defaults.

        Raises
        ------
        ValueError
            If a path does not exist, with the names that do, or the value is outside its limits.
        """
        document = self.model_dump(mode="json")
        for setting in settings:
            path, equals, text = setting.partition("=")
            if not equals:
                raise ValueError(f"{setting!r} sets nothing; write path=value, such as training.epochs=50")
            value = parse_yaml(text, brief(setting))
            _set(document, path.strip().split("."), value, setting)
            # a kind alone is filled out with its defaults, so that the next setting can name them; what does not fit
            # yet may fit after the next
            with suppress(SettingsError):
                document = self.from_mapping(document).model_dump(mode="json")
        return self.from_mapping(document)


def _set(document: Any, path: list[str], value: Any, setting: str) -> None:
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(document, list):
            if not part.isdigit() or int(part) >= len(document):
                numbers = f"entries 0 to {len(document) - 1}" if document else "no entries"
                raise ValueError(f"{setting!r}: {'.'.join(path[:depth])} has {numbers}, not {part!r}")
            key: Any = int(part)
        elif isinstance(document, dict):
            if part not in document:
                raise ValueError(f"{setting!r}: there is no {'.'.join(path[: depth + 1])!r}; {listed(document, part)}")
            key = part
            if last and part == "kind" and value != document[part]:
                # another kind has other fields: what was set for the old one does not apply
                document.clear()
        else:
            raise ValueError(f"{setting!r}: {'.'.join(path[:depth])} is a single value; it has no part {part!r}")
        if last:
            document[key] = value
        else:
            document = document[key]
