"""The Train dock: choose data and settings, start, watch, pause, stop and resume a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from magicgui.widgets import PushButton
from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from superqt.utils import thread_worker

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.runs import Compared, Epoch, Event, Failed, Finished, Fold, Paused, Run, Stage, Step, prepare
from napari_spectrai.widgets.dock import Dock, open_in_turns, rows
from napari_spectrai.widgets.jobs import Follower, guard, launched, unseen
from napari_spectrai.widgets.train_dock.comparing import Comparing
from napari_spectrai.widgets.train_dock.document_menu import DocumentMenu
from napari_spectrai.widgets.train_dock.earlier_runs import document_of, resumed
from napari_spectrai.widgets.train_dock.progress_view import TrainingView
from napari_spectrai.widgets.train_dock.run_list import RunList
from napari_spectrai.widgets.train_dock.show_result import ShowResult
from napari_spectrai.widgets.train_dock.steering import PATIENCE, Steering
from napari_spectrai.widgets.train_dock.train_checks import TrainingChecks
from napari_spectrai.widgets.train_dock.train_data import TrainData
from napari_spectrai.widgets.train_dock.train_form import TrainForm

_AT_WORK = (Stage, Fold, Compared, Step, Epoch)
"""Events of a process that works already, and so can be paused."""


class TrainDock(Dock):
    """Train a network on layers or files, in a separate process.

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
        self._trained_on: list[Image] = []
        super().__init__("Train")

    def _parts(self) -> Iterator[Sequence[Any]]:
        viewer = self._viewer
        self.form = form = TrainForm()
        yield [rows(form.task, form.preset), form.settings_box]
        self.data = TrainData(viewer)
        self.leaving.callback(self.data.leave)
        yield [self.data]
        self.ready = TrainingChecks(form, self.data, viewer)
        self.result = ShowResult(viewer, lambda: self.data.source_layers)
        yield [self.ready.continuing, self.ready.of_data, self.result.untrained, form.main]
        form.make_folds()
        yield [*form.folds.values(), form.rare_box, self.ready.of_rest]
        self._view = TrainingView(viewer)
        self._make_buttons()
        yield [self._steering, self._view]
        self.runs = RunList(viewer, self._view)
        yield [self.result, self._apply, self.runs.shown]
        self.pin(self._steering)
        self.ready.begin(self.column)
        self._comparing = Comparing(self.column, self._view.warn)
        self._connect()
        yield []
        self.data.refresh()
        yield []
        self.runs.refresh()
        self.when_complete(lambda _: self._follow_unseen())

    def _make_buttons(self) -> None:
        self.documents = DocumentMenu(self._document, self._open, self._view.say)
        self._steering = Steering(self.documents.button)
        self._start, self._pause, self._stop = self._steering.start, self._steering.pause, self._steering.stop
        self._apply = PushButton(
            text="Open in Predict", name="apply", visible=False, tooltip="open the Predict dock with the model of this run"
        )

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed):
            event.connect(self._on_layers)
        layers.renamed.connect(self._on_renamed)
        self.leaving.callback(self._leave)
        self.ready.changed.connect(self._update_buttons)
        self._start.changed.connect(self.start)
        self._pause.changed.connect(self.pause)
        self._stop.changed.connect(self.stop)
        self._apply.changed.connect(self.predict)
        self.runs.chosen_changed.connect(self._update_buttons)
        self.runs.resumed.connect(self.resume)
        self.runs.reopened.connect(self._reopen)
        launched.connect(self._on_launched)
        self._patience = QTimer(self.column)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE)
        self._patience.timeout.connect(self._update_buttons)

    @property
    def occupied(self) -> bool:
        """Whether work goes on whose result becomes a layer, or a run is prepared."""
        return self._state == "preparing" or self.result.queue.busy

    def _leave(self) -> None:
        self._gone = self.result.queue.gone = True
        layers = self._viewer.layers.events
        for event, slot in ((layers.inserted, self._on_layers), (layers.removed, self._on_layers), (layers.renamed, self._on_renamed)):
            event.disconnect(slot)
        launched.disconnect(self._on_launched, missing_ok=True)

    def _on_layers(self, _: Any = None) -> None:
        self.data.refresh()

    def _on_renamed(self, _: Any = None) -> None:
        self.data.layers.choose_again()

    # ---------------------------------------------------------------- interface for scripts

    @property
    def state(self) -> str:
        """``"idle"``, ``"preparing"``, ``"starting"``, ``"running"``, ``"paused"`` or ``"stopping"``."""
        return self._state

    @property
    def view(self) -> TrainingView:
        """The curves, status and preview."""
        return self._view

    @property
    def experiment(self) -> Experiment:
        """The document in the form.

        Raises
        ------
        SettingsError
            If a field has a problem.
        """
        self.ready.settle()
        return self.form.experiment(self.data.title, self.data.paths)

    @experiment.setter
    def experiment(self, experiment: Experiment) -> None:
        self.ready.settle()
        self.form.give(experiment)  # first: the task decides how files are read
        if experiment.data.input:
            self.data.choose_files(list(experiment.data.input), list(experiment.data.truth))

    def take(self, layer: Layer) -> None:
        """Choose the layer to train on."""
        if layer in self.data.first.input.choices:
            self.data.source.value = "Layers"
            self.data.first.input.value = layer

    # ---------------------------------------------------------------- states

    def _update_buttons(self) -> None:
        active = self._state != "idle"
        self._steering.show_state(self._state, ready=self.ready.is_ready, patient=self._patience.isActive())
        self.because("" if active else self.ready.reason)
        self.documents.enable(self.ready.is_ready)
        self.result.suit(self.form.task.value, self.form.network_kind)
        self.runs.update(active=active)

    def _set_state(self, state: str) -> None:
        self._state = state
        self._update_buttons()

    # ---------------------------------------------------------------- control

    def _document(self) -> tuple[Experiment, list[Cube] | None, list[Any] | None]:
        """Return the document, and the cubes and truths of layers; None for files, which the document names."""
        experiment = self.ready.continuing.applied(self.experiment)
        cubes, truths, _ = self.data.placed(experiment)
        return (experiment, cubes, truths) if self.data.from_layers else (experiment, None, None)

    def _open(self, experiment: Experiment) -> None:
        """Show the settings of a file, from the top."""
        self.experiment = experiment
        self.scroll_to(self[0])

    def start(self) -> None:
        """Start training on the chosen data."""
        self.ready.settle()
        if self._state != "idle" or not self.ready.is_ready:
            return
        experiment, cubes, truths = self._document()
        self._set_state("preparing")
        self._trained_on = self.data.source_layers
        self._view.previews.metadata = cubes[0].metadata if cubes else {}
        self._apply.visible = False
        self.result.withdraw()
        self._view.begin("copying data …")
        self.scroll_to(self._view)
        worker = thread_worker(prepare, ignore_errors=True)(experiment, cubes, truths)
        worker.returned.connect(self._started)
        worker.errored.connect(self._not_started)
        worker.start()

    def _started(self, run: Run) -> None:
        if self._gone:  # the dock was closed while the data were copied
            return
        try:
            run.start()
        except OSError as error:  # a full or read-only disk
            self._not_started(error)
            return
        self.follow(run)

    def _not_started(self, error: Exception) -> None:
        if self._gone:
            return
        self._set_state("idle")
        self._view.failed(str(error), "")

    def follow(self, run: Run) -> None:
        """Show a run that was started, here or elsewhere."""
        if self._state != "preparing":  # of another process, or resumed: it is not known which layers it is trained on
            self._trained_on, self._view.previews.metadata = [], {}
        self.run = run
        guard(self.native)
        self._apply.visible = False
        # comes first: napari processes events while the view is cleared, and the dock may be closed meanwhile
        self._follower = Follower(run, self.native)
        self._set_state("starting")
        self._view.begin("starting: loading torch, reading data …")
        if self._gone:
            return
        self._follower.received.connect(self._on_events)
        self._follower.ended.connect(self._on_end)
        self._follower.start()
        self.runs.refresh(run.folder)

    def _on_launched(self, run: Run) -> None:
        """Follow a run that was launched from the console, unless another one is followed."""
        if self._state == "idle" and not self._gone:
            self.follow(Run.attach(run))

    def _follow_unseen(self) -> None:
        """Follow a run that was launched from the console, or in a dock that was closed."""
        if self._state == "idle" and (left := unseen()):
            self.follow(Run.attach(left[-1]))

    def _on_events(self, events: list[Event]) -> None:
        self._view.show_events(events)
        for event in events:
            if isinstance(event, Paused) and self._state != "stopping":
                self._set_state("paused" if event.paused else "running")
            elif isinstance(event, _AT_WORK) and self._state == "starting":
                self._set_state("running")
                self.runs.refresh()

    def _on_end(self, ending: Finished | Failed) -> None:
        self._view.ended(ending)
        self.scroll_to(self._view, again=True)
        self._on_model(ending)
        self._follower = None
        self._patience.stop()
        self._state = "idle"
        self._apply.visible = self.run is not None and self.run.folder.best.exists()
        self.runs.refresh(None if self.run is None else self.run.folder)
        self._update_buttons()

    def _on_model(self, ending: Finished | Failed) -> None:
        """Offer the model of a run that has just ended: to be shown, and to be continued."""
        run = self.run
        if run is None or not isinstance(ending, Finished) or ending.reason == "stopped" or not run.folder.best.exists():
            return
        self._comparing.compare(run.folder, ending)
        self.data.layers.classes.show_recall(self._view.previews.recall)
        if not self._trained_on:
            return
        continuing = self.ready.continuing
        continuing.remember(run.folder.best, self._trained_on, run.folder.experiment().training.start)
        self.result.offer(run.folder.best, self._trained_on, continuing.earlier)
        self.ready.check()

    def pause(self) -> None:
        """Pause or resume."""
        if self.run is None or self._state not in ("running", "paused"):
            return
        try:
            (self.run.resume if self._state == "paused" else self.run.pause)()
        except OSError as error:  # the command is a file in the run folder
            self._view.say(f"could not send the command to the run: {error}")

    def stop(self) -> None:
        """Save and end; on the second call, kill the process."""
        if self._follower is None:
            return
        if self._state == "stopping":
            self._follower.insist()
            return
        try:
            self._follower.stop()
        except OSError as error:  # a process that cannot be asked to stop can be killed
            self._view.say(f"could not send the command to the run: {error}; 'Stop now' kills its process")
            self._set_state("stopping")
            return
        self._patience.start()
        self._set_state("stopping")
        self._view.say("stopping: saving …")

    def resume(self) -> None:
        """Resume the run chosen in the list; follow it if another process is working on it."""
        chosen = self.runs.chosen
        if self._state != "idle" or chosen is None:
            return
        try:
            run = resumed(chosen)
        except OSError as error:
            self._view.failed(str(error), "")
            self.runs.refresh()
            return
        self.follow(run)

    def _reopen(self) -> None:
        """Show the settings and curves of the run chosen in the list."""
        chosen = self.runs.chosen
        if chosen is None:
            return
        try:
            self.experiment = document_of(chosen)
        except (OSError, ValueError) as error:
            self._view.say(str(error))
            return
        if self._state == "idle":
            self._view.replay(chosen)

    def predict(self) -> None:
        """Open the Predict dock with the model of the last run."""
        if self.run is not None and self.run.folder.best.exists():
            best = self.run.folder.best
            open_in_turns(self._viewer, "Predict", lambda dock: setattr(dock, "model", best))
