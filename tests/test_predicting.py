"""A prediction that is stopped: what has come to an end is kept, and is what it would have been."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import Cube, read
from napari_spectrai.learn.inference.predict import predict, predicting
from napari_spectrai.learn.model import ready
from napari_spectrai.runs.options import PredictOptions


def stopped(steps, after):
    """Take some steps and close."""
    for _ in range(after):
        told = next(steps)
    steps.close()
    return told


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("after", [1, 3, 4, 7])
def test_finished_tiles_are_as_they_would_have_been(tmp_path, after, streams):
    cube = Cube(np.random.default_rng(0).random((70, 61, 5), np.float32), name="cells")
    whole = predict("bicubic", cube, tile=32).result.numpy()
    out, part = (tmp_path / "result.zarr" if streams else None), tmp_path / "part.zarr"
    told = stopped(predicting("bicubic", cube, PredictOptions(tile=32), out=out, part=part), after)
    assert told.done == after < told.total
    kept = read(part).numpy()
    finished = np.isfinite(kept)
    assert kept.shape == whole.shape
    np.testing.assert_array_equal(kept[finished], whole[finished])
    # each tile but for what its neighbours still add to it
    assert 0.4 * after / told.total < finished.mean() < 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part.zarr"]


def test_a_cancelled_prediction_keeps_no_empty_complete_or_unwanted_part(tmp_path):
    cube = Cube(np.random.default_rng(0).random((20, 20, 5), np.float32))
    for steps, after in (
        (predicting("bicubic", cube, part=tmp_path / "all.zarr"), 1),
        (predicting("bicubic", cube, part=tmp_path / "none.zarr"), 0),
        (predicting("whittaker", cube, PredictOptions(tile=8), out=tmp_path / "result.zarr"), 2),
    ):
        for _ in range(after):
            next(steps)
        steps.close()
    assert not list(tmp_path.iterdir())


def test_probabilities_are_kept_of_classes(tmp_path):
    cube = Cube(np.random.default_rng(0).random((16, 16, 5), np.float32))
    stopped(predicting("kmeans", cube, PredictOptions(tile=8, settings={"count": 3}), part=tmp_path / "part.zarr"), 2)
    kept = read(tmp_path / "part.zarr").numpy()
    assert kept.shape == (16, 16, 3)
    known = np.isfinite(kept).all(-1)
    assert known[:8].all()
    assert not known[8:].any()
    np.testing.assert_allclose(kept[known].sum(-1), 1, rtol=1e-5)


def test_models_that_cannot_be_averaged_are_named_by_their_files(tmp_path):
    cube = Cube(np.random.default_rng(0).random((6, 6, 12), np.float32))
    (tmp_path / "run").mkdir()
    one = ready("savitzky_golay", cube.axis).save(tmp_path / "one.safetensors")
    other = ready("savitzky_golay", Cube(np.zeros((1, 9))).axis).save(tmp_path / "run" / "best.safetensors")
    with pytest.raises(ValueError, match=r"run/best.safetensors cannot be averaged with one.safetensors: it has"):
        predict(one, cube, ensemble=[other])


def test_metadata_of_the_source_model_do_not_apply_to_the_result(tmp_path):
    made = {"model": "x", "role": "result"}
    cube = Cube(np.random.default_rng(0).random((4, 5, 3), np.float32), pixel_size=(2, 2), metadata={"prediction": made, "origin": (1, 1)})
    for out in (None, tmp_path / "enlarged.zarr"):
        result = predict("bicubic", cube, out=out).result
        assert result.metadata["origin"] == (0.5, 0.5)
        assert "prediction" not in result.metadata
