"""Super-resolution of images of any size: the remedies that are named train, and results lie where their source does."""

import re

import numpy as np
import pytest
import torch

from napari_spectrai import Cube, Experiment, evaluate, predict, train
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.networks.upsampling import _reduction, unseen
from napari_spectrai.placement import KEY, Placement
from napari_spectrai.spec import SettingsError

SMALL = ("network={kind: rcan, width: 8, groups: 1, blocks: 1}", "training.epochs=1", "training.precision=fp32")


def scene(height, width, bands=3):
    y, x = np.mgrid[:height, :width]
    values = 3 + np.sin(y[..., None] / 5 + np.arange(bands)) + np.cos(x[..., None] / 4)
    return Cube(values.astype(np.float32), pixel_size=(2.0, 2.0), pixel_unit="um")


def trained(experiment, cube, run):
    """Return a model, or why there is none."""
    try:
        return train(experiment, cube, run=run)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("size", [(9, 9), (12, 12), (13, 11), (2, 9), (3, 40), (1, 40), (17, 23)])
@pytest.mark.filterwarnings("ignore::napari_spectrai.SpectralWarning")
def test_remedies_for_small_images_train_or_say_what_is_missing(factor, size, tmp_path):
    cube = scene(*size)
    changes = [*SMALL, f"task.factor={factor}"]
    for _ in range(3):
        made = trained(Experiment.default("super_resolution", cube).override(*changes), cube, tmp_path / str(len(changes)))
        if not isinstance(made, str):
            assert predict(made, cube).result.spatial_shape == (factor * size[0], factor * size[1])
            return
        if "add more pixels" in made or "pass an image of" in made:
            assert size[0] < 12  # no room for the patches of training and validation
            return
        named = re.search(r"set (\S+=[\w.]+)(?: and (\S+=[\w.]+))?", made)
        patch = re.search(r"(data\.patch): .* choose (\d+)", made)
        changes += [one for one in named.groups() if one] if named else ["=".join(patch.groups())]
    pytest.fail(f"the remedies {changes} do not train")


@pytest.mark.parametrize(("patch", "factor", "advised"), [(4, 3, 6), (10, 3, 9), (10, 4, 8), (5, 2, 4), (64, 3, 63), (5, 4, 4)])
def test_the_patch_that_is_advised_is_the_next_smaller_one_that_fits(patch, factor, advised):
    cube = scene(200, 200)
    experiment = Experiment.default("super_resolution", cube).override(*SMALL, f"task.factor={factor}", f"data.patch={patch}")
    (problem,) = problems_with(experiment, [cube], [])
    assert problem.message.endswith(f"choose {advised}")
    assert not problems_with(experiment.override(f"data.patch={advised}"), [cube], [])


def test_a_training_may_follow_a_prediction_of_the_same_size():
    _reduction.cache_clear()
    with torch.inference_mode():
        unseen(torch.rand(1, 6, 9, 2), 3)
    image = torch.rand(1, 6, 9, 2, requires_grad=True)
    unseen(image, 3).square().sum().backward()
    assert image.grad is not None


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.filterwarnings("ignore::napari_spectrai.SpectralWarning")
def test_finer_pixels_cover_what_the_coarse_ones_cover(factor, tmp_path):
    cube = scene(24, 25)
    experiment = Experiment.default("super_resolution", cube).override(
        "network={kind: bicubic}", f"task.factor={factor}", f"data.patch={2 * factor}"
    )
    result = predict(train(experiment, cube, run=tmp_path), cube).result
    assert result.pixel_size == (2 / factor, 2 / factor)
    with pytest.raises((ValueError, SettingsError), match=r"24 × 25|pixels"):
        evaluate(result, cube, "super_resolution")


@pytest.mark.parametrize("kind", ["bicubic", "rcan"])
def test_a_smaller_patch_is_named_where_the_given_one_leaves_no_room(kind, tmp_path):
    cube = scene(24, 25)
    changes = [*SMALL, f"network.kind={kind}"] if kind == "rcan" else ["network={kind: bicubic}"]
    experiment = Experiment.default("super_resolution", cube).override(*changes, "task.factor=4", "data.patch=20")
    assert re.search(r"set data\.patch=\d+", trained(experiment, cube, tmp_path))


@pytest.mark.parametrize(("size", "factor"), [((39, 43), 2), ((41, 44), 2), ((59, 66), 3), ((79, 90), 4)])
def test_a_truth_of_another_size_is_refused_with_a_crop_that_fits(size, factor):
    cube, truth = scene(20, 22), scene(*size)
    with pytest.raises(ValueError, match="crop both: ") as refused:
        Experiment.default("super_resolution", cube, truth)
    crop, _, rest = str(refused.value).partition("crop both: ")[2].partition(" and ")
    both = (eval(crop, {"cube": cube}), eval(rest.partition("],")[0] + "]", {"truth": truth}))
    assert Experiment.default("super_resolution", *both).task.factor == factor
    with pytest.raises(ValueError, match="choose the task denoising"):
        Experiment.default("super_resolution", cube, cube)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.filterwarnings("ignore::napari_spectrai.SpectralWarning")
def test_a_truth_that_shows_less_is_paired_by_position(factor, tmp_path):
    fine = scene(20 * factor, 22 * factor)
    coarse = fine.data.reshape(20, factor, 22, factor, -1).mean((1, 3))
    matrix, own = np.diag([3.0, 3.0, 1.0]), np.diag([3 / factor, 3 / factor, 1.0])
    matrix[:2, 2] = (3 - 3 / factor) / 2
    cube = Cube(coarse, metadata={KEY: Placement(matrix, (20, 22), ("um",) * 2).to_json()})
    shown = (18 * factor, 21 * factor)
    truth = Cube(fine.data[: shown[0], : shown[1]], metadata={KEY: Placement(own, shown, ("um",) * 2).to_json()})
    experiment = Experiment.default("super_resolution", cube, truth).override("network={kind: bicubic}")
    assert experiment.task.factor == factor
    result = predict(train(experiment, cube, truth, run=tmp_path), cube).result
    np.testing.assert_allclose(result.placement.matrix, own, atol=1e-9)  # the first fine pixels coincide
    assert evaluate(result, truth, "super_resolution").rows["result"]["mse"] < 1e-3
