"""Training data larger than memory: read in blocks through a shuffle buffer, with the samples and results of data in memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

from napari_spectrai import Cube, Experiment, Labels, fit, read, write
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.excerpt import reduced
from napari_spectrai.memory_map import release
from napari_spectrai.plan.storage import Source
from napari_spectrai.runs import Epoch, RunFolder, Saved, Started
from napari_spectrai.valid import holds_data

CPU = torch.device("cpu")
MEMORY = "training.memory=0.0003"
"""Less than the data below, in GB."""
ALONE = "task.learns_from=bands"
SPECTRA = Experiment().override("preparation=[]", "split.method=contiguous", "split.gap=0", "split.test=0.15", "training.batch=16")
PATCHES = SPECTRA.override("network=unet", "network.dims=2", "network.width=8", "network.depth=1", "data.patch=8", "split.validation=0.15")
FORMATS = (".zarr", ".ome.zarr", ".h5", ".hdr", ".npy")


def scene(seed: int = 0, shape: tuple[int, ...] = (70, 60, 20)) -> Cube:
    return Cube(np.random.default_rng(seed).random(shape, dtype=np.float32) + 0.5, name=f"scene {seed}")


def on_disk(cube: Cube, folder, suffix: str = ".zarr") -> Cube:
    return read(write(cube, folder / f"{cube.name.replace(' ', '_')}{suffix}"))


def batches(data: Dataset, epoch: int = 0, drawn: int | None = None, size: int = 16, first: int = 0):
    """Return the batches of an epoch from step `first` on."""
    assert data.stream is not None
    drawn = len(data.stream) if drawn is None else drawn
    sizes = [min(size, drawn - start) for start in range(0, drawn, size)]
    return list(data.stream.batches(epoch, drawn, sizes[first:], CPU))


def rows(parts) -> np.ndarray:
    """Return the samples of batches as sorted rows, inputs and truths side by side."""
    flat = torch.cat([torch.cat([part.flatten(1) for part in pair if part is not None], 1) for pair in parts]).numpy()
    return flat[np.lexsort(flat.T[:3])]


@pytest.mark.parametrize(("experiment", "suffix"), [*((SPECTRA, suffix) for suffix in FORMATS), (PATCHES, ".zarr"), (PATCHES, ".hdr")])
def test_an_epoch_of_all_samples_is_that_of_data_in_memory(experiment, suffix, tmp_path):
    cube, truth = (on_disk(scene(seed), tmp_path, suffix) for seed in (0, 1))
    whole, data = assemble(experiment, [cube], [truth]), assemble(experiment.override(MEMORY), [cube], [truth])
    assert data.stream is not None
    assert whole.stream is None
    assert data.training_samples == len(whole.parts["training"])
    found = batches(data)
    assert [len(x) for x, _ in found[:-1]] == [16] * (len(found) - 1)
    np.testing.assert_array_equal(rows(found), rows(whole.batches("training", 512, CPU)))
    for one, other in zip(data.split, whole.split, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("experiment", [SPECTRA, PATCHES], ids=["spectra", "patches"])
def test_the_order_follows_from_the_epoch_and_what_precedes_a_step_is_not_read(experiment, tmp_path):
    cubes = [on_disk(scene(seed), tmp_path) for seed in (0, 1)]
    data = assemble(experiment.override(MEMORY), cubes[:1], cubes[1:])
    first, work = batches(data, epoch=3, drawn=800), replace(data.stream.work)
    rest = batches(data, epoch=3, drawn=800, first=40)
    assert len(rest) == len(first) - 40
    for pair, other in zip(first[40:], rest, strict=True):
        assert all(torch.equal(one, two) for one, two in zip(pair, other, strict=True))
    assert data.stream.work.blocks - work.blocks < work.blocks
    other = batches(data, epoch=4, drawn=800)
    assert not torch.equal(first[0][0], other[0][0])


def test_every_block_is_read_once_an_epoch_and_the_buffer_stays_within_its_limit(tmp_path):
    cubes = [on_disk(scene(seed), tmp_path) for seed in (0, 1)]
    data = assemble(SPECTRA.override(MEMORY), cubes[:1], cubes[1:])
    batches(data)
    work, blocks = data.stream.work, data.stream.order.blocks
    assert len(blocks) > 8
    assert work.blocks == len(blocks)
    assert work.pixels < 1.2 * data.training_pixels
    assert work.most_bytes <= 0.5 * 0.3e6
    assert 4 * (data.inputs.nelement() + data.truths.nelement()) <= 0.25 * 0.3e6


def test_few_patches_are_read_from_few_blocks_and_differ_from_epoch_to_epoch(tmp_path):
    cubes = [on_disk(scene(seed, (160, 120, 8)), tmp_path) for seed in (0, 1)]
    data = assemble(PATCHES.override(MEMORY, "data.samples=32"), cubes[:1], cubes[1:])
    found = [rows(batches(data, epoch=epoch, drawn=32)) for epoch in range(3)]
    assert all(len(np.unique(one, axis=0)) == 32 for one in found)
    assert not np.array_equal(found[0], found[1])
    assert data.stream.work.pixels < 3 * 160 * 120 / 2


def test_more_patches_than_there_are_repeat_each_as_often(tmp_path):
    cube = on_disk(scene(0, (60, 24, 8)), tmp_path)
    data = assemble(PATCHES.override("training.memory=0.00001", "data.patch=16", "split.test=0", ALONE), [cube], [])
    count = len(data.stream)
    found = rows(batches(data, drawn=3 * count))
    assert set(np.unique(found, axis=0, return_counts=True)[1].tolist()) == {3}


def test_each_image_gives_its_number_of_patches_in_order_of_its_seed(tmp_path):
    cubes = [on_disk(scene(seed), tmp_path) for seed in range(4)]
    experiment = PATCHES.override(MEMORY, "data.per_image=5", "split.method=file", "split.test=0")
    data = assemble(experiment, cubes[:2] + cubes[2:], [cubes[3], cubes[2], cubes[1], cubes[0]])
    assert data.stream.images == 3
    found = torch.cat([x for x, _ in batches(data, drawn=15)])
    of = [int(np.isin(found[:, 0, 0, 0].numpy(), cube.numpy()[..., 0]).sum()) for cube in cubes]
    assert of == [5, 5, 5, 0]


@pytest.mark.parametrize("suffix", [".zarr", ".hdr"])
def test_pixels_without_data_are_left_out_also_in_blocks(suffix, tmp_path):
    values = scene().numpy().copy()
    values[:20, :30] = 0
    values[40:44, 10:20, 3] = np.nan
    cube, truth = on_disk(Cube(values, name="holes"), tmp_path, suffix), on_disk(scene(1), tmp_path, suffix)
    for experiment in (SPECTRA, PATCHES):
        whole, data = assemble(experiment, [cube], [truth]), assemble(experiment.override(MEMORY), [cube], [truth])
        assert data.training_samples == len(whole.parts["training"])
        assert any("640 of 4,200 spectra hold no data" in note for note in data.notes)
        found, wanted = batches(data), list(whole.batches("training", 512, CPU))
        assert not any(x.isnan().any() for x, _ in found)
        assert sum(int(y.isnan().sum()) for _, y in found) == sum(int(y.isnan().sum()) for _, y in wanted)
        known = [torch.where(y.isnan().any(-1, keepdim=True), 0, x) for x, y in found]
        np.testing.assert_allclose(sum(float(x.double().sum()) for x in known), sum(
            float(torch.where(y.isnan().any(-1, keepdim=True), 0, x).double().sum()) for x, y in wanted), rtol=1e-9)  # fmt: skip


def test_spectra_that_the_preparation_makes_infinite_are_left_out(tmp_path):
    values = scene().numpy().copy()
    values[5:8, 5:8] = 3e38
    cube = on_disk(Cube(values, name="bright"), tmp_path)
    experiment = SPECTRA.override("preparation=[{kind: scale, factor: 0.001}]", ALONE)
    with np.errstate(over="ignore"):
        whole, data = assemble(experiment, [cube], []), assemble(experiment.override(MEMORY), [cube], [])
    assert data.training_samples == len(whole.parts["training"]) == whole.training_pixels
    assert "9 spectra become NaN or infinite in the preparation and are left out." in data.notes
    assert "9 spectra become NaN or infinite in the preparation and are left out." in whole.notes
    assert all(bool(x.isfinite().all()) for x, _ in batches(data))


def test_a_stream_names_its_training_spectra_as_data_in_memory_do(tmp_path):
    cube, truth = (on_disk(scene(seed), tmp_path) for seed in (0, 1))
    whole, data = (assemble(SPECTRA.override(*more), [cube], [truth]) for more in ([], [MEMORY]))
    np.testing.assert_array_equal(data.fingerprints.hashes, whole.fingerprints.hashes)
    assert data.fingerprints.count == whole.fingerprints.count


@pytest.mark.parametrize("experiment", [SPECTRA, PATCHES.override("data.samples=64")], ids=["spectra", "patches"])
def test_a_streamed_training_that_is_interrupted_goes_on_as_if_it_had_not_been(experiment, tmp_path):
    quick = experiment.override(MEMORY, "training.epochs=2", "training.device=cpu", "training.precision=fp32", "network.width=8",
                                "preparation=[scale]", "augmentation=[noise]")  # fmt: skip
    cubes = [on_disk(scene(seed), tmp_path) for seed in (0, 1)]
    through = list(fit(quick, cubes[0], cubes[1], run=tmp_path / "through"))
    began = next(event for event in through if isinstance(event, Started))
    assert any("shuffle buffer" in note for note in began.notes)
    events = fit(quick, cubes[0], cubes[1], run=tmp_path / "killed")
    for event in events:
        if isinstance(event, Saved) and event.which == "last":
            events.close()
    resumed = list(fit(run=tmp_path / "killed", resume=True))
    ends = [
        [event.validation for event in RunFolder(tmp_path / name).events() if isinstance(event, Epoch)] for name in ("through", "killed")
    ]
    assert ends[0] == ends[1]
    assert len(ends[0]) == 2
    assert resumed[-1].reason == "done"


def test_the_limit_decides_and_a_few_patches_of_large_data_are_not_worth_loading_all(tmp_path, monkeypatch):
    cube = on_disk(scene(), tmp_path)
    assert assemble(SPECTRA.override(ALONE), [cube], []).stream is None
    assert assemble(SPECTRA.override(ALONE, MEMORY), [cube], []).stream is not None
    monkeypatch.setattr("napari_spectrai.plan.memory.SMALL", 1000)
    few = PATCHES.override(ALONE, "data.samples=2", "training.epochs=1")
    assert assemble(few, [cube], []).stream is not None
    assert assemble(few.override("training.epochs=100"), [cube], []).stream is None


def test_data_in_memory_are_held_once(tmp_path):
    cube, truth = (on_disk(scene(seed, (600, 400, 40)), tmp_path, ".hdr") for seed in (0, 1))
    tracemalloc.start()
    data = assemble(SPECTRA.override("preparation=[scale]"), [cube], [truth])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one = 4 * (data.inputs.nelement() + data.truths.nelement())
    assert one == 2 * 600 * 400 * 40 * 4
    assert peak < 1.5 * one
    kept = scene(3)
    assert assemble(SPECTRA.override(ALONE), [kept], []).inputs.data_ptr() == kept.data.__array_interface__["data"][0]


def test_pages_of_a_memory_map_are_released(tmp_path):
    cube = on_disk(Cube(np.ones((400, 300, 100), np.float32), name="ones"), tmp_path, ".npy")
    process = psutil.Process()
    before = process.memory_full_info().uss
    holds_data(cube)
    for region in Source(cube).regions(2**20):
        Source(cube).read(region)
    assert process.memory_full_info().uss - before < cube.data.nbytes / 2
    writable = np.memmap(tmp_path / "w", mode="w+", shape=8)
    writable[:] = 7
    release(writable[2:])
    assert (writable == 7).all()


def test_a_classical_method_is_fitted_to_the_excerpt(tmp_path):
    cubes = [on_disk(scene(seed), tmp_path) for seed in (0, 1)]
    events = list(fit(SPECTRA.override(MEMORY, "network=ridge"), cubes[0], cubes[1], run=tmp_path / "run"))
    began = next(event for event in events if isinstance(event, Started))
    assert any("fitted to an excerpt" in note for note in began.notes)
    count = sum(int((labels == 1).sum()) for labels in RunFolder(tmp_path / "run").maps())
    assert any(f"of the {count:,} training spectra" in note for note in began.notes)


def test_of_labelled_images_only_the_windows_around_labels_are_read(tmp_path):
    cube = on_disk(scene(0, (300, 260, 12)), tmp_path, ".hdr")
    classes = np.zeros((300, 260), np.uint8)
    classes[10:30, 10:60], classes[200:240, 150:190] = 1, 2
    network = "network={kind: unet, dims: 2, width: 8, depth: 1}"
    experiment = Experiment.default("segmentation", cube, Labels(classes)).override(network, "data.patch=16", "split.block=8")
    whole, data = (assemble(experiment.override(*more), [cube], [Labels(classes)]) for more in ([], ["training.memory=0.002"]))
    assert len(data.inputs) < len(whole.inputs) / 3
    assert {name: len(part) for name, part in data.parts.items()}.keys() == whole.parts.keys()
    assert data.training_pixels >= sum(int(((m == 1) & (classes[None] > 0)).sum()) for m in whole.maps)
    np.testing.assert_array_equal(data.fingerprints.hashes, whole.fingerprints.hashes)
    for one, other in zip(data.split, whole.split, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any("windows around labels are read, with 2,600 of the 2,600 labelled pixels" in note for note in data.notes)


def test_methods_are_compared_on_windows_of_data_that_are_too_large_for_it(tmp_path):
    cube = on_disk(scene(0, (300, 260, 12)), tmp_path, ".hdr")
    some, words = reduced(Experiment().override("training.memory=0.01"), [cube])
    assert sum(one.count for one in some) < 26_042
    assert all(one.spatial_shape[0] in (128, 44) for one in some)
    assert "of 78,000 spectra" in words
    assert reduced(Experiment(), [cube])[1] == ""
