"""What the public objects owe Python, NumPy, notebooks and other libraries."""

import contextlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import napari_spectrai as spectrai
from napari_spectrai import Cube, Experiment, Labels, SpectralAxis, as_cube, as_labels, predict, read, train, write
from napari_spectrai.notices import SpectralWarning
from napari_spectrai.preparation import steps
from napari_spectrai.preparation.axis import Crop
from napari_spectrai.runs import RunFolder

VALUES = np.random.default_rng(0).random((6, 5, 8)).astype(np.float32)
AXIS = SpectralAxis(np.linspace(400, 470, 8), "nm")


# ---------------------------------------------------------------- NumPy


def test_a_cube_reads_as_an_array():
    cube = Cube(VALUES, AXIS)
    np.testing.assert_array_equal(np.asarray(cube), VALUES)
    assert np.asarray(cube).base is VALUES or np.shares_memory(np.asarray(cube), VALUES)
    assert not np.shares_memory(np.array(cube), VALUES)
    assert np.asarray(cube, dtype="f8").dtype == np.float64
    assert (len(cube), cube.ndim, cube.size, cube.dtype) == (6, 3, 240, np.float32)
    assert [part.shape for part in cube] == [(1, 5, 8)] * 6


def test_a_lazy_cube_is_read_by_asarray_and_never_without_a_copy(tmp_path):
    lazy = read(write(Cube(VALUES, AXIS), tmp_path / "a.zarr"))
    np.testing.assert_array_equal(np.asarray(lazy), VALUES)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(lazy, copy=False)


KEYS = [
    2, -1, slice(1, 4), (slice(None), 2), (Ellipsis, slice(2, 5)), (1, 2, 3), (Ellipsis, 0), (slice(0, 2), Ellipsis, [1, 3]), np.int64(3),
    (slice(None), slice(1, 3), slice(None, None, 2)), VALUES.mean(-1) > 0.5, (Ellipsis, -1), (slice(None, None, -1),), ([0, 2],),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=lambda key: str(key)[:30].replace("\n", ""))
def test_indexing_follows_numpy_but_for_integers_that_keep_their_dimension(key):
    def kept(part):
        return slice(part, part + 1 or None) if isinstance(part, int | np.integer) else part

    wanted = VALUES[tuple(map(kept, key)) if isinstance(key, tuple) else kept(key)]
    bands = (
        AXIS.values[kept(key[-1])] if isinstance(key, tuple) and (Ellipsis in [k for k in key if k is Ellipsis] or len(key) == 3) else None
    )
    found = Cube(VALUES, AXIS)[key]
    np.testing.assert_array_equal(found.numpy(), wanted)
    np.testing.assert_array_equal(found.axis.values, AXIS.values if bands is None else bands)


@pytest.mark.parametrize("key", [6, -7, (0, 5), (0, 0, 8), (0, 0, 0, 0), (Ellipsis, slice(3, 3)), None, "a", 1.5])
def test_an_index_that_does_not_exist_is_an_index_error(key):
    with pytest.raises(IndexError):
        Cube(VALUES, AXIS)[key]


def test_bands_are_cropped_by_position_and_keep_their_marks():
    cube = Cube(VALUES, AXIS, metadata={"bad_bands": [2, 7]})
    assert cube.crop(415, 445).axis.values.tolist() == [420, 430, 440]
    assert cube.crop(415, 445).metadata["bad_bands"] == [0]
    assert np.shares_memory(cube.crop(415, 445).data, VALUES)
    assert cube.isel(y=slice(0, 2), band=[7, 0]).shape == (2, 5, 2)
    with pytest.raises(ValueError, match="no band lies from 900 to 950"):
        cube.crop(900, 950)
    with pytest.raises(IndexError, match="'rows'"):
        cube.isel(rows=1)


@pytest.mark.parametrize(
    ("axis", "unit"), [(np.linspace(400, 470, 8), ""), (list(range(8)), ""), ((np.arange(8.0), "nm"), "nm"), ((range(8), "cm-1"), "1/cm")]
)
def test_positions_of_any_kind_become_an_axis_at_once(axis, unit):
    assert Cube(VALUES, axis=axis).axis.unit == unit
    assert as_cube(VALUES, axis=axis).axis == Cube(VALUES, axis=axis).axis


@pytest.mark.parametrize("axis", [np.arange(7), "nm", (np.arange(8), "furlong"), np.full(8, np.nan), object()])
def test_an_axis_that_is_none_is_refused_at_once(axis):
    with pytest.raises(ValueError, match=r"axis|unit|position"):
        Cube(VALUES, axis=axis)


# ---------------------------------------------------------------- other libraries


def test_an_xarray_brings_its_axis_and_pixel_size_and_gets_them_back():
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(
        np.moveaxis(VALUES, -1, 0), dims=("wavelength", "y", "x"), name="cells", attrs={"operator": "me"},
        coords={
            "wavelength": ("wavelength", AXIS.values, {"units": "nm"}), "y": ("y", 3 + np.arange(6) * 0.5, {"units": "µm"}),
            "x": ("x", np.arange(5) * 0.25, {"units": "µm"}),
        },
    )  # fmt: skip
    cube = as_cube(array)
    np.testing.assert_array_equal(cube.numpy(), VALUES)
    assert (cube.axis, cube.name, cube.pixel_size, cube.pixel_unit) == (AXIS, "cells", (0.5, 0.25), "um")
    assert cube.metadata["operator"] == "me"
    assert cube.metadata["origin"] == (3, 0)
    again = as_cube(cube.to_xarray())
    assert (again.axis, again.pixel_size) == (AXIS, (0.5, 0.25))
    np.testing.assert_array_equal(again.numpy(), VALUES)


def test_an_xarray_is_spectral_where_its_coordinate_has_a_spectral_unit_and_asked_about_otherwise():
    xarray = pytest.importorskip("xarray")
    by_unit = xarray.DataArray(VALUES, dims=("p", "q", "r"), coords={"r": ("r", np.arange(8.0), {"units": "cm-1"})})
    assert as_cube(by_unit).axis.unit == "1/cm"
    with pytest.raises(ValueError, match=r"position="):
        as_cube(xarray.DataArray(VALUES, dims=("p", "q", "r")))
    assert as_cube(xarray.DataArray(VALUES, dims=("p", "q", "r")), position=2).shape == VALUES.shape


def test_a_table_of_spectra_has_positions_as_columns():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(VALUES[0], columns=pandas.Index(AXIS.values, name="Wavelength (nm)"))
    assert as_cube(table).axis == AXIS
    with pytest.raises(ValueError, match=r"species.*drop"):
        as_cube(table.assign(species="x"))


class Signal:
    """A HyperSpy signal, as far as a cube asks it."""

    def __init__(self, signal_axes: int = 1) -> None:
        def along(name, units, scale, offset, size):
            return type("Axis", (), {"name": name, "units": units, "scale": scale, "axis": offset + scale * np.arange(size)})()

        places = (along("x", "µm", 0.25, 0, 5), along("y", "µm", 0.5, 0, 6))
        self.data = VALUES
        self.axes_manager = type(
            "Manager", (), {"signal_axes": (along("Wavelength", "nm", 10, 400, 8),) * signal_axes, "navigation_axes": places}
        )()
        self.metadata = type("Tree", (), {"General": type("General", (), {"title": "lamp"})()})()


def test_a_hyperspy_signal_brings_its_axis_and_pixel_size():
    cube = as_cube(Signal())
    assert (cube.axis, cube.pixel_size, cube.pixel_unit, cube.name) == (AXIS, (0.5, 0.25), "um", "lamp")
    with pytest.raises(ValueError, match="2 signal axes"):
        as_cube(Signal(2))


@pytest.mark.parametrize("kind", ["text", "categories", "numbers", "missing"])
def test_a_pandas_series_becomes_labels(kind):
    pandas = pytest.importorskip("pandas")
    series = {
        "text": pandas.Series(["fat", "water", "fat"]), "categories": pandas.Series(["fat", "water", "fat"], dtype="category"),
        "numbers": pandas.Series([1, 2, 1]), "missing": pandas.Series(["fat", None, "water"]),
    }[kind]  # fmt: skip
    with pytest.warns(SpectralWarning, match="1 pixels of the labels are missing") if kind == "missing" else contextlib.nullcontext():
        labels = as_labels(series)
    assert labels.data.tolist() == ([1, -1, 2] if kind == "missing" else [1, 2, 1])
    assert kind == "numbers" or labels.names == {1: "fat", 2: "water"}


@pytest.mark.parametrize("suffix", [".zarr", ".h5", ".npy", ".hdr", ".ome.tif", ".ome.zarr"])
def test_a_lazily_read_cube_pickles(tmp_path, suffix):
    cube = read(write(Cube(VALUES, AXIS, metadata={"note": "x"}), tmp_path / f"a{suffix}"))
    again = pickle.loads(pickle.dumps(cube))
    np.testing.assert_array_equal(np.asarray(again), VALUES)
    assert again.axis == cube.axis


# ---------------------------------------------------------------- arguments


MISUSE = {
    "train(task, …)": (
        lambda: train("denoising", VALUES, VALUES),
        r"Experiment, not the str 'denoising'; make one with Experiment.default",
    ),
    "train(cube, cube)": (lambda: train(Cube(VALUES), Cube(VALUES)), "Experiment, not a Cube"),
    "train()": (train, "Experiment, not None"),
    "fit(dict)": (lambda: next(spectrai.fit({}, VALUES)), "Experiment, not a dict"),
    "launch(path)": (lambda: spectrai.launch(Path("a.yml")), "Experiment, not"),
    "override(dict)": (lambda: Experiment().override({"training.epochs": 3}), r"a str, not a dict; write path=value"),
    "override(None)": (lambda: Experiment().override(None), "write path=value"),
    "preprocess(3)": (lambda: spectrai.preprocess(VALUES, 3), "give steps"),
    "predict(cube, model)": (lambda: predict(Cube(VALUES), "wavelet"), "the first argument of predict is a Model"),
    "predict(model, None)": (lambda: predict("wavelet", None), "is no cube"),
    "evaluate(None)": (lambda: spectrai.evaluate(None, VALUES), "is no cube"),
}


@pytest.mark.parametrize("call", MISUSE)
def test_an_argument_of_the_wrong_type_is_named_with_the_remedy(call):
    action, words = MISUSE[call]
    with pytest.raises((TypeError, ValueError), match=words):
        action()


WRONG_VALUES = {
    "a step as a dict": lambda: spectrai.preprocess(Cube(VALUES), [{"kind": "savitzky_golay", "window": 4}]),
    "an unknown step": lambda: spectrai.preprocess(Cube(VALUES), "smoth"),
    "a step made by its class": lambda: Crop(low="a", high=3),
    "an unknown setting": lambda: Crop(lo=1),
    "a setting of an experiment": lambda: Experiment(training={"epochs": 0}),
    "an override": lambda: Experiment().override("training.epochs=none"),
    "a parsed step": lambda: steps.parse({"kind": "crop", "low": None}),
    "a method's settings": lambda: predict("kmeans", Cube(VALUES), settings={"count": "many"}),
}


@pytest.mark.parametrize("what", WRONG_VALUES)
def test_a_wrong_value_is_never_reported_in_the_words_of_a_library(what):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        WRONG_VALUES[what]()
    assert "pydantic" not in str(error.value)
    assert len(str(error.value)) > 10


# ---------------------------------------------------------------- notebooks


def objects():
    pairs = spectrai.sample("raman_pairs")
    model = spectrai.Model.load(spectrai.samples.sample_model())
    prediction = predict(model, pairs.cube[:20])
    labels = Labels(np.array([[1, 2], [0, 1]]), {1: "<b>fat</b>", 2: "water"}, name="a & b")
    return {
        "Cube": pairs.cube, "Labels": labels, "Sample": pairs, "Experiment": Experiment(name="<i>"), "Model": model, "card": model.card(),
        "Prediction": prediction, "Evaluation": spectrai.evaluate(prediction.result, pairs.truth[:20]),
    }  # fmt: skip


@pytest.fixture(scope="module")
def shown():
    return objects()


@pytest.mark.parametrize("name", ["Cube", "Labels", "Sample", "Experiment", "Model", "card", "Prediction", "Evaluation"])
def test_each_object_shows_itself_shortly_as_text_and_as_html(shown, name):
    text, page = repr(shown[name]), shown[name]._repr_html_()
    assert len(text) < 200
    assert "\n" not in text
    assert "<" in page
    assert "<b>fat" not in page
    assert "<i>" not in page
    assert page.count("<table") == page.count("</table>") > 0


def test_a_cube_shows_its_mean_spectrum(shown):
    assert "<svg" in shown["Cube"]._repr_html_()


def test_the_package_shows_its_public_names_only():
    assert set(dir(spectrai)) == set(spectrai.__all__)
    for name in spectrai.__all__:
        assert getattr(spectrai, name) is not None


@pytest.mark.own_process
def test_a_consumer_is_type_checked_against_the_package(tmp_path):
    script = Path(__file__).parent / "typing" / "consumer.py"
    settings = tmp_path / "mypy.ini"  # torch's own types take as long as everything else
    settings.write_text("[mypy]\nstrict = True\n[mypy-torch.*]\nfollow_imports = skip\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(settings), "--cache-dir", str(tmp_path), str(script)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- resuming


def an_experiment():
    return Experiment().override("training.epochs=4", "network.width=8", "training.batch=8", "split.validation=0.2")


def test_a_training_on_arrays_that_is_interrupted_says_how_to_continue_and_continues(tmp_path, monkeypatch):
    noisy, clean = VALUES[..., :8].reshape(30, 8) + 0.1, VALUES.reshape(30, 8)
    whole = train(an_experiment(), noisy, clean, run=tmp_path / "whole")

    from napari_spectrai.learn.train.console import TrainingBar

    shown = TrainingBar.show

    def interrupted(bar, event):
        shown(bar, event)
        if type(event).__name__ == "Epoch" and event.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingBar, "show", interrupted)
    with pytest.raises(KeyboardInterrupt) as stop:
        train(an_experiment(), noisy, clean, run=tmp_path / "run")
    assert any(f"train(run={str(tmp_path / 'run')!r}, resume=True)" in note for note in stop.value.__notes__)
    monkeypatch.setattr(TrainingBar, "show", shown)
    resumed = train(run=tmp_path / "run", resume=True)
    for mine, other in zip(whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        assert mine.equal(other)


def test_a_run_on_arrays_resumes_in_a_process_of_its_own(tmp_path):
    noisy, clean = VALUES.reshape(30, 8) + 0.1, VALUES.reshape(30, 8)
    events = spectrai.fit(an_experiment(), noisy, clean, run=tmp_path / "run")
    for event in events:
        if type(event).__name__ == "Epoch":
            events.close()
            break
    run = spectrai.Run(tmp_path / "run")
    run.resume()
    assert run.wait() == 0, run.folder.log.read_text()
    assert RunFolder(tmp_path / "run").state() == "finished"
    assert run.model().axis == SpectralAxis.bands(8)
    run.close()
