"""The Evaluate dock: results compared with the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari.layers import Image, Layer
from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_spectrai.runs import Evaluation, prepare_evaluation
from napari_spectrai.widgets.dock import Dock, message, say, text
from napari_spectrai.widgets.evaluate_dock import evaluate_defaults
from napari_spectrai.widgets.evaluate_dock.aligned_layers import aligned
from napari_spectrai.widgets.evaluate_dock.evaluate_options import EvaluationForm
from napari_spectrai.widgets.evaluate_dock.evaluation_view import EvaluationView
from napari_spectrai.widgets.evaluate_dock.folder_evaluation import FolderEvaluation
from napari_spectrai.widgets.evaluate_dock.result_list import ResultBoxes, ShortList
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.job_queue import JobQueue, JobSpec
from napari_spectrai.widgets.layer_watch import LayerWatch
from napari_spectrai.widgets.layer_words import nothing_open
from napari_spectrai.widgets.layers import turned

SAMPLE = "Raman pairs"
_NONE = "Tick the layer to evaluate."


class EvaluateDock(Dock):
    """Evaluate one or several layers against a truth, in a separate process.

    From a script: set ``dock.result`` (or ``dock.results``) and ``dock.truth``, optionally ``dock.source``, ``dock.model``, ``dock.task``;
    call ``dock.start()``. Afterwards ``dock.report`` is the `Evaluation`; ``dock.save_csv`` and ``dock.save_report`` save it.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._has_chosen = False
        super().__init__("Evaluate")

    def _parts(self) -> Iterator[Sequence[Any]]:
        self._empty = text("empty")
        self.boxes, self._problem = ResultBoxes(), message()
        self.choices = EvaluationForm(self._viewer)
        yield [self._empty, ShortList(self.boxes), self._problem, self.choices]
        self._applying = JobQueue(self._viewer, "Evaluate", "evaluate the ticked layers against the truth", "starting: loading torch …")
        self._start, self._cancel = self._applying.start, self._applying.cancel
        self._cancel.tooltip = "stop; keep the previous result"
        self.view = EvaluationView(self._viewer)
        yield [self._applying, self.view]
        self.pin(self._applying.steering)
        self.folders = FolderEvaluation(self._viewer)
        self._folders_fold = FoldBox("Files: a folder of results against a folder of truths", [self.folders], key="folders")
        yield [self._folders_fold]
        self._later = QTimer(self.column)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._look_at_layers)
        self._watch = LayerWatch(self.column, self._look_at_layers)
        self._connect()
        yield []
        self._look_at_layers()

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.renamed):
            event.connect(self._on_layers)
        turned.turned.connect(self._check)
        self.leaving.callback(self._leave)
        self.boxes.ticked.connect(self._on_results)
        self.choices.updated.connect(self._check)
        self.choices.align_button.changed.connect(self.align)
        self._start.changed.connect(self.start)
        self._applying.ended.connect(self._check)
        self._folders_fold.heading.changed.connect(self._check)

    @property
    def occupied(self) -> bool:
        """Whether work goes on whose result becomes a layer."""
        return self._applying.busy or self.folders.queue.busy

    def _leave(self) -> None:
        self._applying.gone = self.folders.queue.gone = True
        self._watch.leave()
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.renamed):
            event.disconnect(self._on_layers)
        turned.turned.disconnect(self._check, missing_ok=True)

    # ---------------------------------------------------------------- interface for scripts

    @property
    def results(self) -> list[Layer]:
        """The layers to evaluate."""
        return self.boxes.layers

    @results.setter
    def results(self, layers: Sequence[Layer]) -> None:
        self.boxes.tick(layers)

    @property
    def result(self) -> Layer | None:
        """The layer to evaluate; the first if there are several."""
        return next(iter(self.results), None)

    @result.setter
    def result(self, layer: Layer) -> None:
        self.results = [layer]

    def take(self, layer: Layer) -> None:
        """Select a layer to evaluate, if it can be evaluated."""
        if layer in self.boxes.of:
            self.result = layer

    @property
    def truth(self) -> Layer | None:
        """The layer with the truth."""
        return self.choices.truth

    @truth.setter
    def truth(self, layer: Layer) -> None:
        self.choices.truth = layer

    @property
    def source(self) -> Image | None:
        """The layer that the results were made from."""
        return self.choices.source

    @source.setter
    def source(self, layer: Image | None) -> None:
        self.choices.source = layer

    @property
    def model(self) -> Path | None:
        """The model whose classical methods are also evaluated."""
        return self.choices.model

    @model.setter
    def model(self, path: str | Path | None) -> None:
        self.choices.model = path

    @property
    def task(self) -> str:
        """The task that the results are evaluated as."""
        return self.choices.task

    @task.setter
    def task(self, kind: str) -> None:
        self.choices.task = kind

    @property
    def status(self) -> str:
        """The status in words."""
        return str(self._applying.status.value)

    @property
    def report(self) -> Evaluation | None:
        """The evaluation: scores, confusion matrices, maps and example spectra."""
        return self.view.evaluation

    def save_csv(self, path: str | Path) -> Path:
        """Save the tables as CSV."""
        return self.view.save_csv(path)

    def save_report(self, path: str | Path) -> Path:
        """Save the complete evaluation as one HTML page."""
        return self.view.save_report(path)

    # ---------------------------------------------------------------- checks

    def _on_layers(self, _: Any = None) -> None:
        self._look_at_layers()
        self._later.start(0)  # a layer's metadata are complete only after it was inserted

    def _look_at_layers(self) -> None:
        self.boxes.offer(evaluate_defaults.candidates(self._viewer))
        likely = None if self._has_chosen else evaluate_defaults.likely_result(self._viewer)
        if likely is not None:
            self.boxes.tick([likely], by_hand=False)
        else:
            self._on_results()

    def _on_results(self) -> None:
        self._has_chosen = self._has_chosen or bool(self.results)
        self.choices.follow(self.results)

    def _check(self, _: Any = None) -> None:
        results, anything = self.results, bool(self.boxes.of)
        self._watch.watch([*results, self.truth, self.source])
        opening = nothing_open(self._viewer, SAMPLE, "a hypercube and its truth").removesuffix(".")
        self._empty.value = "" if anything else f"{opening}; then predict, and evaluate the result."
        self._empty.visible = not anything
        self.boxes.visible = self.choices.visible = anything
        say(self._problem, "" if results or not anything else _NONE)
        wrong = self.choices.against()
        self._start.enabled = bool(results) and not wrong and not self._applying.busy
        empty = "" if self._folders_fold.is_open else str(self._empty.value)  # folders are evaluated without layers
        missing = empty if not anything else wrong if results else _NONE
        self.because("" if self._applying.busy else missing)

    def align(self) -> None:
        """Make layers of the pixels that results, truth and source share, by position, and choose those."""
        truth, results, source = self.truth, self.results, self.source
        if truth is None or not evaluate_defaults.alignable(results, truth):
            return
        made = aligned(self._viewer, results, truth, source)
        self.results = made.results
        self.truth = made.truth
        if made.source is not None:
            self.source = made.source

    # ---------------------------------------------------------------- work

    def start(self) -> None:
        """Evaluate the results."""
        if not self._start.enabled or self.truth is None:
            return
        results, source, labels = self.results, self.source, self.choices.is_classes
        spectra = evaluate_defaults.spectra_under(results[0], source)
        handed = {layer.name: evaluate_defaults.handed(layer, spectra) for layer in results}
        known = evaluate_defaults.handed(self.truth, spectra)
        model, options, kind = self.choices.model, replace(self.choices.chosen(), pairing="pixels"), self.task
        # classes have no row for the raw input: only a model's methods need their source
        needed = source is not None and (not labels or model is not None)
        noisy = evaluate_defaults.handed(source, None) if needed and source is not None else None
        layers = {layer.name: layer for layer in results}
        work = JobSpec(
            "",
            # the layers coincide at their present positions, whatever the files record
            lambda: prepare_evaluation(handed, known, kind, source=noisy, model=model, options=options),
            lambda folder, stopped: None if stopped else Evaluation.load(folder / "judgement"),
            lambda evaluation: self._show(evaluation, layers),
        )
        self._applying.run_all([work], self.native)

    def cancel(self) -> None:
        """Stop, and keep the previous result."""
        self._applying.stop()

    def _show(self, evaluation: Evaluation, layers: dict[str, Layer]) -> str:
        self.view.show_evaluation(evaluation, layers)
        self.scroll_to(self.view)
        if self.column.parent() is None and not self.column.isVisible():  # the dock was closed meanwhile, and ends now
            show_info(f"Evaluated after the dock was closed. {self.view.verdict.value}")
        return f"{len(layers)} results evaluated" if len(layers) > 1 else "1 result evaluated"
