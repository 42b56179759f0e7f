"""The Train dock: choose, start, watch, pause, stop, resume."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, Container, PushButton
from napari.layers import Image, Layer
from napari.qt.threading import thread_worker
from napari.viewer import Viewer

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Data, Experiment
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.preparation import SpatialStep
from napari_spectrai.runs import Epoch, Event, Paused, Run, Step, prepare
from napari_spectrai.spec import Problem, SettingsError
from napari_spectrai.widgets import truth
from napari_spectrai.widgets.dock import Dock, line, message, rows, say, text
from napari_spectrai.widgets.form import Fold, SpecForm, part_form
from napari_spectrai.widgets.jobs import Follower, guard
from napari_spectrai.widgets.layers import likely_source, spectral_layers
from napari_spectrai.widgets.progress import TrainingView
from napari_spectrai.widgets.run_list import RunList

_SKIP = ("task", "name", "data", "split", "preparation", "augmentation", "training")


class TrainDock(Dock):
    """Train a network on layers, in a process of its own.

    From a script: ``dock.experiment`` is the document in the form (readable and settable), ``dock.start()``,
    ``dock.pause()`` and ``dock.stop()`` press the buttons, and ``dock.run`` is the run.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        viewer = napari_viewer
        self._viewer = viewer
        self.run: Run | None = None
        self._follower: Follower | None = None
        self._state = "idle"
        self._gone = False
        self._last: dict[ComboBox, Image] = {}
        self._default: Experiment | None = None
        self._build()
        super().__init__("Train", self._sections)
        self._connect()
        self._on_layers()
        self._list_runs()

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        self._task = ComboBox(
            choices=[(tasks[kind].title, kind) for kind in tasks], value="denoising", label="Task", name="task", tooltip="what is learnt"
        )
        self._input = ComboBox(choices=self._layers, nullable=True, label="Input", name="input", tooltip="the layer to learn from")
        self._truth = ComboBox(
            choices=self._truths, nullable=True, label="Truth", name="truth", tooltip="the layer that shows how it should be"
        )
        self._data_problem, self._problem = message(), message()
        self._summary = text("summary")
        self._settings: SpecForm | None = None
        self._task_box: Container[Any] = Container(labels=False, name="task_settings")
        self._task_box.margins = (0, 0, 0, 0)
        start = Experiment().model_dump(mode="json")
        self._show_settings(start["task"])
        suits = lambda cls: self._task.value in getattr(cls, "tasks", {self._task.value})  # noqa: E731
        self._form = SpecForm(Experiment, start, suits=suits, skip=_SKIP)
        self._folded = {name: _sub_form(name, start) for name in ("split", "preparation", "augmentation", "training", "data")}
        titles = {"split": "Split", "preparation": "Preparation", "augmentation": "Augmentation", "training": "Training", "data": "Patches"}
        folds = [Fold(titles[name], [form]) for name, form in self._folded.items()]
        self._start = PushButton(text="Train", name="start", tooltip="train in a process of its own; the window stays free")
        self._pause = PushButton(text="Pause", name="pause", enabled=False, tooltip="hold after this step; nothing is lost")
        self._stop = PushButton(text="Stop", name="stop", enabled=False, tooltip="save and end; the run can be resumed")
        self._view = TrainingView(self._viewer)
        self.runs = RunList(self._viewer, self._view.say)
        self._sections = [
            rows(self._task), self._task_box, rows(self._input, self._truth), self._data_problem, self._summary, self._form, *folds,
            self._problem,
            line(self._start, self._pause, self._stop), self._view, *self.runs.sections,
        ]  # fmt: skip

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed):
            event.connect(self._on_layers)
        layers.renamed.connect(self._on_renamed)
        self.native.destroyed.connect(self._leave)
        self._input.changed.connect(self._on_input)
        self._task.changed.connect(self._on_task)
        for widget in (self._truth, self._form, *self._folded.values()):
            widget.changed.connect(self._check)
        self._start.changed.connect(self.start)
        self._pause.changed.connect(self.pause)
        self._stop.changed.connect(self.stop)
        self.runs.choice.changed.connect(lambda _: self._update_buttons())
        self.runs.resume.changed.connect(self.resume)

    def _leave(self) -> None:
        self._gone = True
        layers = self._viewer.layers.events
        for event, slot in ((layers.inserted, self._on_layers), (layers.removed, self._on_layers), (layers.renamed, self._on_renamed)):
            event.disconnect(slot)

    def _on_renamed(self, _: Any = None) -> None:
        """Choose again what was chosen: napari makes the lists anew, and forgets."""
        for choice, layer in self._last.items():
            choice.reset_choices()
            if layer in self._viewer.layers:
                choice.value = layer

    def _remember(self, _: Any = None) -> None:
        for choice in (self._input, self._truth):
            if choice.value is not None:
                self._last[choice] = choice.value

    def take(self, layer: Layer) -> None:
        """Choose the layer to learn from."""
        if layer in self._layers():
            self._input.value = layer

    def _layers(self, _: Any = None) -> list[Image]:
        return spectral_layers(self._viewer)

    def _truths(self, _: Any = None) -> list[Any]:
        return truth.choices(self._viewer, self._task.value)

    @property
    def state(self) -> str:
        """``"idle"``, ``"preparing"``, ``"starting"``, ``"running"``, ``"paused"`` or ``"stopping"``."""
        return self._state

    @property
    def view(self) -> TrainingView:
        """The curves, status and preview."""
        return self._view

    # ---------------------------------------------------------------- the document

    @property
    def experiment(self) -> Experiment:
        """The document in the form.

        Raises
        ------
        SettingsError
            If a field has a problem.
        """
        settings = self._settings.read() if self._settings is not None else {}
        document: dict[str, Any] = {"task": {"kind": self._task.value, **settings}, **self._form.read()}
        document |= {name: form.read() for name, form in self._folded.items()}
        document["name"] = self._input.value.name if self._input.value is not None else ""
        return Experiment.from_mapping(document)

    @experiment.setter
    def experiment(self, experiment: Experiment) -> None:
        document = experiment.model_dump(mode="json")
        with self._task.changed.blocked():
            self._task.value = experiment.task.kind
        self._show_task(document["task"])
        self._form.fill(document)
        for name, form in self._folded.items():
            form.fill(document[name])
        self._check()

    def _show_task(self, task: dict[str, Any]) -> None:
        """Show the settings of a task, and offer what suits it."""
        self._show_settings(task)
        self._form.refresh()
        self._truth.reset_choices()

    def _show_settings(self, task: dict[str, Any]) -> None:
        self._settings = SpecForm(tasks[task["kind"]], task)
        self._settings.changed.connect(self._check)
        self._task_box.clear()
        self._task_box.append(self._settings)
        self._task_box.visible = len(self._settings) > 0

    def _on_task(self, _: Any = None) -> None:
        """Begin with what suits the other task."""
        self._show_task(tasks.parse(self._task.value).model_dump(mode="json"))
        self._default = None
        self._on_layers()

    def _pairs(self) -> tuple[list[Cube], list[Any]]:
        """Return the chosen input and, where the task takes one, the truth."""
        return truth.pair(self._task.value, self._input.value, self._truth.value if self._takes_truth() else None)

    def _takes_truth(self) -> bool:
        return truth.is_taken(self._task.value, self._settings.read() if self._settings is not None else {})

    # ---------------------------------------------------------------- readiness

    def _on_layers(self, _: Any = None) -> None:
        layers = self._layers()
        for choice in (self._input, self._truth):
            choice.reset_choices()
        if self._input.value is None or "truth" in self._input.value.name.lower():
            self._input.value = likely_source(layers)
        if self._truth.value is None or self._truth.value is self._input.value:
            self._truth.value = truth.likely(self._viewer, self._task.value, self._input.value)
        self._on_input()

    def _on_input(self, _: Any = None) -> None:
        cubes, truths = self._pairs()
        default = truth.suited(self._task.value, cubes, truths)
        # settings that nobody has touched follow the data
        if default is not None and (self._default is None or self._untouched()):
            self.experiment = default
            self._default = self._read_quietly()
        self._check()

    def _read_quietly(self) -> Experiment | None:
        try:
            return self.experiment.model_copy(update={"name": ""})
        except SettingsError:
            return None

    def _untouched(self) -> bool:
        return self._default is not None and self._read_quietly() == self._default

    def _check(self, _: Any = None) -> None:
        """Say what is wrong beside its field, and allow the start only when nothing is."""
        self._remember()
        cubes, truths = self._pairs()
        found: list[Problem] = []
        try:
            experiment = self.experiment
        except SettingsError as error:
            found = error.problems
        else:
            if cubes and (truths or not self._takes_truth()):
                found = problems_with(experiment, cubes, truths)
        if not cubes:
            found.append(Problem("input", "Open a hypercube, or try File ▸ Open Sample ▸ napari-spectrai ▸ Raman pairs."))
        elif not truths and self._takes_truth():
            found.append(Problem("truth", truth.wanted(self._task.value)))
        self._truth.visible = self._takes_truth()
        self._summary.value = f"{cubes[0].count:,} spectra × {cubes[0].axis.describe()}" if cubes else ""
        say(self._data_problem, "\n".join(p.message for p in found if p.path in ("input", "truth")))
        rest = [p for p in found if p.path not in ("input", "truth")]
        if self._settings is not None:
            mine = [Problem(p.path.removeprefix("task."), p.message) for p in rest if p.path.startswith("task.")]
            rest = [p for p in rest if not p.path.startswith("task.")] + self._settings.show_problems(mine)
        rest = self._form.show_problems(rest)
        for name, form in self._folded.items():
            mine = [Problem(p.path.removeprefix(f"{name}."), p.message) for p in rest if p.path == name or p.path.startswith(f"{name}.")]
            rest = [p for p in rest if p.path != name and not p.path.startswith(f"{name}.")]
            rest += [Problem(f"{name}.{p.path}".rstrip("."), p.message) for p in form.show_problems(mine)]
            rest += [Problem("", f"{p.message} (under {name.capitalize()}: {p.path})") for p in mine]
        say(self._problem, "\n".join(str(p) for p in rest))
        self._ready = not found
        self._update_buttons()

    def _update_buttons(self) -> None:
        active = self._state != "idle"
        self._start.enabled = self._ready and not active
        self._pause.enabled = self._state in ("running", "paused")
        self._pause.text = "Resume" if self._state == "paused" else "Pause"
        self._stop.enabled = self._state in ("starting", "running", "paused", "stopping")
        self._stop.text = "Stop now" if self._state == "stopping" else "Stop"
        self.runs.update(active=active)

    def _set_state(self, state: str) -> None:
        self._state = state
        self._update_buttons()

    # ---------------------------------------------------------------- steering

    def start(self) -> None:
        """Start training on the chosen layers."""
        self._check()
        if self._state != "idle" or not self._ready:
            return
        experiment, (cubes, truths) = self.experiment, self._pairs()
        self._set_state("preparing")
        self._view.begin("copying data …")
        worker = thread_worker(prepare)(experiment, cubes, truths)
        worker.returned.connect(self._started)
        worker.errored.connect(self._not_started)
        worker.start()

    def _started(self, run: Run) -> None:
        if self._gone:  # the dock was closed while the data were copied
            return
        self.run = run
        run.start()
        self._follow(run)

    def _not_started(self, error: Exception) -> None:
        self._set_state("idle")
        self._view.failed(str(error), "")

    def _follow(self, run: Run) -> None:
        guard(self.native)
        self._set_state("starting")
        self._view.begin("starting: loading torch, reading data …")
        self._follower = Follower(run, self.native)
        self._follower.told.connect(self._on_events)
        self._follower.ended.connect(self._on_end)
        self._follower.start()

    def _on_events(self, events: list[Event]) -> None:
        self._view.tell(events)
        for event in events:
            if isinstance(event, Paused) and self._state != "stopping":
                self._set_state("paused" if event.paused else "running")
            elif isinstance(event, Step | Epoch) and self._state == "starting":
                self._set_state("running")

    def _on_end(self, ending: Any) -> None:
        self._view.ended(ending)
        self._follower = None
        self._state = "idle"
        self._list_runs()

    def pause(self) -> None:
        """Pause, or go on."""
        if self.run is not None and self._state in ("running", "paused"):
            (self.run.resume if self._state == "paused" else self.run.pause)()

    def stop(self) -> None:
        """Save and end; a second time: end now."""
        if self._follower is None:
            return
        if self._state == "stopping":
            self._follower.insist()
            return
        self._follower.stop()
        self._set_state("stopping")
        self._view.say("stopping: saving …")

    def resume(self) -> None:
        """Go on with the run chosen in the list."""
        chosen = self.runs.chosen
        if self._state != "idle" or chosen is None:
            return
        if not chosen.document.exists():
            self._view.failed(f"{chosen.path} is no more; it cannot be resumed", "")
            self._list_runs()
            return
        self.run = Run(chosen.path)
        self.run.resume()
        self._follow(self.run)

    def _list_runs(self) -> None:
        self.runs.refresh(None if self.run is None else self.run.folder)
        self._check()


def _sub_form(name: str, document: dict[str, Any]) -> Any:
    """Return the form of one field of the document, to stand in a fold."""
    if name == "data":
        return SpecForm(Data, document[name], skip=("input", "truth"))
    return part_form(name, Experiment.model_fields[name], document[name], lambda cls: not issubclass(cls, SpatialStep))
