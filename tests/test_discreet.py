"""What is passed on names no machine and no folder, and no cell of a table is a formula."""

from __future__ import annotations

import csv
import os
import platform

import numpy as np
import pytest

from napari_spectrai import Experiment, write
from napari_spectrai.cells import safe_cell, safe_row
from napari_spectrai.experiment.metrics import titled
from napari_spectrai.io.labels import write_table
from napari_spectrai.labels import Class, Labels
from napari_spectrai.learn.evaluation.evaluate import judge
from napari_spectrai.reports.discreet import discreet, without_folders
from napari_spectrai.reports.evaluation_report import write_page
from napari_spectrai.reports.run_report import write_report
from napari_spectrai.reports.svg import Curve, plot
from napari_spectrai.runs import Failed, RunFolder
from napari_spectrai.runs.score_table import Scores


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '=HYPERLINK("x")', "-", "+x"]
)
def test_text_that_begins_like_a_formula_is_made_safe(text):
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["-1.5", "+3", "-1e-9", "-inf", "nan", "", "a=b", "µm", "1=2", "a-b", -1.5, 3, None, float("nan"), np.float32(2)]
)
def test_numbers_and_other_text_stay_as_they_are(value):
    assert safe_row([value])[0] is value or safe_cell(value) == value


def test_tables_hold_no_formula(tmp_path):
    classes = [Class(1, "=cmd()"), Class(2, "-x")]
    write_table(Labels(np.array([[1, 2]]), {1: "=cmd()", 2: "-x"}), np.full((1, 2, 2), 0.5), classes, tmp_path / "a.csv")
    rows = {"=1": {"mse": -0.5}, os.fsdecode(b"f\xff"): {"mse": 1.0}, "@x": {"mse": 2.0}}
    Scores("denoising", rows, notes=["+note"]).to_csv(tmp_path / "b.csv")
    for path in tmp_path.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        for cell in cells:
            assert cell[:1] not in ("=", "@", "+", "\t")
            assert not cell.startswith("-") or float(cell)


@pytest.mark.parametrize(("text", "shown"), [
    ("/home/ann/data/map.wdf cannot be read", "map.wdf cannot be read"), ('File "/usr/lib/python3/x.py", line 3', 'File "x.py", line 3'),
    (r"C:\Users\ann\map.wdf is", "map.wdf is"), ("shift in 1/cm, and/or a/b", "shift in 1/cm, and/or a/b"),
    ("see https://example.org/a/b", "see https://example.org/a/b"), ("in /home/ann/run-1; resume", "in run-1; resume"),
    ("~/data/x.npy", "x.npy"),
    ("on the host", "on the host"),
])  # fmt: skip
def test_paths_are_cut_to_names(text, shown):
    assert discreet(text) == shown


def test_a_machine_is_not_named(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "lab-7.example.org")
    assert discreet("process 3 on lab-7.example.org") == "process 3 on this machine"
    assert without_folders({"input": ["/home/ann/my data/a b.npy", 3], "x": None}) == {"input": ["a b.npy", 3], "x": None}


def test_a_report_names_no_folder_and_no_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "lab-seven")
    secret = tmp_path / "secret folder"
    secret.mkdir()
    experiment = Experiment().override(f"data.input=['{secret}/a.npy']", f"data.truth=['{secret}/b.npy']")
    folder = RunFolder.create(experiment, secret / "run")
    folder.claim()
    folder.append(Failed(f"{tmp_path}/secret/a.npy is damaged", f'Traceback\n  File "{tmp_path}/x/fit.py", line 3\nlab-seven'))
    folder.environment.write_text(folder.environment.read_text().replace("{", '{"host": "lab-seven", ', 1))
    page = write_report(folder).read_text()
    folder.release()
    for word in (str(tmp_path), "secret", "lab-seven", "/home/"):
        assert word not in page
    assert "a.npy" in page


def test_an_evaluation_names_no_folder(tmp_path, pairs):
    noisy, clean = pairs
    judged = judge({str(tmp_path / "a.npy"): noisy}, clean, "denoising")
    assert str(tmp_path) not in write_page(judged, tmp_path / "x.html").read_text()


def test_peaks_are_in_the_unit_of_the_axis(pairs, tmp_path):
    noisy, clean = pairs
    judged = judge({"a": noisy}, clean, "denoising")
    for text in (str(judged), write_page(judged, tmp_path / "x.html").read_text()):
        for name in ("peak_position", "peak_width"):
            assert titled(name, axis="1/cm").endswith(" (1/cm)")
            assert titled(name, axis="1/cm") in text
    assert titled("none", axis="nm") == "none"
    assert titled("peak_position").endswith(" (bands)")


def test_a_long_title_of_an_ordinate_is_whole():
    title = "Root mean squared error of what the preparation gives, in normalised intensities"
    drawn = plot([Curve("a", [0, 1], [0.0001234, 0.00012341], "accent")], x="x", y=title)
    inside = drawn.split("rotate(-90")
    assert "…" not in drawn
    assert " ".join(part.split(">", 1)[1].split("<", 1)[0] for part in inside[1:]) == title


def test_a_name_of_any_length_makes_a_run_folder(runs_folder):
    for name in ("界" * 100, "é" * 200, "a" * 200, "…" * 200, "=cmd()", "../../x"):
        folder = RunFolder.create(Experiment().override(f"name={name!r}"))
        assert folder.path.parent == runs_folder
        folder.claim()
        folder.append(Failed("x"))
        folder.release()
        assert folder.experiment().name == name


def test_names_of_files_that_are_no_text_go_through_documents(tmp_path, pairs):
    path = tmp_path / os.fsdecode(b"map\xff.npy")
    write(pairs[0], path)
    experiment = Experiment()
    experiment = experiment.model_copy(update={"data": experiment.data.model_copy(update={"input": [path]})})
    folder = RunFolder.create(experiment, tmp_path / os.fsdecode(b"run\xfe"))
    assert folder.experiment().data.input == [path]
    folder.append(Failed(f"{path} is damaged"))
    assert folder.last_event() == Failed(f"{path} is damaged")
    write_report(folder)
