"""The Evaluate dock: results against the truth."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit
from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import Qt

from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.runs import Judgement, prepare_evaluation
from napari_spectrai.widgets import judged
from napari_spectrai.widgets.applying import Applying
from napari_spectrai.widgets.background import Latest
from napari_spectrai.widgets.dock import Dock, message, rows, say, text
from napari_spectrai.widgets.form import Fold
from napari_spectrai.widgets.judgement_view import JudgementView
from napari_spectrai.widgets.layers import spectral_layers, turned
from napari_spectrai.widgets.result_boxes import ResultBoxes
from napari_spectrai.widgets.shortcuts import shortcut

_INTENSITIES = {
    "as they are": "", "divided by the maximum": "maximum", "divided by the mean": "area", "divided by the length": "vector",
    "0 to 1": "minmax", "SNV": "snv", "robust SNV": "rnv",
}  # fmt: skip
_EMPTY = (
    "<a href='sample' style='color: #3b8fd0;'>Open the sample of Raman pairs</a>, or any hypercube and its truth; predict, and evaluate "
    "what comes out."
)
_NONE = "Tick the layer to be judged. Layers made by the Predict dock are ticked by themselves."


class EvaluateDock(Dock):
    """Judge one or several layers against a truth, in a process of its own.

    From a script: set ``dock.result`` (or ``dock.results``) and ``dock.truth``, perhaps ``dock.source``, ``dock.model`` and ``dock.task``;
    call ``dock.start()``; then ``dock.report`` is the `Judgement`, and ``dock.save_csv`` and ``dock.save_report`` save it.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._settling = False
        self._seen: tuple[Any, str] = (None, "")
        self._build()
        super().__init__("Evaluate", self._sections)
        self._looking = Latest(self.native)
        self._looking.answered.connect(self._on_looked)
        self._looking.failed.connect(lambda error: self._on_looked((None, str(error))))
        self._connect()
        self._on_layers()

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        self._empty = text("empty", _EMPTY)
        self._empty.native.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self._empty.native.linkActivated.connect(lambda _: self._viewer.open_sample("napari-spectrai", "raman_pairs"))
        self.boxes = ResultBoxes()
        self._truth = ComboBox(
            choices=lambda _: judged.truths(self._viewer, self.results), nullable=True, label="Truth", name="truth",
            tooltip="the layer that shows how it should be: a cube, or for classes a Labels layer (0 is not judged)",
        )  # fmt: skip
        self._source = ComboBox(
            choices=lambda _: self._sources(), nullable=True, label="Source", name="source",
            tooltip="what the results were made from; it is judged, too, as the row 'raw'",
        )  # fmt: skip
        self._task = ComboBox(choices=lambda _: self._tasks(), label="Task", name="task", tooltip="which figures are told")
        self._intensities = ComboBox(
            choices=list(_INTENSITIES.items()), value="", label="Intensities", name="intensities",
            tooltip="as they are, or scaled: the truth's spectra by themselves, results by their source's, so that shapes count",
        )  # fmt: skip
        self._match = CheckBox(
            value=False, text="Match clusters to classes", name="match",
            tooltip="the numbers of the result are clusters: each is taken for the class that most of its judged pixels have",
        )  # fmt: skip
        self._model = FileEdit(
            mode=FileDialogMode.EXISTING_FILE, filter="*.safetensors", label="Model", name="model", nullable=True,
            tooltip="a model file: the classical methods kept in it are applied to the source, and stand beside the result",
        )  # fmt: skip
        self._problems = {name: message() for name in ("results", "truth", "model")}
        self._applying = Applying(
            self._viewer, "Evaluate", "judge the ticked layers against the truth (Ctrl+Return)", "starting: loading torch …"
        )
        self._start, self._cancel = self._applying.start, self._applying.cancel
        self._cancel.tooltip = "stop (Escape); what was found before stays"
        self.view = JudgementView(self._viewer)
        self._choices = rows(self._truth, self._source, self._task, self._intensities, self._match)
        self._beside = text("beside")
        self._fold = Fold("Classical methods of a model", [rows(self._model), self._problems["model"]])
        self._sections = [
            self._empty, self.boxes, self._problems["results"], self._choices, self._problems["truth"], self._beside, self._fold,
            self._applying, self.view,
        ]  # fmt: skip

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.renamed):
            event.connect(self._on_layers)
        turned.turned.connect(self._check)
        self.native.destroyed.connect(self._leave)
        self.boxes.ticked.connect(self._on_results)
        self._truth.changed.connect(self._on_truth)
        self._source.changed.connect(self._on_source)
        self._model.changed.connect(self._on_model)
        self._task.changed.connect(self._check)
        self._start.changed.connect(self.start)
        self._applying.ended.connect(self._on_end)
        for keys, does in (("Ctrl+Return", self.start), ("Ctrl+Enter", self.start), ("Escape", self.cancel)):
            shortcut(keys, self.native, does)

    def _leave(self) -> None:
        self._applying.gone = True
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.renamed):
            event.disconnect(self._on_layers)
        turned.turned.disconnect(self._check, missing_ok=True)

    # ---------------------------------------------------------------- choices

    def _sources(self) -> list[Image]:
        return [layer for layer in spectral_layers(self._viewer) if layer is not self.truth and layer not in self.results]

    def _tasks(self) -> list[tuple[str, str]]:
        results = self.results
        wanted = "labels" if results and not isinstance(results[0], Image) else "cube"
        return [(tasks[kind].title, kind) for kind in tasks if tasks[kind].truth == wanted]

    @property
    def results(self) -> list[Layer]:
        """The layers that are judged."""
        return self.boxes.layers

    @results.setter
    def results(self, layers: Sequence[Layer]) -> None:
        self.boxes.tick(layers)

    @property
    def result(self) -> Layer | None:
        """The layer that is judged; of several the first."""
        return next(iter(self.results), None)

    @result.setter
    def result(self, layer: Layer) -> None:
        self.results = [layer]

    @property
    def truth(self) -> Layer | None:
        """The layer it is judged by."""
        chosen: Layer | None = self._truth.value
        return chosen

    @truth.setter
    def truth(self, layer: Layer) -> None:
        self._truth.value = layer

    @property
    def source(self) -> Image | None:
        """What the results were made from."""
        chosen: Image | None = self._source.value
        return chosen

    @source.setter
    def source(self, layer: Image | None) -> None:
        self._source.value = layer

    @property
    def model(self) -> Path | None:
        """The model whose classical methods are judged, too."""
        path = self._model.value
        return None if path in (None, Path(), Path()) or not str(path) or str(path) == "." else Path(str(path))

    @model.setter
    def model(self, path: str | Path | None) -> None:
        self._model.value = None if path is None else Path(path)

    @property
    def task(self) -> str:
        """As which task the results are judged."""
        return str(self._task.value)

    @task.setter
    def task(self, kind: str) -> None:
        self._task.value = kind

    @property
    def status(self) -> str:
        """The status in words."""
        return str(self._applying.status.value)

    @property
    def report(self) -> Judgement | None:
        """What was found."""
        return self.view.judgement

    def save_csv(self, path: str | Path) -> Path:
        """Save the tables."""
        return self.view.save_csv(path)

    def save_report(self, path: str | Path) -> Path:
        """Save everything as one HTML page."""
        return self.view.save_report(path)

    # ---------------------------------------------------------------- what follows from what

    def _on_layers(self, _: Any = None) -> None:
        self.boxes.offer(judged.candidates(self._viewer))
        if not self.boxes.by_hand:
            likely = judged.likely_result(self._viewer)
            if likely is not None and likely is not self.result:
                self.boxes.tick([likely], by_hand=False)
                return
        self._on_results()

    def _on_results(self) -> None:
        """Choose truth, source, task and model that suit the results; what still suits stays."""
        first, before = self.result, (self.truth, self.source)
        self._settling = True
        self._truth.reset_choices()
        fits = before[0] is not None and first is not None and before[0] in self._truth.choices
        kept = before[0] if fits and judged.spatial(before[0]) == judged.spatial(first) else None
        self._truth.value = kept or judged.likely_truth(self._viewer, self.results)
        self._choose_source(before[1])
        path = judged.model_of(first)
        if path is not None:
            self._model.value = path
        self._settling = False
        self._on_source()
        self._intensities.value = (
            judged.normalised_by(judged.card_of(self.model)) if judged.told(first) or path else self._intensities.value
        )
        self._match.value = judged.finds_clusters(first, self.truth)
        self._check()

    def _choose_source(self, before: Image | None) -> None:
        self._source.reset_choices()
        likely = judged.likely_source(self._viewer, self.result, self.truth)
        kept = before if before in self._source.choices and self.result is not None else None
        self._source.value = likely or kept

    def _on_truth(self, _: Any = None) -> None:
        if self._settling:
            return
        self._settling = True
        self._choose_source(self.source)
        self._settling = False
        self._match.value = judged.finds_clusters(self.result, self.truth)
        self._check()

    def _on_source(self, _: Any = None) -> None:
        if self._settling:
            return
        self._task.reset_choices()
        likely = judged.likely_task(self.result, self.source)
        if likely in self._task.choices:
            self._task.value = likely
        self._check()

    def _on_model(self, _: Any = None) -> None:
        if not self._settling:
            self._intensities.value = judged.normalised_by(judged.card_of(self.model))
            self._check()

    # ---------------------------------------------------------------- what stands against it

    def _check(self, _: Any = None) -> None:
        if self._settling:
            return
        results, truth, source = self.results, self.truth, self.source
        labels = bool(results) and not isinstance(results[0], Image)
        anything = bool(judged.candidates(self._viewer))
        self._empty.visible = not anything
        for part in (self.boxes, self._choices, self._fold):
            part.visible = anything
        self._intensities.visible, self._match.visible = not labels, labels
        found = {"results": "" if results or not anything else _NONE, "truth": "", "model": ""}
        if results:
            found["truth"] = judged.against_truth(results, truth, source)
            found["model"] = judged.against_model(self.model, source, self.task) if self._task.value else ""
        if not any(found.values()) and results and not labels:
            found["truth"] = self._missing([layer for layer in (*results, truth, source) if layer is not None])
        for name, label in self._problems.items():
            say(label, found[name])
        say(self._beside, "" if self.model is None else f"Beside it: the classical methods of {self.model.stem}.")
        self._start.enabled = bool(results) and not any(found.values()) and not self._applying.busy and not self._looking.busy

    def _missing(self, layers: list[Image]) -> str:
        """Return what is known of missing values; where nothing is, ask for it."""
        key = tuple((id(layer.data), layer.name) for layer in layers)
        if self._seen[0] == key:
            return self._seen[1]
        self._looking.ask(lambda: (key, judged.missing(layers)))
        return ""

    def _on_looked(self, answer: tuple[Any, str]) -> None:
        self._seen = answer
        self._check()

    # ---------------------------------------------------------------- work

    def start(self) -> None:
        """Judge the results."""
        if not self._start.enabled:
            return
        results, truth = self.results, self.truth
        spectra = judged.spectra_under(results[0], self.source)
        handed = {layer.name: judged.handed(layer, spectra) for layer in results}
        known, noisy = judged.handed(truth, spectra), None if self.source is None else judged.handed(self.source, None)
        labels = not isinstance(results[0], Image)
        options: dict[str, Any] = {
            "model": self.model, "normalise": None if labels else self._intensities.value or None,
            "match": labels and bool(self._match.value),
        }  # fmt: skip
        noisy = None if labels and self.model is None else noisy
        layers, kind = {layer.name: layer for layer in results}, self.task
        self._applying.run(
            lambda: prepare_evaluation(handed, known, kind, source=noisy, **options), lambda folder: self._show(folder, layers), self.native
        )

    def cancel(self) -> None:
        """Stop; what was found before stays."""
        self._applying.stop()

    def _show(self, folder: Path, layers: dict[str, Layer]) -> str:
        judgement = Judgement.load(folder / "judgement")
        shutil.rmtree(folder, ignore_errors=True)
        self.view.show_judgement(judgement, layers)
        return "done"

    def _on_end(self, how: str) -> None:
        if how == "done":
            say(self._applying.problem, "")
        self._check()
