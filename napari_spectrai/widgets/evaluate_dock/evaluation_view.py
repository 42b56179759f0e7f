"""View of an evaluation: its table, confusion matrix, maps and example spectra, and the buttons that save it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, Label, PushButton, show_file_dialog
from napari.layers import Image, Labels, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices

from napari_spectrai.experiment.metrics import METRICS, by_class
from napari_spectrai.reports.evaluation_report import best_words, place_words, write_page
from napari_spectrai.reports.svg import rounded
from napari_spectrai.reports.tables import BOLD
from napari_spectrai.runs.evaluation import Evaluation, Spot
from napari_spectrai.units import axis_title
from napari_spectrai.widgets.dock import line, message, rows, say, text
from napari_spectrai.widgets.evaluate_dock.confusion_grid import ConfusionGrid
from napari_spectrai.widgets.evaluate_dock.evaluation_maps import Places
from napari_spectrai.widgets.evaluate_dock.score_table import Column, Line, ScoreTable
from napari_spectrai.widgets.layers import spectral_position
from napari_spectrai.widgets.plot import SOURCE, TRUTH, Plot

_WORDS = {"result": "a result", "classical": "a classical method of the model, applied to the source", "raw": "the source, unprocessed"}
_PER_CLASS = (
    Column("Prec.", "precision: of the pixels predicted as this class, the fraction that is this class", larger_is_better=None),
    Column("Recall", "of the pixels of this class, the fraction predicted as it", larger_is_better=None),
    Column("F1", "harmonic mean of precision and recall", larger_is_better=None),
    Column("IoU", "intersection over union", larger_is_better=None),
    Column("Pixels", "number of pixels of this class in the truth", whole=True),
)
INTERVALS = f"Below a score: its 90 % interval. {BOLD}."
_GONE = "the evaluated layer no longer exists"
_OTHER = "the data of the evaluated layer have changed; press Evaluate again"


class EvaluationView(Container[Any]):
    """Shows one evaluation at a time."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer, self._places = viewer, Places(viewer)
        self.evaluation: Evaluation | None = None
        self._layers: Mapping[str, Layer] = {}
        self._build()
        super().__init__(widgets=self._sections, labels=False, name="evaluation")
        self.margins = (0, 0, 0, 0)
        self.visible = False
        viewer.events.theme.connect(self.recolour)
        self.which.changed.connect(self._on_which)
        self.scores.chosen.connect(self._on_row)
        self.grid.chosen.connect(self.show_cell)
        for what, button in self.maps.items():
            button.changed.connect(lambda _=None, what=what: self.show_map(what))
        for which, button in self.spots.items():
            button.changed.connect(lambda _=None, which=which: self.show_spot(which))
        self.csv.changed.connect(lambda: self._ask("Scores", "Tables (*.csv)", self.save_csv))
        self.report.changed.connect(lambda: self._ask("Report", "Pages (*.html)", self._save_and_open))

    def _build(self) -> None:
        self.verdict, self.about, self.place = text("verdict"), text("about"), text("place")
        self.sure = text("sure")
        self.verdict.native.setStyleSheet("font-weight: bold;")
        self.scores = ScoreTable("scores", "scores against the truth; click a column header to sort, Ctrl+C copies the table")
        self.which = ComboBox(choices=self._results, name="which", label="Result", tooltip="the result shown below")
        self._which = rows(self.which)
        self.grid = ConfusionGrid()
        self.classes = ScoreTable("classes", "scores of each class; click a column header to sort, Ctrl+C copies the table")
        self.maps = {
            "error": PushButton(
                text="Error map", name="error_map", tooltip="show the root mean squared error over the bands of each pixel as a layer"
            ),
            "angle": PushButton(
                text="Angle map", name="angle_map", tooltip="show the angle between the spectra of result and truth, in degrees, as a layer"
            ),
        }
        self.spots = {
            which: PushButton(text=which.capitalize(), name=which, tooltip=f"draw the {which} spectrum, and move to its pixel")
            for which in ("best", "median", "worst")
        }
        self._maps, self._spots = line(*self.maps.values()), line(Label(value="Spectra"), *self.spots.values())
        self.plot = Plot(self._viewer, x="Band number", y="Intensity", height=210, name="evaluated")
        self.csv = PushButton(text="CSV…", name="csv", tooltip="save the tables for a spreadsheet")
        self.report = PushButton(text="Report…", name="report", tooltip="save the evaluation as one HTML page, and open it in the browser")
        self.saved, self.problem = text("saved"), message()
        self._sections = [
            self.verdict, self.scores, self.sure, self.about, self._which, self._maps, self._spots, self.grid, self.place, self.plot,
            self.classes, line(self.csv, self.report), self.saved, self.problem,
        ]  # fmt: skip

    # ---------------------------------------------------------------- display

    def _results(self, _: Any = None) -> list[str]:
        return [] if self.evaluation is None else self.evaluation.results

    def show_evaluation(self, evaluation: Evaluation, layers: Mapping[str, Layer]) -> None:
        """Show another evaluation, of these layers."""
        self.evaluation, self._layers = evaluation, dict(layers)
        self.visible = True
        self.verdict.value = best_words(evaluation)
        self._draw_scores(evaluation)
        self.about.value = "\n".join([evaluation.about, *evaluation.notes])
        self.which.reset_choices()
        self._which.visible = len(evaluation.results) > 1
        self.saved.value = ""
        say(self.problem, "")
        self.plot.clear_curves()
        self._on_which()

    def _draw_scores(self, evaluation: Evaluation) -> None:
        names = [name for name in evaluation.columns if name != "dice"]  # of one class per pixel, the same as F1
        unit = evaluation.unit or "bands"
        titles = {name: f"{METRICS[name].title} ({unit})" if name.startswith("peak") else METRICS[name].title for name in names}
        columns = [Column(titles[name], METRICS[name].words, METRICS[name].larger_is_better) for name in names]
        lines = [
            Line(
                row,
                [scores.get(name, math.nan) for name in names],
                dimmed=evaluation.roles[row] != "result",
                words=_WORDS[evaluation.roles[row]],
                intervals={
                    names.index(name): ends for name, ends in evaluation.intervals.get(row, {}).items() if name in names and len(ends) == 2
                },
            )
            for row, scores in evaluation.rows.items()
        ]
        self.scores.show_rows(columns, lines)
        say(self.sure, INTERVALS if any(one.intervals for one in lines) else "")

    def recolour(self, _: Any = None) -> None:
        """Follow the theme."""
        self.scores.redraw()
        self.classes.redraw()

    @property
    def _shown(self) -> str:
        return str(self.which.value or (self._results() or [""])[0])

    def _on_row(self, name: str) -> None:
        if name in self._results() and name != self._shown:
            self.which.value = name

    def _on_which(self, _: Any = None) -> None:
        """Show the confusion matrix, or the buttons, of the chosen result."""
        evaluation = self.evaluation
        if evaluation is None or self._shown not in evaluation.results:
            return
        has_classes = bool(evaluation.classes)
        shown = ((self.grid, has_classes), (self.classes, has_classes), (self._maps, not has_classes), (self._spots, not has_classes))
        for part, seen in (*shown, (self.plot, not has_classes)):
            part.visible = seen
        say(self.place, "")
        if has_classes:
            self._draw_classes(evaluation, evaluation.confusions[self._shown])
            return
        flat = len(evaluation.shape) == 1
        for what, button in self.maps.items():
            button.text = f"{what.capitalize()} {'of each spectrum' if flat else 'map'}"
        if not self.plot.names():
            self._draw_spot(evaluation.spots_of(self._shown)["median"])

    def _draw_classes(self, evaluation: Evaluation, matrix: list[list[int]]) -> None:
        self.grid.show_matrix(matrix, evaluation.classes)
        single = by_class(matrix)
        values = [[single[name][number] for name in ("precision", "recall", "f1", "iou", "support")] for number in range(len(matrix))]
        self.classes.show_rows(_PER_CLASS, [Line(name, row) for name, row in zip(evaluation.classes, values, strict=True)])

    # ---------------------------------------------------------------- location in the viewer

    def _base(self) -> Layer | None:
        layer = self._layers.get(self._shown)
        if layer is None or layer not in self._viewer.layers:
            say(self.place, f"{self._shown}: {_GONE}")
            return None
        if not self._is_of(layer):
            say(self.place, f"{self._shown}: {_OTHER}")
            return None
        return layer

    def _is_of(self, layer: Layer) -> bool:
        """Whether a layer still has the pixels that were evaluated."""
        shape, lengths = [] if self.evaluation is None else list(self.evaluation.shape), list(layer.data.shape)
        if isinstance(layer, Image):
            del lengths[spectral_position(layer)]
        return lengths == shape or (isinstance(layer, Labels) and len(shape) == 1 and shape[0] in lengths)

    def show_map(self, what: str) -> None:
        """Show the ``"error"`` or ``"angle"`` map over the result; for a set of spectra, a curve."""
        evaluation = self.evaluation
        if evaluation is None or evaluation.classes:
            return
        drawn = evaluation.maps[self._shown][what]
        words = "°" if what == "angle" else "RMSE"
        if len(evaluation.shape) == 1:
            values = np.asarray(drawn.data[:, 0])
            self.plot.clear_curves()
            self.plot.titles(x="Spectrum", y="Angle (°)" if what == "angle" else "Error (RMSE)")
            self.plot.curve(what, np.arange(len(values)), values, self.plot.accent, legend=False)
            known = int(np.isfinite(values).sum())
            say(
                self.place,
                f"{what} of {known:,} of {len(values):,} spectra" + ("" if known == len(values) else "; the others are all zero"),
            )
            return
        base = self._base()
        if base is not None:
            layer = self._places.show_map(what, drawn, base, unit="°" if what == "angle" else "intensity", words=words)
            say(self.place, f"layer {layer.name!r}")

    def show_spot(self, which: str) -> None:
        """Draw the ``"best"``, ``"median"`` or ``"worst"`` spectrum of the result, and move to its pixel."""
        evaluation = self.evaluation
        if evaluation is None or evaluation.classes:
            return
        spots = evaluation.spots_of(self._shown)
        self._draw_spot(spots[which])
        base = self._base()
        if base is not None:
            self._places.show_points({name: spot.pixel for name, spot in spots.items()}, base, which)

    def _draw_spot(self, spot: Spot) -> None:
        evaluation = self.evaluation
        assert evaluation is not None  # noqa: S101
        axis = evaluation.axis
        assert axis is not None  # noqa: S101
        self.plot.clear_curves()
        scaled = "" if evaluation.intensities == "as they are" else " (scaled)"
        self.plot.titles(x=axis_title(axis, getattr(self._layers.get(self._shown), "metadata", {})), y=f"Intensity{scaled}")
        if spot.source:
            self.plot.curve("source", axis.values, spot.source, SOURCE, width=0.9)
        self.plot.curve("truth", axis.values, spot.truth, TRUTH, width=1.4)
        self.plot.curve("result", axis.values, spot.result, self.plot.accent, width=1.6)
        say(self.place, f"{spot.which}: {place_words(spot)}, error (RMSE) {rounded(spot.error)}")

    def show_cell(self, truth: str, predicted: str) -> None:
        """Show the pixels of one class that were predicted as another, and move there."""
        evaluation, base = self.evaluation, self._base()
        if evaluation is None or base is None or not isinstance(base, Labels):
            return
        pixels = evaluation.pixels(truth, predicted, self._shown)
        say(self.place, "")
        others = [layer for layer in self._viewer.layers if isinstance(layer, Labels) and "spectrai_evaluation" not in layer.metadata]
        self._places.show_pixels(pixels, f"truth {truth}, predicted {predicted}", base, others)

    # ---------------------------------------------------------------- saving

    def save_csv(self, path: str | Path) -> Path:
        """Save the tables as CSV."""
        return self._save(lambda evaluation, there: evaluation.to_csv(there), path, ".csv")

    def save_report(self, path: str | Path) -> Path:
        """Save the complete evaluation as one HTML page."""
        return self._save(write_page, path, ".html")

    def _save(self, write: Callable[[Evaluation, Path], Path], path: str | Path, suffix: str) -> Path:
        if self.evaluation is None:
            raise RuntimeError("there is nothing to save yet; press Evaluate first")
        path = Path(path)
        path = path if path.suffix else path.with_suffix(suffix)
        if path.suffix.lower() not in (suffix, suffix[:-1]):
            what = "tables are saved as" if suffix == ".csv" else "the report is"
            raise ValueError(f"{path.name}: {what} a {suffix} file; name it {path.stem}{suffix}")
        done = write(self.evaluation, path)
        self.saved.value = f"saved: {done}"
        return done

    def _save_and_open(self, path: str | Path) -> None:
        done = self.save_report(path)
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(done))):
            self.saved.value = f"saved: {done}; open it in a browser"

    def _ask(self, caption: str, suffixes: str, save: Callable[[str], Any]) -> None:
        path = show_file_dialog(FileDialogMode.OPTIONAL_FILE, caption=caption, filter=suffixes, parent=self.native)
        if path:
            try:
                save(str(path))
                say(self.problem, "")
            except (ValueError, OSError) as error:
                say(self.problem, str(error))
