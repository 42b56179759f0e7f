"""Means of labelled regions, and the files that hold them."""

from __future__ import annotations

import dask.array as da
import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from napari_spectrai import Cube, Labels, SpectralAxis, region_means, write
from napari_spectrai.cli import app
from napari_spectrai.io.labels import write_labels
from napari_spectrai.mapping.files import write_rows


def regions() -> tuple[Cube, Labels]:
    rng = np.random.default_rng(0)
    cube = Cube(1000 + rng.random((6, 5, 8), dtype=np.float32), SpectralAxis(np.linspace(400, 700, 8), "nm"), name="scene")
    return cube, Labels(np.arange(30).reshape(6, 5) % 4, {1: "=fat", 2: "cell", 3: "cell"})


@pytest.mark.parametrize("lazy", [False, True])
def test_region_means_are_those_of_numpy(lazy):
    cube, labels = regions()
    found = region_means(cube.with_data(da.from_array(cube.data, chunks=(2, 5, 8))) if lazy else cube, labels)
    assert found.names == ["=fat", "cell (2)", "cell (3)"]
    for row, value in enumerate(found.values):
        spectra = cube.data[labels.data == value].astype(np.float64)
        np.testing.assert_allclose(found.means[row], spectra.mean(0), rtol=1e-9)
        np.testing.assert_allclose(found.deviations[row], spectra.std(0, ddof=1), rtol=1e-6)
        np.testing.assert_allclose(found.centres[row], np.argwhere(labels.data == value).mean(0))
        assert found.counts[row] == len(spectra)


def test_region_means_leave_out_pixels_without_data_and_refuse_other_shapes():
    cube, labels = regions()
    gone = cube.data.copy()
    gone[labels.data == 3] = np.nan
    found = region_means(cube.with_data(gone), labels)
    assert found.counts.tolist() == [8, 7, 0]
    assert np.isnan(found.means[2]).all()
    with pytest.raises(ValueError, match=r"the labels have the shape \(5, 6\), and the image \(6, 5\)"):
        region_means(cube, labels.data.T)
    with pytest.raises(ValueError, match="the labels name no region"):
        region_means(cube, np.zeros((6, 5), int))


def test_region_means_are_written_for_spreadsheets_and_as_anndata(tmp_path):
    cube, labels = regions()
    found = region_means(cube, labels)
    lines = found.write(tmp_path / "means.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["region", "'=fat", "cell (2)", "cell (3)"]
    with h5py.File(found.write(tmp_path / "means.h5ad")) as file:
        assert {name: item.attrs["encoding-type"] for name, item in file.items()} == {
            "X": "array", "layers": "dict", "obs": "dataframe", "obsm": "dict", "obsp": "dict", "uns": "dict", "var": "dataframe",
            "varm": "dict", "varp": "dict",
        }  # fmt: skip
        np.testing.assert_allclose(file["X"][()], found.means, rtol=1e-6)
        assert file["obs"][file["obs"].attrs["_index"]].asstr()[()].tolist() == found.names
        assert list(file["obs"].attrs["column-order"]) == ["number", "pixels"]
        np.testing.assert_array_equal(file["var"]["position"], cube.axis.values)
        np.testing.assert_array_equal(file["obsm"]["spatial"], found.centres[:, ::-1])
    with pytest.raises(ValueError, match=r"means\.xlsx: region means are written as \.h5ad or \.csv"):
        found.write(tmp_path / "means.xlsx")


def test_tables_of_maps_hold_no_formulas(tmp_path):
    write_rows([{"=name": "=1+1", "match": "-fat", "score": -0.5}], tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines() == ["'=name,match,score", "'=1+1,'-fat,-0.5"]


def test_the_command_writes_what_python_writes(tmp_path):
    cube, labels = regions()
    source, known = write(cube, tmp_path / "scene.h5"), write_labels(labels, tmp_path / "labels.tif")
    arguments = ["regions", str(source), str(known), "-o", str(tmp_path / "means.csv")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    expected = region_means(cube, labels).write(tmp_path / "expected.csv").read_text(encoding="utf-8")
    assert (tmp_path / "means.csv").read_text(encoding="utf-8") == expected
    assert CliRunner().invoke(app, arguments).exit_code == 2
    assert CliRunner().invoke(app, [*arguments[:-1], str(tmp_path / "means.xls")]).exit_code == 2
