"""Folders of files in, tables of what came out: predictions and maps."""

from __future__ import annotations

import csv
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
import typer
from PIL import Image
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment, Labels, SpectralAxis, inspect, read, write
from napari_spectrai.cli import app
from napari_spectrai.cli.common import log_failures
from napari_spectrai.io import SeveralArraysError, SpectralWarning, UnreadableError
from napari_spectrai.io.folders import is_folder_of_files, spectral_files, stem
from napari_spectrai.io.labels import read_labels
from napari_spectrai.learn.evaluation.files import matched
from napari_spectrai.plan.truths import from_files
from napari_spectrai.runs import Failed, RunFolder
from napari_spectrai.runs.result_table import of_cube, of_labels, of_maps, read_rows, write_rows

AXIS = SpectralAxis(np.linspace(600, 1800, 20), "1/cm")


@pytest.fixture
def folder(tmp_path):
    """Two maps of 6 × 5 pixels in different formats, the second twice as bright, and a text that is none."""
    place = tmp_path / "maps"
    place.mkdir()
    data = np.random.default_rng(0).random((6, 5, 20), np.float32) + 1
    write(Cube(data, AXIS), place / "a.h5")
    write(Cube(2 * data, AXIS), place / "b.npz")
    (place / "notes.md").write_text("no spectra")
    return place


def _rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_spectral_files_of_a_folder(folder):
    assert [path.name for path in spectral_files(folder)] == ["a.h5", "b.npz"]
    assert [stem(path) for path in spectral_files(folder)] == ["a", "b"]
    assert is_folder_of_files(folder)
    write(Cube(np.zeros((2, 2, 20), np.float32), AXIS), folder / "c.zarr")
    assert not is_folder_of_files(folder / "c.zarr")


def test_predictions_of_a_folder_and_their_table(folder, tmp_path):
    command = ["predict", "savitzky_golay", str(folder), "-o", str(tmp_path / "out")]
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.output
    first, second = _rows(tmp_path / "out" / "results.csv")
    assert (first["file"], first["result"], first["spectra"]) == ("a.h5", "a.zarr", "30")
    assert float(first["mean intensity"]) == pytest.approx(float(read(tmp_path / "out" / "a.zarr").numpy().mean()), rel=1e-5)
    assert float(second["mean intensity"]) == pytest.approx(2 * float(first["mean intensity"]), rel=1e-4)
    assert CliRunner().invoke(app, command).exit_code != 0  # results exist
    assert CliRunner().invoke(app, [*command, "--overwrite"]).exit_code == 0


def test_shares_of_classes_of_each_file(folder, tmp_path):
    said = CliRunner().invoke(app, ["predict", "kmeans", str(folder), "-o", str(tmp_path / "out"), "--set", "count=2"])
    assert said.exit_code == 0, said.output
    row = _rows(tmp_path / "out" / "results.csv")[0]
    shares = {name: float(value) for name, value in row.items() if name.startswith("share ")}
    assert sum(shares.values()) == pytest.approx(1)
    labels = read_labels(tmp_path / "out" / "a.zarr")
    first = labels.classes()[0]
    assert shares[f"share {first.name}"] == pytest.approx((labels.data == first.value).mean(), abs=1e-5)
    assert 0.5 <= float(row["mean probability"]) <= 1


def test_a_file_that_fails_does_not_keep_the_others(folder, tmp_path):
    (folder / "broken.npy").write_bytes(b"nothing")
    said = CliRunner().invoke(app, ["predict", "savitzky_golay", str(folder), "-o", str(tmp_path / "out")])
    assert said.exit_code == 1
    rows = _rows(tmp_path / "out" / "results.csv")
    assert [row["result"] for row in rows] == ["a.zarr", "b.zarr", ""]
    assert rows[2]["remarks"].startswith("failed: ")


@pytest.mark.parametrize("option", [["--uncertainty"], ["--part", "1/2"], ["--partial", "x.zarr"]])
def test_options_of_single_files_are_refused(folder, tmp_path, option):
    said = CliRunner().invoke(app, ["predict", "savitzky_golay", str(folder), "-o", str(tmp_path / "out"), *option])
    assert said.exit_code == 2
    assert option[0] in said.output


def test_maps_of_a_folder_and_their_means(folder, tmp_path):
    said = CliRunner().invoke(app, ["map", "band", str(folder), "low=800", "high=1200", "how=mean", "-o", str(tmp_path / "out")])
    assert said.exit_code == 0, said.output
    first, second = _rows(tmp_path / "out" / "results.csv")
    (name,) = (column for column in first if column.startswith("mean "))
    inside = AXIS.window(800, 1200)
    assert float(first[name]) == pytest.approx(float(read(folder / "a.h5").numpy()[..., inside].mean()), rel=1e-5)
    assert float(second[name]) == pytest.approx(2 * float(first[name]), rel=1e-5)
    assert list((tmp_path / "out" / "a").glob("*.tif"))


def test_files_of_a_folder_are_read_as_the_options_say(tmp_path):
    place = tmp_path / "bare"
    place.mkdir()
    write(Cube(np.random.default_rng(0).random((6, 5, 20), np.float32) + 1), place / "a.h5")
    axis = ["--axis", "600:1800:1/cm"]
    said = CliRunner().invoke(app, ["predict", "savitzky_golay", str(place), "-o", str(tmp_path / "out"), *axis])
    assert said.exit_code == 0, said.output
    assert read(tmp_path / "out" / "a.zarr").axis == AXIS
    command = ["map", "band", str(place), "low=1600", "high=1800", "-o", str(tmp_path / "maps")]
    assert CliRunner().invoke(app, [*command, *axis]).exit_code == 0
    kept = (tmp_path / "maps" / "results.csv").read_text()
    used = CliRunner().invoke(app, [*command, *axis])
    assert used.exit_code == 2
    assert "--overwrite" in used.output
    assert (tmp_path / "maps" / "results.csv").read_text() == kept
    assert CliRunner().invoke(app, [*command, "--overwrite"]).exit_code == 1  # there are bands 0 to 19
    assert (tmp_path / "maps" / "results.csv").read_text() != kept


def test_files_of_one_name_do_not_overwrite_their_results(folder, tmp_path):
    write(read(folder / "a.h5"), folder / "a.npz")
    for command in (["predict", "savitzky_golay", str(folder)], ["map", "band", str(folder), "low=800", "high=1200"]):
        said = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "out")])
        assert said.exit_code != 0
        assert "two files would both be saved as a" in said.output.replace("\n", " ")
        assert not (tmp_path / "out").exists()


def test_an_empty_folder_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    for command in (["predict", "savitzky_golay"], ["map", "band"]):
        more = ["low=1", "high=2"] if command[0] == "map" else []
        said = CliRunner().invoke(app, [*command, str(tmp_path / "empty"), *more, "-o", str(tmp_path / "out")])
        assert said.exit_code != 0
        assert "no spectral file" in said.output.replace("\n", " ")


def test_rows_count_what_holds_no_data():
    data = np.ones((3, 4, 5), np.float32)
    data[0, 0] = np.nan
    assert of_cube(Cube(data)) == {"spectra": 12, "without data": 1, "mean intensity": 1.0}
    row = of_labels(Labels(np.array([[0, 1], [1, 2]]), {1: "fat", 2: "bone"}))
    assert (row["without class"], row["share fat"]) == (1, pytest.approx(2 / 3))
    assert of_maps({"area": np.array([[1.0, np.nan]])}) == {"spectra": 2, "without data": 1, "mean area": 1.0}


def test_names_of_files_are_no_formulas(tmp_path):
    write_rows([{"file": "=1+1.h5", "remarks": "=x"}], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "'=1+1.h5,'=x"


def test_results_may_have_the_name_of_a_model_behind_that_of_their_file():
    made = ["a-ridge", "a-ridge-probabilities", "a-b-ridge", "c", "c-ridge", "d-ridge", "d-unet", "elsewhere"]
    found = matched({name: Path(f"{name}.zarr") for name in made}, ["a", "a-b", "c", "d", "e"])
    assert {name: [path.stem for path in paths] for name, paths in found.items()} == {
        "a": ["a-ridge"], "a-b": ["a-b-ridge"], "c": ["c"], "d": ["d-ridge", "d-unet"], "e": [],
    }  # fmt: skip


def test_a_table_is_read_as_it_was_written(tmp_path):
    rows = [{"file": "a.npz", "MSE": 0.25, "remarks": ""}, {"file": "b.npz", "MSE": None, "remarks": "failed: no"}]
    read_back = read_rows(write_rows(rows, tmp_path / "t.csv"))
    assert read_back == [rows[0] | {"remarks": None}, rows[1]]


def test_results_of_a_folder_are_scored_against_truths_of_the_same_names(folder, tmp_path):
    truths, results = tmp_path / "truths", tmp_path / "results"
    for place in (truths, results):
        place.mkdir()
    for name, error in (("a", 0.5), ("b", 2.0)):
        cube = read(next(folder.glob(f"{name}.*")))
        write(cube, truths / f"{name}.zarr")
        write(Cube(cube.numpy() + np.float32(error), AXIS), results / f"{name}.npz")
    write(read(truths / "a.zarr"), truths / "c.zarr")  # has no result
    write(read(truths / "a.zarr"), results / "alone.zarr")  # has no truth
    said = CliRunner().invoke(app, ["evaluate", str(results), str(truths), "--source", str(folder)])
    assert said.exit_code == 1, said.output  # c
    assert "2 of 3 files" in said.output, said.output
    rows = _rows(results / "scores.csv")
    assert [row["file"] for row in rows] == ["a.zarr", "b.zarr", "c.zarr"]
    assert [float(row["MSE"]) for row in rows[:2]] == pytest.approx([0.25, 4])
    assert [float(row["MSE, raw"]) for row in rows[:2]] == pytest.approx([0, 0])
    assert (rows[2]["MSE"], rows[2]["scored"]) == ("", "")
    assert "no result named c" in rows[2]["remarks"]
    assert "MSE: 2.125 (mean)" in said.output
    assert said.output.count("alone.zarr") == 1
    assert "not scored, since truths has no truth of their names: alone.zarr" in said.output
    again = ["evaluate", str(results), str(truths), "--csv", str(tmp_path / "all.csv")]
    assert CliRunner().invoke(app, [*again, "--html", str(tmp_path / "page.html")]).exit_code == 2
    assert CliRunner().invoke(app, ["evaluate", str(results), str(truths / "a.zarr")]).exit_code == 2
    same = CliRunner().invoke(app, ["evaluate", str(results), str(results / ".." / "results"), "--csv", str(tmp_path / "same.csv")])
    assert (same.exit_code, "give two folders" in same.output) == (1, True), same.output
    assert not (tmp_path / "same.csv").exists()


def test_who_follows_a_job_learns_that_a_file_is_missing(tmp_path):
    followed = RunFolder(tmp_path)
    with pytest.raises(typer.Exit) as ended, log_failures(followed):
        read(tmp_path / "gone.npz")
    assert ended.value.exit_code == 2
    event = followed.last_event()
    assert isinstance(event, Failed)
    assert "gone.npz" in event.message
    with pytest.raises(OSError, match="No space left"), log_failures(followed):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # of the log, which names no file
    assert "free some space" in followed.last_event().message


PLACES = (980, 1000, 410, 420, 1020)
PLANES = np.random.default_rng(0).integers(0, 60_000, (5, 4, 6)).astype("u2")
IN_ORDER = PLANES[np.argsort(PLACES)].transpose(1, 2, 0)


def band_images(folder, form):
    """Write an image of one band for each position, whose names are made of it, its number and its upper end."""
    folder.mkdir()
    for number, (place, plane) in enumerate(zip(PLACES, PLANES, strict=True)):
        path = folder / form.format(place, number, place + 10)
        tifffile.imwrite(path, plane) if path.suffix.lower() == ".tif" else Image.fromarray(plane).save(path)
    return folder


def test_images_of_one_band_each_are_a_cube_by_the_wavelengths_in_their_names(tmp_path):
    forms = {
        "img_{}nm.tif": (0, "nm"), "{} nm.png": (0, "nm"), "{1:02}_{0}NM_{1}ms.TIF": (0, "nm"), "leaf_{0}-{2}nm.tif": (5, "nm"),
        "a-{1}-{0}.5nm.tif": (0.5, "nm"), "0.65um_{}nm.tif": (0, "nm"), "Ex405nm_Em{}nm.tif": (0, "nm"), "map_{}cm-1.tif": (0, "1/cm"),
    }  # fmt: skip
    for number, (form, (more, unit)) in enumerate(forms.items()):
        folder = band_images(tmp_path / str(number), form)
        (folder / "notes.txt").write_text("no image")
        with pytest.warns(SpectralWarning, match="5 images are called .*410.*1020.* are taken for the positions"):
            cube = read(folder)
        np.testing.assert_array_equal(np.asarray(cube.data), IN_ORDER, form)
        assert (cube.axis.values.tolist(), cube.axis.unit) == ([place + more for place in sorted(PLACES)], unit), form
        assert (cube.name, is_folder_of_files(folder), spectral_files(tmp_path)[-1]) == (str(number), False, folder)


def test_images_whose_names_do_not_state_bands_are_asked_about(tmp_path):
    bare = band_images(tmp_path / "bare", "img_{}.tif")
    for folder in (bare, band_images(tmp_path / "steps", "z{}nm.tif")):
        with pytest.raises(UnreadableError, match="whose names do not say that 410 to 1020 are positions .* give axis="):
            read(folder)
        assert is_folder_of_files(folder)
        assert not is_folder_of_files(folder, axis="nm")
    for axis, values in (("nm", sorted(PLACES)), ("400:800:nm", [400, 500, 600, 700, 800])):
        cube = read(bare, axis=axis)
        np.testing.assert_array_equal(np.asarray(cube.data[1:3, ::2, 1]), IN_ORDER[1:3, ::2, 1])
        assert (cube.axis.values.tolist(), cube.axis.unit) == (values, "nm")
    counted = band_images(tmp_path / "counted", "band_{1:02}.png")
    (counted / "wavelengths.txt").write_text("nm\n410\n420\n430\n440\n455\n")
    with pytest.warns(SpectralWarning, match="positions of its 5 images, band_00.png to band_04.png, are taken from wavelengths.txt"):
        cube = read(counted)
    np.testing.assert_array_equal(np.asarray(cube.data), PLANES.transpose(1, 2, 0))
    assert (cube.axis.values.tolist(), cube.axis.unit, is_folder_of_files(counted)) == ([410, 420, 430, 440, 455], "nm", False)
    two = band_images(tmp_path / "two", "a_{}nm.tif")
    for path in list(two.iterdir()):
        tifffile.imwrite(two / path.name.replace("a_", "b_"), tifffile.imread(path) // 2)
    assert inspect(two) == {"a": (5, 4, 6), "b": (5, 4, 6)}
    with pytest.raises(SeveralArraysError, match="2 stacks of images"):
        read(two)
    with pytest.warns(SpectralWarning, match="taken for the positions"):
        np.testing.assert_array_equal(np.asarray(read(two, dataset="b").data), IN_ORDER // 2)
    tifffile.imwrite(bare / "img_1020.tif", PLANES[0, :3])
    with pytest.raises(UnreadableError, match=r"img_1020.tif holds 3 × 6 uint16 and img_410.tif 4 × 6"):
        read(bare, axis="nm")


def test_spectra_in_files_of_their_own_keep_the_names_of_the_files(tmp_path):
    for number in range(3):
        write(Cube(np.full((1, 20), number, np.float32), AXIS, name="the same"), tmp_path / f"s{number}.csv")
    experiment = Experiment.default("denoising", read(tmp_path / "s0.csv")).override(f"data.input=[{tmp_path}]")
    (cube,), _ = from_files(experiment)
    assert (cube.shape, cube.metadata["labels"]) == ((3, 20), ["s0", "s1", "s2"])
