"""What is smaller than a patch, or not divisible by a network's grid: extended by reflection, by one rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spectrai import Cube, Experiment, Model, compare, predict, train
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.labels import Labels
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.data.sampling_order import in_turn, planes_of
from napari_spectrai.networks import build
from napari_spectrai.networks.blocks import cropped, padded
from napari_spectrai.plan.reflection import extended, reflect, reflected

SIZES = [(75, 70), (59, 70), (55, 60)]
QUICK = ("training.epochs=1", "training.device=cpu", "training.precision=fp32", "training.batch=2", "data.per_image=1")


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("wanted", [1, 4, 9, 40])
def test_reflection_pads_as_numpy_does(length, wanted):
    values = np.arange(length) + 10
    wanted = max(length, wanted)
    np.testing.assert_array_equal(values[reflected(length, wanted)], np.pad(values, (0, wanted - length), mode="reflect"))
    image = np.arange(length * 3 * 2).reshape(1, length, 3, 2)
    np.testing.assert_array_equal(
        reflect(image, (wanted, 5), 1), np.pad(image, ((0, 0), (0, wanted - length), (0, 2), (0, 0)), mode="reflect")
    )


@pytest.mark.parametrize(("length", "least", "multiple"), [(59, 64, 1), (75, 64, 1), (75, 64, 64), (5, 1, 8), (16, 32, 16)])
def test_lengths_are_extended_to_the_next_multiple(length, least, multiple):
    found = extended(length, least=least, multiple=multiple)
    assert found >= max(length, least)
    assert found % multiple == 0
    assert found - multiple < max(length, least)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_networks_see_the_same_reflection_and_crop_it_away(dims):
    shape = {1: (2, 3, 1, 5), 2: (2, 3, 5, 6), 3: (2, 1, 5, 6, 3)}[dims]
    x = torch.randn(shape)
    more, lengths = padded(x, dims, 8)
    np.testing.assert_array_equal(more.numpy(), reflect(x.numpy(), [8] * dims, x.ndim - dims))
    assert torch.equal(cropped(more, lengths), x)
    assert padded(more, dims, 8)[0] is more


def cubes(bands=5, sizes=SIZES):
    rng = np.random.default_rng(0)
    return [Cube(rng.random((*size, bands), dtype=np.float32) + 0.1, name=f"image {number}") for number, size in enumerate(sizes)]


def unet(task, **settings):
    network = {"kind": "unet", "dims": 2, "width": 4, "depth": 2, "norm": "layer"} | settings
    return {"task": task, "network": network, "data": {"patch": 64}, "preparation": []}


def doubled(cube):
    return Cube(2 * cube.numpy(), name=f"twice {cube.name}")


def masks(images):
    """Two classes that brightness tells apart, in few pixels."""
    found = []
    for cube in images:
        classes = (cube.numpy().mean(-1) > 0.6) + 1
        found.append(Labels(np.where(np.arange(classes.size).reshape(classes.shape) % 97 == 0, classes, 0)))
    return found


def tasks():
    images = cubes()
    kinds = [Labels(np.full(cube.spatial_shape, number % 2 + 1)) for number, cube in enumerate([*images, *cubes()])]
    yield "denoising", unet({"kind": "denoising"}, ridge=False), images, [doubled(cube) for cube in images]
    yield (
        "super-resolution",
        unet({"kind": "super_resolution", "factor": 4}) | {"network": {"kind": "rcan", "width": 8, "groups": 1}},
        images,
        [],
    )
    small = [Cube(cube.numpy()[:13, :14], name=cube.name) for cube in images]
    sharp = [Cube(cube.numpy()[:52, :56]) for cube in cubes()]
    yield (
        "pairs",
        unet({"kind": "super_resolution", "factor": 4, "learns_from": "pairs"}) | {"network": {"kind": "rcan", "width": 8, "groups": 1}},
        small,
        sharp,
    )
    yield "segmentation", unet({"kind": "segmentation", "unlabelled": 0}), images, masks(images)
    yield (
        "images",
        unet({"kind": "classification", "of": "images"}) | {"network": {"kind": "resnet", "dims": 2, "width": 4}},
        [*images, *cubes()],
        kinds,
    )


@pytest.mark.parametrize(("name", "document", "images", "truths"), list(tasks()), ids=lambda value: value if isinstance(value, str) else "")
def test_images_smaller_than_a_patch_train_validate_and_are_predicted(name, document, images, truths, tmp_path):
    experiment = Experiment.from_mapping(document).override(*QUICK, "training.ema=0")
    assert problems_with(experiment, images, truths) == []
    data = assemble(experiment, images, truths)
    times = data.times
    for place, cube in zip(data.places, images, strict=True):
        assert all(side * times >= 64 for side in place.padded[1:])
        values = data.inputs[place.base : place.base + place.size].view(*place.padded, -1).numpy()
        wanted = [(0, 0), *((0, whole - own) for whole, own in zip(place.padded[1:], cube.spatial_shape, strict=True)), (0, 0)]
        np.testing.assert_array_equal(values, np.pad(cube.numpy()[None], wanted, mode="reflect"))
    for part, samples in data.parts.items():
        x, y = data.batch(samples, torch.device("cpu"))
        assert x.shape[1:3] == (64 // times,) * 2
        if name == "denoising":
            torch.testing.assert_close(y, 2 * x)
        elif name == "pairs":
            assert y.shape[1:3] == (64, 64)
        elif name == "images":  # every patch has the class of its image, reflected or not
            assert bool((y.sum(-1) == 1).all()), part
        elif name == "segmentation":  # what is reflected has no truth of its own
            counted = sum(int((m == samples.part).sum()) for m in data.maps)
            labelled = sum(int(((m == samples.part) & (t.data.reshape(m.shape) > 0)).sum()) for m, t in zip(data.maps, truths, strict=True))
            assert part != "validation" or int(y.sum()) == labelled < counted
    model = train(experiment, images, truths or None, run=tmp_path / "run")
    result = predict(model, images[2]).result
    factor = experiment.task.enlarges
    if name != "images":
        assert result.shape[:2] == tuple(factor * side for side in images[2].spatial_shape)


def test_one_image_smaller_than_a_patch_is_refused_in_words():
    experiment = Experiment.from_mapping(unet({"kind": "denoising"}, ridge=False))
    image = cubes(sizes=[(55, 60)])
    found = problems_with(experiment, image, [doubled(image[0])])
    assert "patches of 64 pixels exceed the 55 × 60 pixels of 'image 0'" in str(found[0])
    assert "choose 20 or less, or pass several images" in str(found[0])
    smaller = experiment.override("data.patch=20")
    assert problems_with(smaller, image, [doubled(image[0])]) == []
    assert set(assemble(smaller, image, [doubled(image[0])]).parts) == {"training", "validation"}


@pytest.mark.parametrize("size", [(61, 53), (40, 75)])
def test_tiles_do_not_show_where_the_grid_does_not_divide_an_image(size):
    experiment = Experiment.from_mapping(unet({"kind": "denoising"}, ridge=False, depth=1, last_kernel=3, slim=True, convolutions=1))
    torch.manual_seed(0)
    network = build(experiment.network, 5, 5).eval()
    image = cubes(sizes=[size])[0]
    model = Model(network, ModelCard("m", experiment, image.axis, image.axis, "2026-01-01 00:00", []), {})
    tile = 2 * (2 * experiment.network.context + experiment.network.grid)
    assert tile < max(size)
    np.testing.assert_allclose(predict(model, image, tile=tile).result.numpy(), predict(model, image, tile=4096).result.numpy(), atol=1e-5)


def test_every_image_gives_as_many_patches(tmp_path):
    images = cubes(sizes=[(75, 70), (64, 64), (66, 64), (64, 64)])
    experiment = Experiment.from_mapping(unet({"kind": "denoising"}, ridge=False)).override("data.per_image=2", "split.method=file")
    data = assemble(experiment, images, [doubled(cube) for cube in images])
    samples = data.parts["training"]
    of = planes_of(samples, data.places)
    assert of.unique().tolist() == [0, 1, 2]
    order = in_turn(torch.randperm(len(samples), generator=torch.Generator().manual_seed(1)), of)
    assert sorted(of[order[:3]].tolist()) == [0, 1, 2]
    assert sorted(of[order[3:5]].tolist()) == [0, 2]  # the second has a single patch
    assert sorted(order.tolist()) == list(range(len(samples)))


def test_super_resolution_of_sizes_that_the_factor_does_not_divide(tmp_path):
    image = cubes(sizes=[(100, 100)])[0]
    experiment = Experiment.from_mapping(
        unet({"kind": "super_resolution", "factor": 3}) | {"network": {"kind": "rcan", "width": 8, "groups": 1}}
    )
    experiment = experiment.override(*QUICK, "data.patch=24", "split.gap=0")
    model = train(experiment, [image], run=tmp_path / "run")
    coarse = Cube(image.numpy()[:33, :33])
    assert predict(model, coarse).result.shape == (99, 99, 5)
    assert "note: 100 × 100 pixels cannot be divided by 3; the first 99 × 99 are compared" in str(compare(model, None, image))
    with pytest.raises(ValueError, match="enlarged 3 times, the cube has 99 × 99 pixels, and the truth 100 × 100; crop the truth"):
        compare(model, coarse, image)
    compare(model, coarse, Cube(image.numpy()[:99, :99]))
    pairs = experiment.override("task.learns_from=pairs")
    found = problems_with(pairs, [coarse], [image])
    assert "crop the truth to 99 × 99 pixels" in str(found[0])
