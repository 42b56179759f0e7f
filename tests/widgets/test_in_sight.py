"""Nothing lies out of sight without a way to see it: columns of tables, points of plots."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_spectrai.runs import Compared, Finished
from napari_spectrai.widgets.evaluate_dock.confusion_grid import ConfusionGrid
from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.row_table import RowTable
from napari_spectrai.widgets.train_dock.progress_view import TrainingView


@pytest.mark.parametrize("name", ["VCA 1", "PC 5 (not mapped)", "a component with a long name"])
def test_all_columns_of_a_table_are_in_sight_where_texts_can_take_several_lines(qtbot, name):
    table = RowTable()
    qtbot.addWidget(table.native)
    table.native.resize(350, 300)
    table.show()
    columns = {"component": name, "mean": 0.32441, "pca_share": 0.0081591, "pca_cumulative": 0.99441, "residual": 62.481}
    table.show_rows([columns] * 8)
    assert table.table.horizontalScrollBar().maximum() == 0
    assert table.table.verticalScrollBar().maximum() == 0
    for column in range(1, 5):
        assert table.table.columnWidth(column) >= table.table.sizeHintForColumn(column)
    assert table.table.item(0, 0).toolTip() == name
    assert table.table.item(0, 2).toolTip() == "0.0081591"


def test_long_texts_take_two_lines_at_most(qtbot):
    table = RowTable()
    qtbot.addWidget(table.native)
    table.native.resize(350, 300)
    table.show()
    names = {
        "file": "map 1.npz",
        "result": "map 1-" + "a-very-long-name-of-a-model-" * 5,
        "spectra": 400,
        "mean_intensity": 0.26,
        "share": 0.5,
    }
    table.show_rows([names] * 3)
    assert table.table.rowHeight(0) <= 3 * table.table.fontMetrics().lineSpacing()
    assert table.table.item(0, 1).toolTip() == names["result"]


@pytest.mark.parametrize("values", [[0.0, 0.0], [1e-3, -1e-4], [np.nan, np.nan], [np.nan, 2.0], [1e-3, 1e-1]])
@pytest.mark.parametrize("points", [True, False])
def test_points_are_seen_on_an_axis_of_decades_or_the_axis_is_linear(qtbot, recwarn, values, points):
    plot = Plot(ViewerModel(), x="Candidate", y="Error", logarithmic=True)
    qtbot.addWidget(plot.native)
    plot.show()
    plot.curve("score", [1, 2], values, "#ffffff", points=points)
    plot.canvas.grab()
    known = [value for value in values if np.isfinite(value)]
    seen = bool(known) and (min(known) > 0 if points else max(known) > 0)
    assert plot.canvas.getPlotItem().getAxis("left").logMode == (seen or not known)
    plot.remove_curve("score")
    assert plot.canvas.getPlotItem().getAxis("left").logMode
    assert not list(recwarn)


def test_intervals_of_candidates_are_bars_that_nothing_connects(qtbot):
    view = TrainingView(ViewerModel())
    qtbot.addWidget(view.native)
    known = {"raw": (2.0, [1.0, 3.0]), "svd": (1.0, []), "pca": (1.5, [1.2, 1.9])}
    view.show_events([Compared(name, name, scores={"mse": score}, interval=ends) for name, (score, ends) in known.items()])
    x, y = view.curves.data("90 % interval")
    np.testing.assert_array_equal(x, [1, 1, np.nan, 3, 3, np.nan])
    np.testing.assert_array_equal(y, [1, 3, np.nan, 1.2, 1.9, np.nan])
    view.ended(Finished("stopped", 3, 3, notes=["few"]))
    assert view.status.startswith("stopped after 3 candidates were compared")
    assert "epoch" not in view.status


def test_heads_of_confusion_matrices_end_with_dots_where_they_are_too_long(qtbot):
    grid = ConfusionGrid()
    qtbot.addWidget(grid.native)
    grid.native.resize(320, 300)
    grid.show()
    pictures = []
    for name in ("muscle tissue, striated", "muscle tissue, striated and smooth, with tendon"):
        grid.show_matrix([[1, 2], [3, 4]], ["fat", name])
        head = grid.view.horizontalHeader()
        pictures.append(head.grab().toImage())
        assert name in grid.view.model().headerData(1, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
    assert pictures[0] == pictures[1]  # both begin alike, and their ends are left out
