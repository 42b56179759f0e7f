"""A cube on another axis, or of another scale, than the model's: every kind of difference, and every remedy that is named, followed."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, SpectralAxis, as_cube, predict, preprocess, read, train, write
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.compatibility import another_scale, fit_axis, intensities_of, unlike_one_another, usual
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.learn.model import Model
from napari_spectrai.preparation import steps
from napari_spectrai.preparation.axis import Crop, Fill, Resample
from napari_spectrai.preparation.normalise import Scale

VALUES = np.linspace(400, 720, 33)


def card(axis, **settings):
    return ModelCard("m", Experiment(), axis, axis, "today", **settings)


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    shapes = np.exp(-(((VALUES - np.array([[480], [600]])) / 40) ** 2)) + 0.1
    which = (np.arange(24) // 6 % 2)[:, None] * np.ones((1, 20), int)
    clean = shapes[which].astype(np.float32) * rng.uniform(0.7, 1.3, (24, 20, 1)).astype(np.float32)
    noisy = (clean + 0.02 * rng.standard_normal(clean.shape)).astype(np.float32)
    axis = SpectralAxis(VALUES, "nm")
    return Cube(noisy, axis, name="noisy"), Cube(clean, axis, name="clean"), which + 1


@pytest.fixture(scope="module")
def classifier(scene, tmp_path_factory):
    noisy, _, labels = scene
    experiment = Experiment.default("segmentation", noisy, labels).override(
        "network=random_forest", "preparation=[]", "split.method=random", "split.beside=false"
    )
    return train(experiment, noisy, labels, run=tmp_path_factory.mktemp("c") / "run")


@pytest.fixture(scope="module")
def denoiser(scene, tmp_path_factory):
    noisy, clean, _ = scene
    experiment = Experiment.default("denoising", noisy, clean).override("network=ridge", "preparation=[]")
    return train(experiment, noisy, clean, run=tmp_path_factory.mktemp("d") / "run")


AXES = {
    "same": (VALUES, "nm", "same"),
    "um": (VALUES / 1e3, "um", "renamed"),
    "descending": (VALUES[::-1], "nm", "renamed"),
    "um descending": (VALUES[::-1] / 1e3, "um", "renamed"),
    "rounded": (VALUES.astype(np.float32), "nm", "same"),
    "more bands": (np.linspace(390, 730, 35), "nm", "step"),
    "more bands descending": (np.linspace(390, 730, 35)[::-1], "nm", "step"),
    "finer, um": (np.linspace(0.39, 0.73, 100), "um", "step"),
    "shifted up": (VALUES + 3.3, "nm", "step"),
    "shifted down": (VALUES - 3.3, "nm", "step"),
    "shifted by more than a band": (VALUES + 14, "nm", "step"),
    "stretched": (np.linspace(399, 721, 33), "nm", "step"),
    "uneven": (np.sort(np.r_[400, 720, np.random.default_rng(1).uniform(400, 720, 40)]), "nm", "step"),
    "half": (VALUES[:16], "nm", "never"),
    "elsewhere": (VALUES + 1000, "nm", "never"),
    "wavenumbers": (1e7 / VALUES, "1/cm", "never"),
    "numbers": (np.arange(33.0), "", "never"),
    "other numbers": (np.arange(30.0), "", "never"),
}


def on(scene, values, unit):
    """Return what an instrument with another axis would have seen of the clean scene."""
    _, clean, _ = scene
    nm = {"um": np.asarray(values) * 1e3, "1/cm": 1e7 / np.maximum(values, 1e-9)}.get(unit, np.asarray(values, float))
    data = np.stack([[np.interp(nm, VALUES, spectrum) for spectrum in row] for row in clean.data.astype(float)])
    return Cube(data.astype(np.float32), SpectralAxis(values, unit), name="other")


@pytest.mark.parametrize("kind", AXES)
def test_every_axis_is_decided_in_one_way_and_the_decision_holds(kind, scene, classifier, denoiser):
    values, unit, how = AXES[kind]
    cube = on(scene, values, unit)
    for model in (classifier, denoiser):
        fit = fit_axis(model.card(), cube.axis, "other")
        assert fit.how == how
        if fit.fits:
            assert predict(model, cube).result is not None
            continue
        with pytest.raises(ValueError, match=re.escape(fit.words)) as refused:
            predict(model, cube)
        assert ("resample=True" in str(refused.value)) == (how == "step")
        if how == "step":
            low, high = cube.axis.values.min() - 1e-6, cube.axis.values.max() + 1e-6
            beyond = int(((model.axis.values < low) | (model.axis.values > high)).sum()) if unit == model.axis.unit else fit.extrapolated
            assert fit.extrapolated == beyond
            assert (f"{beyond} were not measured" in fit.words) == bool(beyond)
            with pytest.warns(SpectralWarning, match="model's axis.*were not measured" if beyond else "model's axis"):
                done = predict(model, cube, resample=True)
            assert (model is classifier) or done.result.axis == model.axis
    if how in ("same", "renamed") or (kind not in ("shifted by more than a band",) and how == "step"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpectralWarning)
            told = predict(classifier, cube, resample=True).result
        assert (told == scene[2]).mean() > 0.99


def test_a_result_keeps_the_unit_and_order_of_its_source(scene, denoiser, tmp_path):
    noisy = scene[0]
    straight = predict(denoiser, noisy).result
    turned = Cube(noisy.data[..., ::-1], SpectralAxis(VALUES[::-1] / 1e3, "um"), metadata={"bad_bands": [0]})
    for out in (None, tmp_path / "r.zarr"):
        result = predict(denoiser, turned, out=out).result
        assert result.axis == turned.axis
        assert result.metadata["bad_bands"] == [0]
        np.testing.assert_allclose(np.asarray(result.data)[..., ::-1], straight.data, atol=1e-6)
    holes = turned.data.copy()
    holes[3, 4, 5], holes[6, 7] = np.nan, 0
    with pytest.warns(SpectralWarning, match="2 of 480 spectra hold no data"):
        result = predict(denoiser, replace_data(turned, holes)).result
    np.testing.assert_array_equal(result.data[3, 4], holes[3, 4])
    assert not result.data[6, 7].any()


def replace_data(cube, data):
    return Cube(data, cube.axis, name=cube.name, metadata=cube.metadata)


def test_the_remedies_that_words_name_work(scene, classifier):
    """Each is followed to the letter."""
    model = classifier
    data = scene[1].data
    # numbers of bands where the model has positions, and as many of them
    unnamed = Cube(data)
    with pytest.raises(ValueError, match=r"as_cube\(cube, axis=model\.axis\)"):
        predict(model, unnamed)
    assert (predict(model, as_cube(unnamed, axis=model.axis)).result == scene[2]).mean() > 0.99
    # others: their positions are asked for
    wide = on(scene, np.linspace(390, 730, 60), "nm")
    with pytest.raises(ValueError, match=r"as_cube\(cube, axis=SpectralAxis\(values, 'nm'\)\)"):
        predict(model, Cube(wide.data))
    with pytest.warns(SpectralWarning, match="resampled"):
        predict(model, as_cube(Cube(wide.data), axis=SpectralAxis(wide.axis.values, "nm")), resample=True)
    # a model without a unit: numbers of bands are no positions, and positions without a unit no numbers
    for axis, given in ((SpectralAxis.bands(33), model.axis), (SpectralAxis(VALUES, ""), model.axis), (SpectralAxis(VALUES, ""), None)):
        nameless = replace(model, description=replace(model.card(), axis=axis, truth_axis=axis))
        with pytest.raises(ValueError, match=r"as_cube\(cube, axis=model\.axis\)"):
            predict(nameless, Cube(data, given), resample=True)
        assert (predict(nameless, as_cube(Cube(data, given), axis=nameless.axis)).result == scene[2]).mean() > 0.99
    with pytest.raises(ValueError, match="choose data with the same number of bands"):
        predict(replace(model, description=replace(model.card(), axis=SpectralAxis.bands(33))), Cube(data[..., 1:]), resample=True)
    # bands that were not measured: train on those in common
    half = on(scene, VALUES[5:20], "nm")
    with pytest.raises(ValueError, match=r"Crop\(low=(\S+), high=(\S+)\)") as refused:
        predict(model, half)
    low, high = map(float, re.search(r"Crop\(low=(\S+), high=(\S+)\)", str(refused.value)).groups())
    noisy = preprocess(scene[0], [Crop(low=low, high=high)])
    assert fit_axis(card(noisy.axis), half.axis, "half").fits
    # another scale
    bright = Cube(data * 10, model.axis, name="bright")
    with pytest.warns(SpectralWarning, match="'factor': 10}"):
        predict(model, bright)
    assert (predict(model, preprocess(bright, [Scale(factor=10)])).result == scene[2]).mean() > 0.99


@pytest.mark.parametrize("factor", [10, 0.1, 100, 255, 65535, 1e-4, 4096])
def test_a_cube_a_factor_away_is_said_with_the_factor(factor, scene, classifier):
    source = Cube((scene[0].data * factor).astype(np.float32), SpectralAxis(VALUES, "nm"), name="x")
    words = another_scale(classifier.card(), source)
    told = float(re.search(r"'factor': ([\d.e+-]+)}", words).group(1))
    assert told == pytest.approx(factor, rel=0.1)
    assert another_scale(classifier.card(), preprocess(source, [Scale(factor=told)])) == ""


def test_counts_against_reflectance_are_said(scene, classifier):
    counts = Cube((scene[0].data.clip(0) * 4000).astype(np.uint16), SpectralAxis(VALUES, "nm"))
    assert "training data" in another_scale(classifier.card(), counts)


@pytest.mark.parametrize("steps", [[{"kind": "normalise", "by": "snv"}], ["normalise"], [{"kind": "normalise", "by": "area"}]])
def test_nothing_is_said_where_the_preparation_makes_the_scale_irrelevant(steps, scene):
    noisy = scene[0]
    raw, known = Experiment.from_mapping({"preparation": []}), intensities_of(noisy.data.reshape(-1, 33))
    described = ModelCard("m", raw, noisy.axis, noisy.axis, "", intensities=known)
    assert another_scale(described, Cube(noisy.data * 10, noisy.axis))
    free = ModelCard("m", Experiment.from_mapping({"preparation": steps}), noisy.axis, noisy.axis, "", intensities=known)
    assert another_scale(free, Cube(noisy.data * 10, noisy.axis)) == ""


def test_ordinary_differences_and_unknown_ranges_are_not_said(scene, classifier):
    for factor in (0.5, 1, 2):
        assert another_scale(classifier.card(), Cube(scene[0].data * factor, SpectralAxis(VALUES, "nm"))) == ""
    assert another_scale(card(scene[0].axis), Cube(scene[0].data * 1000, scene[0].axis)) == ""
    # a large empty border does not count
    framed = np.pad(scene[0].data, ((40, 40), (40, 40), (0, 0)))
    assert another_scale(classifier.card(), Cube(framed, SpectralAxis(VALUES, "nm"))) == ""


@pytest.mark.parametrize(("ratio", "factor"), [(9.3, 10), (0.11, 0.1), (240, 255), (6.2e4, 65535), (4.6, 4.6), (2.0e-3, 1e-3)])
def test_the_usual_factor_is_named(ratio, factor):
    assert usual(ratio) == pytest.approx(factor) or abs(np.log(usual(ratio) / ratio)) < np.log(1.6)


def test_the_range_is_kept_in_the_file_and_older_files_load(classifier, tmp_path):
    path = classifier.save(tmp_path / "m.safetensors")
    low, middle, high = Model.load(path).card().intensities
    assert 0 < low < middle < high < 2
    import json

    plain = json.loads(classifier.card().to_json())
    del plain["intensities"]
    assert ModelCard.from_json(json.dumps(plain)).intensities == []


def test_resampling_reaches_beyond_what_was_measured_only_when_asked():
    axis = SpectralAxis(VALUES, "nm")
    spectra = np.linspace(0, 1, 33, dtype=np.float32)[None]
    step = Resample(values=(398.0, 400.0, 410.0), unit="nm")
    with pytest.raises(ValueError, match="extend beyond the measured range"):
        step.apply(spectra, axis)
    done, onto = step.model_copy(update={"beyond": 2.0}).apply(spectra, axis)
    np.testing.assert_allclose(done, [[0, 0, 1 / 32]], atol=1e-6)
    assert onto.values[0] == 398
    micrometres, _ = Resample(values=(0.41,), unit="um").apply(spectra, axis)
    np.testing.assert_allclose(micrometres, [[1 / 32]], atol=1e-6)


def test_the_command_line_resamples_with_consent(scene, denoiser, tmp_path):
    from typer.testing import CliRunner

    from napari_spectrai.cli import app

    model = denoiser.save(tmp_path / "m.safetensors")
    source = write(on(scene, VALUES + 3.3, "nm"), tmp_path / "in.zarr")
    refused = CliRunner().invoke(app, ["predict", str(model), str(source), "-o", str(tmp_path / "out.zarr")])
    assert refused.exit_code == 1
    assert "--resample" in refused.output
    done = CliRunner().invoke(app, ["predict", str(model), str(source), "-o", str(tmp_path / "out.zarr"), "--resample"])
    assert done.exit_code == 0, done.output
    assert "resampled onto the model's axis" in done.output
    assert read(tmp_path / "out.zarr").axis == denoiser.axis


def test_fill_is_a_step_of_its_own_when_resampling(scene):
    """Missing bands are not spread by interpolation of others."""
    cube = on(scene, VALUES + 3.3, "nm")
    cube.data[2, 2, 4] = np.nan
    step = fit_axis(card(SpectralAxis(VALUES, "nm")), cube.axis, "x").step
    assert np.isnan(preprocess(cube, [step]).data).any(-1).sum() == 1
    with pytest.warns(SpectralWarning, match="1 values of 1 of 480 spectra"):
        assert np.isfinite(preprocess(cube, [Fill(), step]).data).all()


@pytest.mark.parametrize("factor", [1, 3, 0.3, 10, 1000, 1e-3, -1, -10])
@pytest.mark.parametrize("step", [None, "normalise"])
@pytest.mark.parametrize("count", [2, 4])
def test_inputs_on_another_scale_than_the_others_are_said(factor: float, step: str | None, count: int) -> None:
    rng = np.random.default_rng(0)
    cubes = [Cube(1 + rng.random((6, 5, 8)), SpectralAxis(np.arange(8), "nm"), name=f"scene {n}") for n in range(count)]
    cubes[-1] = cubes[-1].with_data(cubes[-1].numpy() * factor)
    words = unlike_one_another(cubes, [] if step is None else [steps.parse({"kind": step})])
    assert len(words) == (factor < 0 or (step is None and not 1 / 8 < factor < 8))
    if words and factor > 0:
        divisor = float(re.search(r"'factor': ([\d.e+-]+)}", words[0])[1])
        name = re.search(r"of '(scene \d)'", words[0])[1]
        mended = [preprocess(one, [Scale(factor=divisor)]) if one.name == name else one for one in cubes]
        assert not unlike_one_another(mended, [])
    elif words:
        assert "opposite sign" in words[0]


@pytest.mark.parametrize(
    ("trained", "given", "warned"), [(0.0, 1, False), (0.0, -1, True), (1.0, -1, False), (None, -1, False), (0.5, -1, False)]
)
def test_intensities_of_the_opposite_sign_are_warned_of(trained: float | None, given: int, warned: bool) -> None:
    cube = Cube(given * (1 + np.random.default_rng(0).random((6, 5, 8))), SpectralAxis(np.arange(8), "nm"))
    plain = Experiment.default("denoising", cube).override("preparation=[]")
    model = ModelCard("m", plain, cube.axis, cube.axis, "", intensities=[1.0, 1.5, 2.0], negative=trained)
    assert ("opposite sign" in another_scale(model, cube)) == warned
