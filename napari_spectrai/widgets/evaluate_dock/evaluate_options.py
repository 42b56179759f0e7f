"""Settings of an evaluation: truth, source, task, scaling of intensities, and the model whose classical methods are also scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, Container, FileEdit, PushButton
from napari.layers import Image, Labels, Layer
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.runs.options import EvaluateOptions
from napari_spectrai.widgets.dock import message, rows, say, text
from napari_spectrai.widgets.evaluate_dock import evaluate_defaults
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.layer_choice import LayerChoice
from napari_spectrai.widgets.layers import spectral_layers

_INTENSITIES = {
    "as they are": "", "divided by the maximum": "maximum", "divided by the mean": "area", "divided by the length": "vector",
    "0 to 1": "minmax", "SNV": "snv", "robust SNV": "rnv",
}  # fmt: skip


class EvaluationForm(Container[Any]):
    """Fields that follow the results: new results reset them, and choices made by a person stay while the results stay.

    Signals
    -------
    updated : a choice was made
    """

    updated = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._results: list[Layer] = []
        self._metadata: list[dict[str, Any]] = []
        self._recorded_model: Path | None = None
        self._settling, self._is_new = False, True
        self._build()
        super().__init__(
            widgets=[self._rows, self.problem, self.align_button, self.pixels_button, self.also_scored, self.fold],
            labels=False,
            name="choices",
        )
        self.margins = (0, 0, 0, 0)
        self._truth.changed.connect(self._on_truth)
        self._source.changed.connect(self._on_source)
        self._model.changed.connect(self._on_model)
        for field in (self.task_choice, self.intensities, self.match, self.class_mean):
            field.changed.connect(self._emit)

    def _build(self) -> None:
        self._truth = LayerChoice(
            self._viewer, lambda: evaluate_defaults.truths(self._viewer, self._results), label="Truth", name="truth_choice",
            tooltip="the layer to compare with: a cube, or for classes a Labels layer (pixels labelled 0 are ignored)",
        )  # fmt: skip
        self._source = LayerChoice(
            self._viewer, self._sources, label="Source", name="source_choice",
            tooltip="the layer that the results were made from; it is also evaluated, as the row 'raw'",
        )  # fmt: skip
        self.task_choice = ComboBox(choices=lambda _: self._tasks(), label="Task", name="task_choice", tooltip="which metrics are reported")
        self.intensities = ComboBox(
            choices=list(_INTENSITIES.items()), value="", label="Intensities", name="intensities",
            tooltip="compare intensities as they are, or scale the spectra to compare shapes only: spectra of the truth "
            "by their own factors, those of results by the factors of their source; "
            "the default follows the normalisation of the model",
        )  # fmt: skip
        self.match = CheckBox(
            value=False, text="Match clusters to classes", name="match",
            tooltip="the result holds cluster numbers: assign to each cluster the class of most of its labelled pixels",
        )  # fmt: skip
        self.class_mean = ComboBox(
            choices=[("classes of the truth", "truth"), ("classes of truth or result", "union")], value="truth", label="Average over",
            name="class_mean",
            tooltip="classes that F1, IoU and Dice are averaged over; if the result's are included, a class missing from the truth "
            "counts as 0, as in scikit-learn",
        )  # fmt: skip
        self._model = FileEdit(
            mode=FileDialogMode.EXISTING_FILE, filter="*.safetensors", label="Model", name="model_choice", nullable=True,
            tooltip="a model file: the classical methods saved in it are also applied to the source and scored, "
            "and spectra that it was trained on are counted",
        )  # fmt: skip
        self.problem, self._model_problem, self.also_scored = message(), message(), text("also_scored")
        self.align_button = PushButton(
            text="Align by position", name="align", visible=False,
            tooltip="make new layers of the pixels that results and truth share, and choose those; the originals stay unchanged",
        )  # fmt: skip
        self.pixels_button = PushButton(
            text="Pair pixel by pixel",
            name="pixels",
            visible=False,
            tooltip="results and truth show the same pixels; ignore their positions",
        )
        self.pixels_button.changed.connect(self._agree)
        self._agreed: tuple[Layer | None, ...] = ()
        self._rows = rows(self._truth, self._source, self.task_choice, self.intensities, self.match, self.class_mean)
        self.fold = FoldBox("Classical methods of a model", [rows(self._model), self._model_problem])

    def _sources(self) -> list[Image]:
        return [layer for layer in spectral_layers(self._viewer) if layer is not self.truth and layer not in self._results]

    @property
    def is_classes(self) -> bool:
        """Whether classes are evaluated."""
        first = self._results[0] if self._results else self._viewer.layers.selection.active
        return isinstance(first, Labels)

    def _tasks(self) -> list[tuple[str, str]]:
        return [(tasks[kind].title, kind) for kind in tasks if tasks[kind].classifies == self.is_classes]

    @property
    def truth(self) -> Layer | None:
        """The layer with the truth."""
        chosen: Layer | None = self._truth.value
        return chosen

    @truth.setter
    def truth(self, layer: Layer) -> None:
        self._truth.value = layer

    @property
    def source(self) -> Image | None:
        """The layer that the results were made from."""
        chosen: Image | None = self._source.value
        return chosen

    @source.setter
    def source(self, layer: Image | None) -> None:
        self._source.value = layer

    @property
    def model(self) -> Path | None:
        """The model whose classical methods are also evaluated."""
        path: Any = self._model.value
        return None if path is None or path == Path() else Path(str(path))

    @model.setter
    def model(self, path: str | Path | None) -> None:
        self._model.value = None if path is None else Path(path)

    @property
    def task(self) -> str:
        """The task that the results are evaluated as."""
        return str(self.task_choice.value or "")

    @task.setter
    def task(self, kind: str) -> None:
        self.task_choice.value = kind

    # ---------------------------------------------------------------- dependencies between fields

    def follow(self, results: Sequence[Layer]) -> None:
        """Choose defaults for these results if they have changed; otherwise keep the choices, whatever layers are added or removed."""
        metadata = [dict(evaluate_defaults.prediction_metadata(layer)) for layer in results]
        others = self._is_new or list(results) != self._results or metadata != self._metadata
        self._is_new = False
        self._results, self._metadata = list(results), metadata
        self._settling = True
        self._truth.reset_choices()
        self._source.reset_choices()
        if others:
            kept = self.truth
            if kept is None or not results or evaluate_defaults.spatial(kept) != evaluate_defaults.spatial(results[0]):
                self._truth.choose(evaluate_defaults.likely_truth(self._viewer, results) or kept)
            self._choose_source()
        self.task_choice.reset_choices()
        if others:
            self._choose_settings()
        self._settling = False
        self._emit()

    def _choose_source(self) -> None:
        self._source.reset_choices()
        result = next(iter(self._results), None)
        likely = evaluate_defaults.likely_source(self._viewer, result, self.truth)
        if likely is not None and likely in self._source.choices:
            self._source.choose(likely)

    def _choose_settings(self) -> None:
        first = next(iter(self._results), None)
        path = evaluate_defaults.model_of(first)
        if self.model in (None, self._recorded_model):  # a model chosen by a person stays
            self.model = self._recorded_model = path
        self._choose_task()
        self.intensities.value = evaluate_defaults.normalised_by(evaluate_defaults.card_of(self.model))
        self.match.value = evaluate_defaults.finds_clusters(first, self.truth)

    def _choose_task(self) -> None:
        first = next(iter(self._results), self._viewer.layers.selection.active)
        kind = evaluate_defaults.likely_task(first, self.source)
        if kind in self.task_choice.choices:
            self.task_choice.value = kind

    def _on_truth(self, _: Any = None) -> None:
        if not self._settling:
            self._settling = True
            self._choose_source()
            self.match.value = evaluate_defaults.finds_clusters(next(iter(self._results), None), self.truth)
            self._settling = False
            self._emit()

    def _on_source(self, _: Any = None) -> None:
        if not self._settling:
            self._choose_task()
            self._emit()

    def _on_model(self, _: Any = None) -> None:
        if not self._settling:
            self.intensities.value = evaluate_defaults.normalised_by(evaluate_defaults.card_of(self.model))
            self._emit()

    def _emit(self, _: Any = None) -> None:
        if not self._settling:
            self.updated.emit()

    # ---------------------------------------------------------------- checks

    def against(self) -> str:
        """Show each problem next to its field, and return all of them."""
        bare = evaluate_defaults.unplaced(self._results, self.truth)
        agreed = bare and self._agreed == (*self._results, self.truth)
        self.pixels_button.visible = bare and not agreed
        words = [evaluate_defaults.against_truth(self._results, self.truth, self.source, placed=not agreed) if self._results else ""]
        words.append(evaluate_defaults.against_model(self.model, self.source, self.task) if self._results and self.task else "")
        gone = self._truth.gone
        say(self.problem, f"{gone!r} was removed. {words[0]}" if gone and words[0] and self.truth is None else words[0])
        self.align_button.visible = evaluate_defaults.alignable(self._results, self.truth)
        say(self._model_problem, words[1])
        if words[1] and not self.fold.content.visible:
            self.fold.toggle()
        card = None if words[1] else evaluate_defaults.card_of(self.model)
        compared = f"Also evaluated: the classical methods of the model {'' if card is None else card.name!r}."
        say(self.also_scored, "" if card is None else f"{compared} Spectra that it was trained on are recognised and counted.")
        self.intensities.visible = not self.is_classes
        self.match.visible = self.class_mean.visible = self.is_classes
        return "".join(words)

    def _agree(self, _: Any = None) -> None:
        self._agreed = (*self._results, self.truth)
        self._emit()

    def chosen(self) -> EvaluateOptions:
        """Return the scoring options."""
        return EvaluateOptions(
            normalise=None if self.is_classes else self.intensities.value or None,
            match=self.is_classes and bool(self.match.value), class_mean=self.class_mean.value if self.is_classes else "truth",
        )  # fmt: skip
