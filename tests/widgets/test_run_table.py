"""The list of runs: a sweep is one row, which lists its runs on a double click."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_spectrai.runs.history import RunSummary, gathered
from napari_spectrai.widgets.train_dock import run_list
from napari_spectrai.widgets.train_dock.progress_view import TrainingView
from napari_spectrai.widgets.train_dock.run_table import RunTable


def test_a_sweep_is_one_row_that_opens_and_its_runs_can_be_compared(qtbot, monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_SPECTRAI_RUNS", str(tmp_path))
    run = RunSummary(tmp_path / "alone", "alone", "Denoising", "UNet", "now", "finished", "mse", "test", 0.5)
    swept = [replace(run, path=tmp_path / "sweep" / str(n), name=f"width={n}", score=float(n)) for n in (3, 1, 2)]
    swept[2] = replace(swept[2], state="stopped")
    table = RunTable(lambda number: "red")
    qtbot.addWidget(table.native)
    table.native.show()
    table.fill(gathered([swept[0], run, *swept[1:]]), None)
    assert table.text() == [["▸ sweep", "1.00", "2 of 3"], ["alone · UNet", "0.500", "finished"]]
    grid = table.native.findChild(type(table._table))
    where = grid.visualItemRect(grid.item(0, 0)).center()
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert (table.chosen.path, len(table.chosen.members)) == (tmp_path / "sweep", 3)
    qtbot.mouseDClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert [row[0].strip() for row in table.text()] == ["▾ sweep", "width=3 · UNet", "width=1 · UNet", "width=2 · UNet", "alone · UNet"]
    table.tick(tmp_path / "sweep" / "1")
    qtbot.mouseDClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert len(table.text()) == 2
    assert table.ticked == [tmp_path / "sweep" / "1"]
    table.fill(table.known, Path(tmp_path / "sweep" / "2"))
    assert table.chosen.name == "width=2"


def test_a_run_that_another_process_ends_is_not_listed_as_running_for_long(qtbot, monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_SPECTRAI_RUNS", str(tmp_path))
    monkeypatch.setattr(run_list, "_AGAIN", 20)
    rows = [RunSummary(tmp_path / name, name, "Denoising", "UNet", "now", "running") for name in ("first", "second")]
    monkeypatch.setattr(run_list, "summaries", lambda: list(rows))
    view = TrainingView(ViewerModel())
    runs = run_list.RunList(ViewerModel(), view)
    qtbot.addWidget(view.native)
    qtbot.addWidget(runs.shown.native)
    runs.chosen_changed.connect(lambda: runs.update(active=False))
    runs.refresh()
    qtbot.waitUntil(lambda: runs.resume.text == "Follow")
    runs.choose(rows[1].path)
    rows[1] = replace(rows[1], state="stopped")
    qtbot.waitUntil(lambda: runs.resume.text == "Resume")
    assert [row[-1] for row in runs.table.text()] == ["running", "stopped"]
