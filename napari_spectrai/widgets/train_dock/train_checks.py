"""Check whether a training can start: problems next to their fields, the size of the training in words, and its duration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import Container, PushButton
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.plan import subsets
from napari_spectrai.plan.pairing import paired
from napari_spectrai.spec import Problem, SettingsError
from napari_spectrai.widgets.dock import message, say, text
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layer_frame import show_parts
from napari_spectrai.widgets.layer_words import nothing_open
from napari_spectrai.widgets.layers import spectral_layers
from napari_spectrai.widgets.preferences import preferences
from napari_spectrai.widgets.train_dock import truth_choice
from napari_spectrai.widgets.train_dock.continuing import Continuing
from napari_spectrai.widgets.train_dock.data_check import Examined, examine, times_of_presets
from napari_spectrai.widgets.train_dock.time_estimate import Estimating, too_much
from napari_spectrai.widgets.train_dock.train_data import TrainData
from napari_spectrai.widgets.train_dock.train_form import TrainForm

SAMPLE = "Raman pairs"
CHOOSE = "Choose the layer to train on."
NO_FILES = "Choose the files or the folder to train on."


class TrainingChecks:
    """Checks form and data whenever one of them changes.

    Attributes
    ----------
    of_data, of_rest : Container
        Messages below the data, and messages that belong to no field.

    Signals
    -------
    changed : the result of the checks has changed
    """

    changed = Signal()
    measures = True
    """Whether a few steps may be run to estimate the time, if the Preferences allow it."""

    def __init__(self, form: TrainForm, data: TrainData, viewer: Viewer) -> None:
        self._form, self._data, self._viewer = form, data, viewer
        self.examined: Examined | None = None
        self._found: list[Problem] = []
        self._against = ""
        self._looked_at: Experiment | None = None
        self._default: tuple[str, list[Any], list[Any]] | None = None
        self.problem, self.rest = message(), message()
        self.summary, self.note, self.time = text("summary"), text("note"), text("time")
        self.split = PushButton(
            text="Show the split", name="show_split", enabled=False,
            tooltip="show the pixels for training, validation and test as a Labels layer over the input",
        )  # fmt: skip
        self.of_data: Container[Any] = Container(widgets=[self.problem, self.summary, self.note, self.time, self.split], labels=False)
        self.of_rest: Container[Any] = Container(widgets=[self.rest], labels=False)
        self.continuing = Continuing()
        self.of_data.margins = self.of_rest.margins = (0, 0, 0, 0)

    def begin(self, dock: QWidget) -> None:
        """Start checking, for as long as `dock` exists."""
        self._thinking, self._looking = LatestOnly(dock), LatestOnly(dock)
        self._thinking.answered.connect(self._on_default)
        self._looking.answered.connect(self._on_examined)
        self._looking.failed.connect(self._on_unfit)
        self.estimating = Estimating(dock)
        self.estimating.answered.connect(self._on_estimate)
        self.estimating.failed.connect(self._on_no_estimate)
        self._data.edited.connect(self._on_data)
        self._form.edited.connect(self.check)
        self._form.task_changed.connect(self._on_data)
        self.continuing.edited.connect(self.check)
        self.split.changed.connect(self.show_split)

    @property
    def is_ready(self) -> bool:
        """Whether a training can start."""
        return not self._found and not self._against and not self._data.reading and self._default is None

    @property
    def reason(self) -> str:
        """Why a training cannot start; empty if it can, or while data are read."""
        return next((p.message for p in self._found if p.message), self._against) or str(self._data.problem.value if self._found else "")

    # ---------------------------------------------------------------- defaults for the data

    def _on_data(self) -> None:
        """Load defaults that suit the data, where nobody has changed a setting."""
        self._data.show_task(self._form.task.value, takes_truth=self._form.takes_truth())
        cubes, truths = self._aligned(*self._data.candidates())
        kind = self._form.task.value
        self._default = None
        self._form.refresh(is_image=any(cube.is_image for cube in cubes) if cubes else True)
        if not self._data.from_layers and self._data.takes_truth and not truths:
            self.check()  # files are chosen one list after the other: the truths may follow
            return
        if kind == "denoising" and cubes and not truths and cubes[0].is_image:
            self._default = (kind, cubes, truths)  # estimating the number of components takes a while
            self._thinking.ask(lambda: ((kind, cubes, truths), truth_choice.suited(kind, cubes, truths)))
        else:
            self._load_defaults(truth_choice.suited(kind, cubes, truths))
        self.check()

    def _aligned(self, cubes: list[Any], truths: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return the pairs as the training will use them: the defaults depend on their sizes."""
        try:
            experiment = self._form.experiment()
        except SettingsError:
            return cubes, truths
        if not self._data.from_layers or experiment.data.pairing == "pixels" or len(cubes) != len(truths):
            return cubes, truths
        pairs = [paired(experiment.task, cube, known) for cube, known in zip(cubes, truths, strict=True)]
        return [pair.cube for pair in pairs], [pair.truth for pair in pairs]

    def settle(self) -> None:
        """Finish now what a thread is still computing; for scripts, which do not wait."""
        self._data.settle()
        if self._default is not None:
            asked, self._default = self._default, None
            self._load_defaults(truth_choice.suited(*asked))
            self.check()

    def _on_default(self, word: Any) -> None:
        asked, found = word
        if self._default is not None and asked[1] is self._default[1]:
            self._default = None
            self._load_defaults(found)
            self.check()

    def _load_defaults(self, found: Experiment | None) -> None:
        if found is not None:
            device = preferences().device
            self._form.load_pretrained(found if device == "auto" else found.override(f"training.device={device}"))

    # ---------------------------------------------------------------- checks

    def check(self) -> None:
        """Show each problem next to its field, and enable the start only if there is none."""
        self._data.show_task(self._form.task.value, takes_truth=self._form.takes_truth())
        cubes, truths = self._data.held()
        found: list[Problem] = []
        experiment: Experiment | None = None
        try:
            experiment = self._form.experiment(paths=self._data.paths)
        except SettingsError as error:
            found = error.problems
        else:
            if self._data.read_as(experiment.data):
                return  # this checks again
            cubes, truths, misplaced = self._data.placed(experiment)
            experiment = self.continuing.look(experiment, self._data.source_layers, cubes, truths)
            if misplaced:
                found = misplaced
            elif cubes and (truths or not self._data.takes_truth) and not self._data.gaps:
                found = problems_with(experiment, cubes, truths)
        found += self._missing(cubes, truths)
        self._found, self._against, self.examined = found, "", None
        say(self.problem, "\n".join(p.message for p in found if p.path in ("input", "truth") and p.message))
        rest = self._form.show_problems([p for p in found if p.path not in ("input", "truth")])
        say(self.rest, "\n".join(str(p) for p in rest))
        self.summary.value = self._in_short(cubes)
        self.note.value = "\n".join(self._data.notes)
        self.note.visible = bool(self.note.value)
        self._say_time("")
        self.split.enabled = False
        if not found and experiment is not None:
            usual = self._form.usual
            self._looked_at = experiment
            self._looking.ask(lambda: _looked(experiment, lambda: examine(experiment, cubes, truths, usual)))
        else:
            self._looked_at = None
            self._looking.forget()
            self.estimating.forget()
            self._form.show_times({})
        self.changed.emit()

    def _missing(self, cubes: list[Any], truths: list[Any]) -> list[Problem]:
        """Return what has to be chosen, or what is wrong with the choice, before a training can start."""
        data = self._data
        asked, gone = data.asks, data.gone
        if asked:
            return [Problem(field, words) for field, words in asked.items()]
        if not cubes:
            explained = data.reading or data.problem.value
            there = gone.get("input", CHOOSE) if spectral_layers(self._viewer) else nothing_open(self._viewer, SAMPLE)
            return [Problem("input", "" if explained else there if data.from_layers else NO_FILES)]
        if data.gaps:
            return data.gaps
        if not truths and data.takes_truth:
            wanted = truth_choice.wanted(self._form.task.value, from_layers=data.from_layers)
            return [Problem("truth", f"{gone['truth']} {wanted}" if "truth" in gone else wanted)]
        return []

    def _in_short(self, cubes: list[Any]) -> str:
        if self._data.reading:
            return "reading the headers of the files …"
        return f"{sum(cube.count for cube in cubes):,} spectra × {cubes[0].axis.describe()}" if cubes else ""

    def _on_examined(self, word: tuple[Experiment, Examined | ValueError]) -> None:
        asked, examined = word
        if asked is not self._looked_at:  # superseded by another edit
            return
        if isinstance(examined, ValueError):
            self._on_unfit(examined)
            return
        self.examined = examined
        self.summary.value = examined.extent.words
        self.split.enabled = bool(self._data.source_layers)
        questions = [examined.question, *examined.presets.values()]
        self.estimating.ask(questions, measure=self.measures and preferences().measure_speed)
        if self.estimating.busy and not self.time.value:
            self._say_time("estimating the training time …")
        self.changed.emit()

    def _on_unfit(self, error: Exception) -> None:
        self._against = str(error)
        say(self.rest, self._against)
        self.changed.emit()

    # ---------------------------------------------------------------- time estimate

    def _on_estimate(self, estimates: list[Any]) -> None:
        if self.examined is None:
            return
        mine, *others = estimates
        self._form.show_times(times_of_presets(self.examined.presets, others))
        self._say_time(mine.words(self.examined.experiment, self.examined.extent))
        self._against = too_much(mine, mine.bytes(self.examined.extent))
        say(self.rest, self._against)
        self.changed.emit()

    def _on_no_estimate(self, why: str) -> None:
        self._say_time(f"no time estimate: {why}" if why else "")

    def _say_time(self, words: str) -> None:
        self.time.value = words
        self.time.visible = bool(words)

    # ---------------------------------------------------------------- the split

    def show_split(self) -> None:
        """Show the split as Labels layers over the inputs, or update those shown before."""
        if self.examined is None:
            return
        layers = self._data.source_layers
        cubes, _, _ = self._data.placed(self.examined.experiment)
        for layer, cube, labels in zip(layers, cubes, subsets.as_labels(self.examined.division.maps), strict=False):
            if labels.data.size == cube.count:
                show_parts(self._viewer, labels, layer, cube=cube)


def _looked(asked: Experiment, look: Callable[[], Examined]) -> tuple[Experiment, Examined | ValueError]:
    """Return the question with its result, or with the reason why there is none."""
    try:
        return asked, look()
    except ValueError as error:
        return asked, error
