"""The experiment document: data, split, preparation, augmentation, task, network, loss and training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from napari_spectrai import repr_html
from napari_spectrai.arguments import of_type
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.augmentations import AugmentationSpec, augmentations
from napari_spectrai.experiment.data_settings import Data, Split
from napari_spectrai.experiment.defaults import suited
from napari_spectrai.experiment.legacy import spectrai
from napari_spectrai.experiment.losses import LossSpec, losses
from napari_spectrai.experiment.network_spec import NetworkSpec, looks_around, networks
from napari_spectrai.experiment.networks import ResidualMLP
from napari_spectrai.experiment.tasks import TaskSpec, tasks
from napari_spectrai.experiment.training import Training
from napari_spectrai.files import write_text
from napari_spectrai.io import SpectralWarning
from napari_spectrai.layer_axes import Layer
from napari_spectrai.parsing import brief, parse_yaml, read_document
from napari_spectrai.preparation.step import Step, steps
from napari_spectrai.spec import SettingsError, Spec, listed, problems


class Experiment(Spec):
    """All settings of a training as plain data: edited by the docks, run by the command line, and saved in the model.

    Examples
    --------
    >>> experiment = Experiment().override("training.epochs=50", "network.width=128")
    >>> experiment.training.epochs
    50
    """

    version: Literal[1] = 1
    name: str = Field("", max_length=200, description="name of the model")
    task: Annotated[SerializeAsAny[TaskSpec], tasks] = Field(
        default_factory=lambda: tasks.parse("denoising"), description="the task to train for"
    )
    data: Data = Data()
    split: Split = Split()
    preparation: list[Annotated[SerializeAsAny[Step], steps]] = Field(
        default_factory=lambda: [steps.parse("normalise")],
        description="preparation steps, applied before the network and saved with the model",
    )
    augmentation: list[Annotated[SerializeAsAny[AugmentationSpec], augmentations]] = Field(
        default_factory=list, description="random augmentations, applied to each batch"
    )
    network: Annotated[SerializeAsAny[NetworkSpec], networks] = Field(
        ResidualMLP(), description="architecture of the network, or a classical method"
    )
    loss: Annotated[SerializeAsAny[LossSpec], losses] = Field(
        default_factory=lambda: losses.parse("mse"), description="loss function to minimise"
    )
    training: Training = Training()

    @model_validator(mode="before")
    @classmethod
    def _task_defaults(cls, document: Any) -> Any:
        """Fill in the defaults of the task, for fields that are not given."""
        if not isinstance(document, Mapping) or "task" not in document:
            return document
        try:
            task = tasks.parse(document["task"])
        except ValueError:  # reported when the field is validated
            return document
        started: dict[str, Any] = {"network": {"kind": task.network, **task.network_settings}, "loss": task.loss}
        if task.own_unit:  # intensities of two instruments are compared: spectra are not divided by their own maxima
            started["preparation"] = ["scale"]
        return started | dict(document)

    @model_validator(mode="after")
    def _suits(self) -> Self:
        for what, spec, registry in (("network", self.network, networks), ("loss", self.loss, losses)):
            if not self.task.suits(spec.tasks):
                suited = [kind for kind in registry if self.task.suits(registry[kind].tasks)]
                raise ValueError(f"{what} {spec.kind!r} does not suit the task {self.task.kind!r}; {listed(suited)}")
        for part in self.loss.terms:
            if not self.task.suits(part.tasks):
                suited = [kind for kind in losses if self.task.suits(losses[kind].tasks) and kind != self.loss.kind]
                raise ValueError(f"loss {part.kind!r} in the sum does not suit the task {self.task.kind!r}; {listed(suited)}")
        return self

    def __repr__(self) -> str:
        return f"Experiment({', '.join(part for part in (self.name, self.task.kind, self.network.kind, self._length) if part)})"

    def __str__(self) -> str:
        return self.to_yaml()

    def _repr_html_(self) -> str:
        rows = [
            ("Task", self.task.title),
            ("Network", self.network.title),
            ("Loss", "" if self._closed else self.loss.title),
            ("Preparation", ", ".join(step.title for step in self.preparation) or "none"),
            ("Augmentation", ", ".join(one.title for one in self.augmentation) or "none"),
            ("Length", self._length),
            ("Data", ", ".join(path.name for path in self.data.input)),
        ]
        return repr_html.card("Experiment", self.name, [row for row in rows if row[1]])

    @property
    def _closed(self) -> bool:
        """Whether no gradient steps are made: a classical method, or a comparison in a given time."""
        return self.network.classical or self.network.time_limit is not None

    @property
    def _length(self) -> str:
        if self.network.classical:
            return ""
        seconds = self.network.time_limit
        return f"{self.training.epochs} epochs" if seconds is None else f"up to {seconds:g} s of comparison"

    @property
    def minimised(self) -> LossSpec:
        """The loss to minimise; for a sum without parts, the losses of the task."""
        if not self.loss.terms:
            return self.loss.model_copy(update={"parts": [losses.parse(self.task.loss)]})
        return self.loss

    @property
    def over_ridge(self) -> bool:
        """Whether the network learns the residual of a ridge regression."""
        task = self.task
        return self.network.starts_from_ridge and not task.classifies and task.needs_truth and task.enlarges == 1

    @property
    def looks_around(self) -> bool:
        """Whether the network or method uses neighbouring pixels."""
        return looks_around(self.network)

    @property
    def any_axis(self) -> bool:
        """Whether the model can be applied to cubes on any axis: the network can, and the preparation only scales."""
        return self.network.any_axis and all(step.any_axis for step in self.preparation)

    @classmethod
    def default(cls, task: str | Mapping[str, Any], cube: Any, truth: Any = None) -> Self:
        """Return an experiment with settings that suit the data.

        Parameters
        ----------
        task : str or mapping
            ``"denoising"``, ``"calibration"``, ``"classification"``, ``"segmentation"`` or ``"super_resolution"``; or its settings,
            with this as their ``kind``.
            For an unknown task, the error lists the known ones.
        cube : Cube, array or napari layer, or a list of cubes or layers
            The input to train on; of several, the settings suit the first.
        truth : Cube, Labels, array or napari layer, or a list of these, optional
            Without it, denoising is trained on the noisy data alone, and super-resolution on degraded copies of the cube.

        Returns
        -------
        Experiment

        Raises
        ------
        ValueError
            If the task is unknown or the truth does not fit the cube.
        """
        if isinstance(cube, list | tuple) and cube and all(isinstance(one, Cube | Layer) for one in cube):
            several = isinstance(truth, list | tuple) and len(truth) == len(cube)
            cube, truth = cube[0], truth[0] if several and not isinstance(truth[0], str | int | float) else truth
        return suited(cls, task, as_cube(cube), truth)

    @classmethod
    def from_mapping(cls, document: Any, where: str = "") -> Self:
        """Validate a mapping; each problem has its path, value, limit and remedy.

        Parameters
        ----------
        document : mapping
            The sections and fields of an experiment; what is missing has its default.
        where : str, default ""
            Where the document comes from, for messages.

        Returns
        -------
        Experiment

        Raises
        ------
        SettingsError
            A ValueError that lists the problems.
        """
        if not isinstance(document, dict):
            raise ValueError(f"{where or 'the document'} is not an experiment: a mapping is expected, not {type(document).__name__}")
        odd = next((name for name in document if not isinstance(name, str)), "")
        if odd != "":
            raise ValueError(f"{where or 'the document'}: the name of a setting is a word, not {brief(odd)}")
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise SettingsError(problems(error), where) from error
        except (TypeError, AttributeError, KeyError, OverflowError, RecursionError) as error:  # of a validator that met a foreign type
            raise ValueError(f"{where or 'the document'} holds a value that cannot be used ({type(error).__name__}: {error})") from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an experiment from YAML; relative data paths start at the document's folder.

        Documents of spectrai (Horgan & Bergholt 2022) are converted.

        Parameters
        ----------
        path : path
            A YAML file.

        Returns
        -------
        Experiment

        Warns
        -----
        SpectralWarning
            For a document of spectrai: lists everything that was changed, corrected or could not be kept.
        """
        path = Path(path)
        if path.is_dir():
            raise ValueError(f"{path} is a folder; name an experiment file in it, which ends in .yml")
        document = parse_yaml(read_document(path), str(path))
        if spectrai.recognised(document):
            taken, changes = spectrai.translated(document, path)
            listed_changes = "\n".join(f"- {change}" for change in changes)
            warnings.warn(
                f"{path.name} is a document of spectrai (Horgan & Bergholt 2022). It was converted with these changes:\n{listed_changes}",
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
        """Write the experiment as YAML, atomically.

        Parameters
        ----------
        path : path
            Replaced if it exists.

        Returns
        -------
        Path
        """
        write_text(path, self.to_yaml())
        return Path(path)

    def to_yaml(self) -> str:
        """Return the document as text."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def override(self, *settings: str) -> Self:
        """Return a copy with some values changed: ``override("training.epochs=50", "augmentation.0.sigma=0.05")``.

        Values are parsed as YAML. A kind alone (``"network=unet"``) has that kind's defaults.

        Parameters
        ----------
        *settings : str
            ``path=value``, applied in turn; numbers in a path select entries of lists, from 0.

        Returns
        -------
        Experiment

        Raises
        ------
        ValueError
            If a path does not exist (the message lists those that do), or a value is outside its limits.
        """
        document, unfit = self.model_dump(mode="json"), None
        for setting in settings:
            of_type(setting, str, "a setting", 'write path=value, such as override("training.epochs=50", "network.width=32")')
            path, equals, text = setting.partition("=")
            if not equals:
                raise ValueError(f"{setting!r} is not a setting; write path=value, such as training.epochs=50")
            value = parse_yaml(text, brief(setting))
            try:
                _set(document, path.strip().split("."), value, setting)
            except ValueError as error:  # perhaps only because an earlier setting does not fit
                raise (unfit or error) from None
            # a kind alone is filled with its defaults, so that the next setting can refer to them; values that do not fit
            # yet may fit after the next setting
            try:
                document, unfit = self.from_mapping(document).model_dump(mode="json"), None
            except SettingsError as error:
                unfit = error
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
                inside = [] if depth else [f"{name}.{part}" for name, one in document.items() if isinstance(one, dict) and part in one]
                known = f"write {' or '.join(inside)}" if inside else listed(document, part)
                raise ValueError(f"{setting!r}: there is no {'.'.join(path[: depth + 1])!r}; {known}")
            key = part
            if last and part == "kind" and value != document[part]:
                # another kind has other fields: settings of the old one do not apply
                document.clear()
        else:
            raise ValueError(f"{setting!r}: {'.'.join(path[:depth])} is a single value; it has no part {part!r}")
        if last:
            document[key] = value
        else:
            document = document[key]
