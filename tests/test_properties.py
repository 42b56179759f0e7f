"""Properties that hold for any input, on inputs drawn by hypothesis."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_spectrai import Cube, Experiment, Labels, Preparation, SpectralAxis, predict, preprocess, read, write
from napari_spectrai.learn.inference.tiles import spans
from napari_spectrai.plan.partition import divide
from napari_spectrai.preparation import steps

settings.register_profile("suite", max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
settings.load_profile("suite")

FINITE = {"allow_nan": False, "allow_infinity": False, "width": 32}
UNITS = st.sampled_from(["nm", "um", "1/cm", "eV", "m/z", ""])


@st.composite
def axes(draw, bands=None, unit=UNITS):
    """An ascending or descending axis, evenly spaced or not."""
    count = draw(st.integers(2, 12)) if bands is None else bands
    gaps = draw(st.lists(st.floats(0.25, 8, width=32), min_size=count, max_size=count))
    values = 400 + np.cumsum(gaps)
    return SpectralAxis(values[::-1] if draw(st.booleans()) else values, draw(unit))


@st.composite
def cubes(draw, low=-1e4, high=1e4, dtype=np.float32):
    """An image or a set of spectra."""
    shape = draw(st.one_of(st.tuples(st.integers(1, 5), st.integers(1, 5)), st.tuples(st.integers(1, 6))))
    axis = draw(axes())
    values = draw(arrays.arrays(dtype, (*shape, len(axis)), elements=st.floats(low, high, **FINITE)))
    return Cube(values, axis, name="drawn")


# ---------------------------------------------------------------- files


@pytest.mark.filterwarnings("ignore:.*would be usual in")  # 400 um and more are read as they are, with a question
@pytest.mark.parametrize("suffix", [".npz", ".h5", ".zarr", ".mat", ".hdr"])
@given(cube=cubes())
def test_reading_what_was_written_gives_an_equal_cube(suffix, cube, tmp_path_factory):
    assume(suffix != ".hdr" or cube.is_image)
    path = tmp_path_factory.mktemp("round") / f"cube{suffix}"
    again = read(write(cube, path))
    np.testing.assert_array_equal(np.asarray(again), cube.data)
    assert again.axis == cube.axis


# ---------------------------------------------------------------- bands


@given(cube=cubes(), ends=st.tuples(st.floats(395, 500), st.floats(395, 500)))
def test_a_crop_holds_exactly_the_bands_between_its_ends(cube, ends):
    low, high = min(ends), max(ends)
    inside = (cube.axis.values >= low) & (cube.axis.values <= high)
    assume(inside.any())
    cropped = cube.crop(low, high)
    np.testing.assert_array_equal(cropped.axis.values, cube.axis.values[inside])
    np.testing.assert_array_equal(cropped.numpy(), cube.numpy()[..., inside])


@given(cube=cubes(low=-100, high=100), slope=st.floats(-3, 3), offset=st.floats(-50, 50))
def test_resampling_a_straight_line_stays_on_the_line(cube, slope, offset):
    line = Cube(np.broadcast_to(slope * cube.axis.values + offset, cube.shape).astype(np.float32), cube.axis)
    values = np.linspace(cube.axis.values.min(), cube.axis.values.max(), 7).tolist()
    moved = preprocess(line, {"kind": "resample", "values": values, "unit": cube.axis.unit})
    np.testing.assert_allclose(moved.numpy(), np.broadcast_to(slope * moved.axis.values + offset, moved.shape), rtol=1e-3, atol=1e-2)


# ---------------------------------------------------------------- preparation


SCALINGS = st.lists(
    st.one_of(
        st.builds(dict, kind=st.just("normalise"), by=st.sampled_from(["maximum", "area", "vector", "minmax", "snv"])),
        st.builds(dict, kind=st.just("scale"), factor=st.floats(0.125, 64, width=32)),
        st.just({"kind": "stabilise"}),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@given(chain=SCALINGS, seed=st.integers(0, 10**6))
def test_restore_undoes_any_chain_of_scalings(chain, seed):
    rng = np.random.default_rng(seed)
    spectra = rng.gamma(4, 5, (12, 20)).astype(np.float32)
    axis = SpectralAxis.bands(20)
    preparation = Preparation(tuple(steps.parse(step) for step in chain)).fitted(spectra, axis)
    prepared, _, removed = preparation.apply(spectra, axis)
    assume(np.isfinite(prepared).all())
    np.testing.assert_allclose(preparation.restore(prepared, removed), spectra, rtol=2e-2, atol=2e-2 * float(spectra.max()))


FITTED = st.sampled_from(["scale", "pca", "msc"])


@settings(max_examples=15)
@given(first=st.sampled_from(["scale", "msc", "normalise"]), later=FITTED, last=FITTED, seed=st.integers(0, 10**6))
def test_every_step_of_a_chain_is_fitted_to_what_the_steps_before_it_return(first, later, last, seed):
    spectra, axis = np.random.default_rng(seed).gamma(4, 5, (12, 20)).astype(np.float32), SpectralAxis.bands(20)
    chosen = [steps.parse(step) for step in (first, later, last)]
    fitted = Preparation(tuple(chosen)).fitted(spectra, axis)
    for step, found in zip(chosen, fitted.steps, strict=True):
        assert found == step.fitted(spectra, axis)
        spectra, axis = found.apply(spectra, axis)
        assume(np.isfinite(spectra).all())


@given(
    norm=st.sampled_from([[], [{"kind": "normalise"}], [{"kind": "normalise", "by": "area"}]]), scales=st.integers(1, 3),
    ratio=st.floats(0.125, 64, width=32), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_the_gain_of_a_chain_brings_prepared_inputs_to_the_scale_of_prepared_truths(norm, scales, ratio, seed):
    spectra, axis = np.random.default_rng(seed).gamma(4, 5, (12, 20)).astype(np.float32), SpectralAxis.bands(20)
    chain = Preparation(tuple(steps.parse(step) for step in [*norm, *["scale"] * scales])).fitted(spectra, axis)
    chain = chain.fitted_to_target(np.float32(ratio) * spectra, axis)
    as_input, as_truth = chain.apply(spectra, axis)[0], chain.for_target().apply(spectra, axis)[0]
    np.testing.assert_allclose(chain.gain * as_input, as_truth, rtol=1e-4)


# ---------------------------------------------------------------- tiles


@given(
    length=st.integers(1, 200),
    tile=st.integers(4, 64),
    overlap=st.integers(0, 20),
    grid=st.sampled_from([1, 2, 4]),
    context=st.integers(0, 9),
)
def test_tiles_cover_every_pixel_with_weights_that_sum_to_one(length, tile, overlap, grid, context):
    assume(tile >= length or (tile - overlap) // grid >= 1)
    assume(2 * overlap <= tile)
    total = np.zeros(length)
    for span in spans(length, tile, overlap, grid):
        assert span.start % grid == 0
        total[span.start : span.stop] += span.weights(context)
    np.testing.assert_allclose(total, 1, atol=1e-5)


@given(length=st.integers(1, 200), tile=st.integers(4, 64), overlap=st.integers(1, 20), context=st.integers(1, 9))
def test_pixels_that_depend_on_others_beyond_their_tile_have_no_weight(length, tile, overlap, context):
    assume(2 * overlap <= tile)
    assume(2 * context < overlap)
    for span in spans(length, tile, overlap, 1):
        weights = span.weights(context)
        inside = slice(context if span.before else 0, len(weights) - (context if span.after else 0))
        assert (weights[inside] > 0).all()
        weights[inside] = 0
        assert not weights.any()


@given(height=st.integers(20, 60), width=st.integers(20, 60), tile=st.sampled_from([16, 24, 32]))
def test_prediction_in_tiles_equals_prediction_at_once(height, width, tile):
    rng = np.random.default_rng(height * 100 + width)
    cube = Cube(rng.random((height, width, 6)).astype(np.float32))
    at_once = predict("savitzky_golay", cube, settings={"window": 3}, tile=1024).result.numpy()
    in_tiles = predict("savitzky_golay", cube, settings={"window": 3}, tile=tile).result.numpy()
    np.testing.assert_allclose(in_tiles, at_once, atol=1e-5)


# ---------------------------------------------------------------- splits


@given(
    size=st.tuples(st.integers(24, 40), st.integers(24, 40)), seed=st.integers(0, 1000),
    method=st.sampled_from(["contiguous", "blocks", "random"]), shares=st.sampled_from([(0.1, 0.0), (0.2, 0.2), (0.1, 0.3)]),
)  # fmt: skip
def test_the_parts_of_a_split_are_disjoint_and_none_is_empty(size, seed, method, shares):
    rng = np.random.default_rng(seed)
    cube, truth = (Cube(rng.random((*size, 4)).astype(np.float32)) for _ in range(2))
    experiment = Experiment().override(
        f"split.method={method}", f"split.validation={shares[0]}", f"split.test={shares[1]}", f"split.seed={seed}", "split.block=4"
    )
    division = divide(experiment, [cube], [truth])
    (marks,) = division.maps
    counts = np.bincount(np.asarray(marks).ravel(), minlength=4)
    assert counts[1] > 0
    assert counts[2] > 0
    assert (counts[3] > 0) == (shares[1] > 0)
    assert counts.sum() == size[0] * size[1]


# ---------------------------------------------------------------- labels


@given(values=arrays.arrays(np.int16, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(-1, 9)))
def test_every_number_except_the_unlabelled_ones_is_a_class(values):
    labels = Labels(values)
    assert labels.values() == sorted(set(values.ravel().tolist()) - {0, -1})
    assert [one.value for one in labels.classes()] == labels.values()


@given(logits=arrays.arrays(np.float32, (5, 4), elements=st.floats(-30, 30, **FINITE)), temperature=st.floats(0.1, 10))
def test_a_temperature_never_changes_the_most_probable_class(logits, temperature):
    scores = torch.from_numpy(logits)
    top = scores.topk(2).values
    assume(bool(((top[:, 0] - top[:, 1]) > 1e-3).all()))
    assert (scores / temperature).softmax(-1).argmax(-1).equal(scores.argmax(-1))
