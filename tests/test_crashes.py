"""What is offered works, or is refused in words before anything is learnt; and what a refusal advises can be done."""

from __future__ import annotations

import re
import sys
import types
import warnings
from importlib.metadata import EntryPoint
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import torch

from napari_spectrai import Cube, Experiment, SpectralAxis, fit, predict, preprocess
from napari_spectrai.experiment.augmentations import augmentations
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.experiment.ineffective import without_effect
from napari_spectrai.experiment.losses import losses
from napari_spectrai.experiment.network_spec import looks_around, networks
from napari_spectrai.experiment.suitability import Suitability
from napari_spectrai.experiment.training import OneCycle, optimisers, schedules
from napari_spectrai.float_range import beyond_float32
from napari_spectrai.labels import Labels
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.train.step_timing import time_steps
from napari_spectrai.notices import SpectralWarning
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.size import extent
from napari_spectrai.plan.truths import gather
from napari_spectrai.preparation import steps
from napari_spectrai.runs import Started
from napari_spectrai.runs.estimate import questioned
from napari_spectrai.spec import Named, PluginWarning, Registry

BANDS = 12
AXIS = SpectralAxis(np.linspace(500, 700, BANDS), "nm")
SHORT = ("training.epochs=2", "training.batch=8", "training.device=cpu", "training.optimiser.lr=0.001")


@pytest.fixture(autouse=True)
def without_rivals(monkeypatch):
    """Leave out the classical methods beside a network, which take most of the time and have tests of their own."""
    monkeypatch.setattr("napari_spectrai.learn.classical.fit_baselines", lambda *_, **__: {})


def _scene(seed: int, *shape: int) -> np.ndarray:
    """Return noisy mixtures of two peaks, float32, of shape (*shape, BANDS)."""
    rng = np.random.default_rng(seed)
    peaks = np.exp(-0.5 * ((np.arange(BANDS) - np.array([[3.0], [8.0]])) / 1.5) ** 2)
    return (rng.uniform(0.2, 1, (*shape, 2)) @ peaks + rng.normal(0.1, 0.02, (*shape, BANDS))).astype(np.float32)


def _marked() -> np.ndarray:
    labels = np.zeros((16, 16), int)
    labels[::2, :8], labels[::2, 8:] = 1, 2
    return labels


def _cases() -> dict[str, tuple]:
    image, spectra = Cube(_scene(0, 16, 16), AXIS, name="image"), Cube(_scene(1, 40), AXIS, name="set")
    clean_image, clean = (Cube(np.clip(cube.data, 0.05, None), AXIS, name="clean") for cube in (image, spectra))
    other = Cube(clean.data[:, ::2].copy(), SpectralAxis(AXIS.values[::2], "nm"), name="other")
    classes = Cube(np.where((_marked() == 2)[..., None], image.data[..., ::-1], image.data), AXIS, name="classes")
    stack = Cube(_scene(2, 8, 8, 8), AXIS, name="stack")
    patches = ("data.patch=4", "data.samples=8")
    return {
        "denoising": ("denoising", spectra, clean, ()),
        "denoising, image": ("denoising", image, clean_image, patches),
        "denoising, bands": ("denoising", image, None, patches),
        "denoising, masked": ("denoising", spectra, None, ()),
        "denoising, recorrupted": ("denoising", spectra, None, ("task.learns_from=recorrupted",)),
        "denoising, repeats": ("denoising", spectra, clean, ("task.learns_from=repeats",)),
        "calibration": ("calibration", spectra, other, ()),
        "super-resolution": ("super_resolution", image, None, patches),
        "super-resolution, pairs": ("super_resolution", Cube(image.data[::2, ::2].copy(), AXIS), image, patches),
        "classification": ("classification", spectra, Labels(np.arange(40) % 2 + 1), ()),
        "classification, images": ("classification", stack, Labels(np.arange(8) % 2 + 1), ("data.patch=8",)),
        "segmentation": ("segmentation", classes, Labels(_marked()), ("data.patch=8", "data.samples=8")),
    }


CASES = _cases()


def _trained(case: str, *overrides: str, folder: Path) -> Model | str:
    """Train as a case is offered, with some changes; return the model, or why it was refused before anything was learnt."""
    task, cube, truth, settings = CASES[case]
    return _tried(Experiment.default(task, cube, truth).override(*SHORT, *settings), cube, truth, *overrides, folder=folder)


def _tried(experiment: Experiment, cube, truth, *overrides: str, folder: Path) -> Model | str:
    try:
        experiment = experiment.override(*overrides)
    except ValueError as error:
        return str(error)
    events = fit(experiment, cube, truth, run=folder)
    try:
        while not isinstance(next(events), Started):
            pass
    except ValueError as error:
        return str(error)
    while True:  # what fails from here on has begun to learn, and is no refusal
        try:
            next(events)
        except StopIteration as end:
            return end.value


def _narrow(kind: str) -> list[str]:
    """Return settings that make a network small, where it has such."""
    fields = networks[kind].model_fields
    small = {"width": 8, "depth": 1, "groups": 1, "blocks": 1, "passes": 1}
    found = []
    for name, value in small.items():
        if name in fields:
            least = next((limit.ge for limit in fields[name].metadata if hasattr(limit, "ge")), value)
            found.append(f"network.{name}={max(value, least)}")
    return found


RESTORING, CLASSES = ("denoising", "denoising, bands", "super-resolution"), ("classification", "segmentation")
OFFERED = [("loss", kind, case) for n, kind in enumerate(losses) for m, case in enumerate((*RESTORING, *CLASSES)) if (n + m) % 2 == 0]
OFFERED += [("augmentation", kind, case) for kind in augmentations for case in ("denoising", "super-resolution", "segmentation")]
OFFERED += [("training.optimiser", kind, "denoising") for kind in optimisers]
OFFERED += [("training.schedule", kind, "denoising") for kind in schedules]


@pytest.mark.parametrize(("where", "kind", "case"), OFFERED)
def test_every_kind_trains_or_is_refused_with_a_reason(where, kind, case, tmp_path):
    task, cube, truth, _ = CASES[case]
    narrow = _narrow(Experiment.default(task, cube, truth).network.kind)
    found = _trained(case, *narrow, f"{where}=[{kind}]" if where == "augmentation" else f"{where}={kind}", folder=tmp_path / "run")
    if isinstance(found, str):
        assert "does not suit the task" in found or "reduces patches" in found
        offer = Suitability(Experiment.default(task, cube, truth).task, in_windows=where == "augmentation")
        assert offer.why_not((losses if where == "loss" else augmentations)[kind])


@pytest.mark.parametrize("kind", list(steps))
def test_every_step_trains_or_is_refused_with_a_reason(kind, tmp_path):
    found = _trained("denoising", f"preparation=[{kind}]", "network.width=8", folder=tmp_path / "run")
    assert isinstance(found, Model) or len(found) > 20


TRAINED = [case for case in CASES if case not in ("denoising, masked", "denoising, recorrupted", "denoising, repeats")]
# each network on a third of the cases, in turn, and each case with a third of the networks: all together take many minutes
EACH = [(kind, case) for n, kind in enumerate(networks) for m, case in enumerate(TRAINED) if (n + m) % 3 == 0]


@pytest.mark.parametrize(("kind", "case"), EACH)
def test_every_network_trains_and_predicts_or_is_refused_with_a_reason(kind, case, tmp_path):
    task, cube, truth, _ = CASES[case]
    cls, suits = networks[kind], Experiment.default(task, cube, truth).task
    if suits.kind not in cls.tasks:
        with pytest.raises(ValueError, match="does not suit the task"):
            Experiment.default(task, cube, truth).override(f"network={kind}")
        return
    offer = Suitability(suits, is_image=cube.is_image)
    begins = [f"network.{name}={value}" for name, value in offer.start(cls).items()]
    model = _trained(case, f"network={kind}", *begins, *_narrow(kind), "training.batch=32", folder=tmp_path / "run")
    if offer.why_not(cls):
        assert isinstance(model, str)
        return
    assert isinstance(model, Model), model
    saved = Model.load(tmp_path / "run" / "best.safetensors")
    told = [predict(one, cube, **how) for one, how in ((model, {}), (saved, {}), (saved, {"out": tmp_path / "result.zarr"}))]
    first, *others = (np.asarray(getattr(one.result, "data", one.result)) for one in told)
    assert np.isfinite(first.astype(float)).all()
    for other in others:
        np.testing.assert_array_equal(other, first)
    if cls.classical and not cls.whole and not suits.of_images:
        _assert_tiles_do_not_show(saved, cube)


def _assert_tiles_do_not_show(model: Model, cube: Cube) -> None:
    """A scene larger than two tiles, in tiles and in one piece."""
    spec = model.description.experiment.network
    if looks_around(spec):
        side = 4 * spec.context + 2
        cube = Cube(np.resize(cube.numpy(), (side + 5, side + 3, cube.shape[-1])), cube.axis)
    tiles, whole = (predict(model, cube, tile=tile) for tile in (max(1, 2 * (2 * spec.context + 1)), 4096))
    for one, other in ((tiles.result, whole.result), (tiles.probabilities, whole.probabilities)):
        if isinstance(one, Cube):
            near = 5e-3 if getattr(spec, "finds", []) else 1e-4  # abundances are found in steps, until little changes
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=near)


# ---------------------------------------------------------------- losses and schedules


def test_a_sum_without_parts_is_the_tasks_own_loss(tmp_path):
    alone, summed = (_trained("denoising", f"loss={kind}", folder=tmp_path / kind) for kind in ("mse", "sum"))
    one, other = (model.network.state_dict() for model in (alone, summed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_sum_is_of_losses_that_suit_and_weigh_something():
    for setting, message in (
        ("loss={kind: sum, parts: [dice]}", "loss 'dice' in the sum does not suit the task 'denoising'; known:.*mse"),
        ("loss={kind: sum, parts: [mse], shares: [0]}", "all weights are 0"),
        ("loss={kind: sum, parts: [mse], shares: [-1]}", "greater than or equal to 0"),
    ):
        with pytest.raises(ValueError, match=message):
            Experiment().override(setting)


@pytest.mark.parametrize("kind", list(schedules))
@pytest.mark.parametrize("rise", [0.1, 0.2, 0.25, 0.3, 0.5, 1 / 3, 0.999999, 1 - 2**-53, 1e-9])
def test_a_schedule_of_any_length_runs_to_its_end(kind, rise):
    spec = OneCycle(rise=rise) if kind == "one_cycle" else schedules.parse(kind)
    for steps_an_epoch, epochs in [(total, 1) for total in range(1, 13)] + [(1, 5), (5, 2), (3, 4)]:
        weights = torch.nn.Parameter(torch.zeros(1))
        optimiser = torch.optim.AdamW([weights], lr=0.1)
        schedule, pace = spec.load()(spec, optimiser, steps_an_epoch, epochs)
        for step in range(steps_an_epoch * epochs):
            assert 0 <= optimiser.param_groups[0]["lr"] <= 0.1 + 1e-12
            optimiser.step()
            if pace == "step":
                schedule.step()
            elif (step + 1) % steps_an_epoch == 0:
                schedule.step(*([1.0] if pace == "metric" else []))


# ---------------------------------------------------------------- how long it will take


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("changes", ["training.epochs=1", "training.epochs=1 training.batch=2", "training.epochs=1 training.batch=99"])
def test_a_training_of_any_length_is_estimated(case, changes, monkeypatch):
    monkeypatch.setattr("napari_spectrai.learn.train.step_timing.SECONDS", 0.2)
    task, cube, truth, settings = CASES[case]
    experiment = Experiment.default(task, cube, truth).override(*SHORT, *settings, "training.schedule=one_cycle", *changes.split())
    experiment = experiment.override(*_narrow(experiment.network.kind))
    cubes, truths = gather(experiment, cube, truth)
    large = extent(experiment, cubes, truths, divide(experiment, cubes, truths))
    estimate = time_steps(questioned(experiment, large, cubes, truths))
    assert estimate.seconds(experiment, large) > 0
    assert ("up to" if experiment.network.chooses else "about") in estimate.words(experiment, large)


# ---------------------------------------------------------------- data that hardly are any


def _data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)

    def random(*shape: int) -> np.ndarray:
        return (rng.random(shape) + 0.1).astype(np.float32)

    sizes = {f"{'×'.join(map(str, shape))}": random(*shape) for shape in (
        (1, 1, 9), (1, 8, 9), (8, 1, 9), (2, 2, 9), (4, 4, 9), (6, 6, 9), (8, 8, 9), (12, 12, 9), (12, 12, 1), (12, 12, 2), (12, 12, 3),
        (1, 9), (2, 9), (3, 9), (10, 9), (10, 1), (10, 2),
    )}  # fmt: skip
    image = random(12, 12, 9)
    return sizes | {
        "constant": np.full((12, 12, 9), 3, np.float32), "constant set": np.full((20, 9), 2.0, np.float32),
        "zeros": np.zeros((12, 12, 9), np.float32), "zeros, set": np.zeros((20, 9), np.float32),
        "one spectrum everywhere": np.broadcast_to(image[0, 0], image.shape).copy(),
        "flat spectra": np.broadcast_to(image[..., :1], image.shape).copy(), "1e30": image * np.float32(1e30),
        "1e-30": image * np.float32(1e-30), "1e200": image.astype(np.float64) * 1e200,
        "integers": (image * 1000).astype(np.int16), "bytes": (image * 200).astype(np.uint8),
        "truth values": image > 0.6, "negative": -image,
    }  # fmt: skip


DATA = _data()


def _advice(message: str) -> list[str]:
    """Return the settings that a message names as its remedy."""
    return re.findall(r"(?:set|and) ((?:split|data|network|task)\.[a-z_]+=[^\s;,]+)", message)


LEARNS = ["as offered", "pairs", "bands", "masked", "recorrupted"]


@pytest.mark.parametrize(
    ("name", "learns_from"), [(name, way) for n, name in enumerate(DATA) for m, way in enumerate(LEARNS) if m == 0 or (n + m) % 3 == 0]
)
def test_denoising_of_any_data_trains_or_says_what_can_be_done(name, learns_from, tmp_path):
    data = DATA[name]
    truth = data.copy() if learns_from == "pairs" else None
    experiment = Experiment.default("denoising", data, truth).override(*SHORT, "data.samples=8")
    other = [] if learns_from in ("as offered", "pairs") else [f"task.learns_from={learns_from}"]
    experiment = experiment.override(*_narrow(experiment.network.kind), *other)
    found = _tried(experiment, data, truth, folder=tmp_path / "run")
    if isinstance(found, Model):
        result = predict(found, data).result.numpy()
        assert np.isfinite(result).all()
        return
    advice = _advice(found)
    assert advice or re.search(
        r"(give|pass|add) (two|a second|more|files)|use data that contain|crop the empty|divide it first|choose other data", found
    ), found
    if advice:
        assert isinstance(_tried(experiment, data, truth, *advice, folder=tmp_path / "again"), Model), found


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (2, 2), (4, 4), (6, 6), (9, 9), (16, 16)])
@pytest.mark.parametrize("few", [True, False])
def test_classes_of_any_image_train_or_say_what_can_be_done(size, few, tmp_path):
    rng = np.random.default_rng(4)
    cube = (rng.random((*size, 9)) + 0.1).astype(np.float32)
    labels = (np.arange(size[0] * size[1]) % 2 + 1).reshape(size)
    if few:
        labels[1:-1] = 0
    for task in ("segmentation", "classification"):
        experiment = Experiment.default(task, cube, labels).override(*SHORT)
        found = _tried(experiment, cube, labels, folder=tmp_path / task)
        advice = _advice(found) if isinstance(found, str) else []
        assert isinstance(found, Model) or advice or re.search("pass two or more|label more|at least two classes", found), found
        if advice:
            assert isinstance(_tried(experiment, cube, labels, *advice, folder=tmp_path / f"{task} again"), Model), found


@pytest.mark.parametrize("kind", [kind for kind in networks if "dims" in networks[kind].model_fields or networks[kind].dimensions == (2,)])
def test_what_is_advised_for_a_set_of_spectra_can_be_set(kind):
    cube = Cube(_scene(5, 30), AXIS)
    for task in networks[kind].tasks - {"super_resolution"}:
        truth = Labels(np.arange(30) % 2 + 1) if task in ("classification", "segmentation") else cube
        experiment = Experiment.default(task, cube, None if task == "denoising" else truth).override(f"network={kind}")
        dims = ["network.dims=2"] if "dims" in networks[kind].model_fields else []
        found = [p.message for p in problems_with(experiment.override(*dims), [cube], [] if task == "denoising" else [truth])]
        told = next(message for message in found if "without neighbours" in message)
        other = re.search(r"known: (\w+)", told)
        advice = _advice(told) or [f"network={other.group(1)}"]
        left = problems_with(experiment.override(*dims, *advice), [cube], [] if task == "denoising" else [truth])
        assert not any("without neighbours" in problem.message for problem in left)


def test_a_network_for_whole_images_is_advised_where_dims_cannot_be_set():
    cube, labels = CASES["classification, images"][1:3]
    experiment = Experiment.default("classification", cube, labels)
    for kind in ("spectral_cnn", "resnet"):
        inputs, targets = gather(experiment, cube, labels)
        (problem,) = problems_with(experiment.override(f"network={kind}", "data.patch=8"), inputs, targets) or [None]
        has_dims = "dims" in networks[kind].model_fields
        assert problem.path == ("network.dims" if has_dims else "network")
        assert ("set network.dims=2" in problem.message) == has_dims


def test_of_two_settings_the_one_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="network 'resnet' does not suit the task 'denoising'"):
        Experiment().override("network=resnet", "network.dims=1")
    with pytest.raises(ValueError, match="there is no 'network.widt'"):
        Experiment().override("network=unet", "network.widt=8")


# ---------------------------------------------------------------- what is offered does something


def test_what_does_nothing_is_not_offered_and_said_where_it_is_set():
    spectra, image = CASES["denoising"][1], CASES["denoising, image"][1]
    task = Experiment().task
    for kind, patches_only in (("flip", True), ("rotate", True), ("random_crop", True), ("noise", False)):
        cls, document = augmentations[kind], Experiment().override("network=unet", f"augmentation=[{kind}]")
        for cube, dims, looks in ((spectra, 1, False), (image, 1, False), (image, 2, True)):
            nothing = patches_only and not looks
            said = without_effect(document.override(f"network.dims={dims}"), [cube])
            assert bool(said) == nothing
            assert bool(Suitability(task, is_image=cube.is_image, looks_around=looks).why_not(cls)) == nothing
            assert not nothing or (cls.title in said[0] and "single spectra" in said[0] + "single spectra" * (not cube.is_image))
    mirrored = Experiment().override("augmentation=[{kind: flip, spectral: true}]")
    assert not without_effect(mirrored, [spectra])
    assert "1 band" in without_effect(mirrored.override("augmentation.0.spatial=false"), [Cube(spectra.data[:, :1], AXIS.take([0]))])[0]
    assert "batch" in without_effect(Experiment().override("augmentation=[mixup]", "training.batch=1"), [spectra])[0]
    classical = Experiment().override("network=ridge", "augmentation=[noise]")
    assert "Ridge regression is fitted to the unchanged data" in without_effect(classical, [spectra])[0]
    assert Suitability(task, learns=False).why_not(augmentations["noise"])


@pytest.mark.parametrize("kind", list(augmentations))
def test_an_augmentation_does_what_its_settings_say(kind):
    spec, generator = augmentations.parse(kind), torch.Generator().manual_seed(0)
    for patch, bands in ((4, 6), (1, 6), (4, 1), (1, 1)):
        x = torch.rand((16, patch, patch, bands), generator=generator) + 0.5
        changed, _ = spec.load()(spec)(x, x, generator)
        assert spec.acts(patches=patch > 1, bands=bands) == (changed.shape != x.shape or not torch.allclose(changed, x, rtol=1e-5))


def test_notes_of_a_training_say_what_does_nothing(tmp_path):
    task, cube, truth, _ = CASES["denoising"]
    experiment = Experiment.default(task, cube, truth).override(*SHORT, "augmentation=[flip]")
    started = next(event for event in fit(experiment, cube, truth, run=tmp_path / "run") if isinstance(event, Started))
    assert any(note.startswith("Flip has no effect") for note in started.notes)
    large = extent(experiment, [cube], [truth], divide(experiment, [cube], [truth]))
    assert "Flip has no effect" in large.words


# ---------------------------------------------------------------- networks and packages of others


def _documented() -> list[str]:
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("case", ["denoising, image", "denoising", "classification", "segmentation"])
def test_the_documented_network_trains_and_is_applied(case, tmp_path, monkeypatch):
    settings, nets = _documented()
    for name, code in (("my_package", ""), ("my_package.nets", nets), ("my_package.settings", settings)):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, name, "exec"), module.__dict__)
    mine = sys.modules["my_package.settings"].Mine
    _, cube, truth, overrides = CASES[case]
    if not cube.is_image:  # the same network, of single spectra
        mine = type("Mine", (mine,), {"dimensions": (1,), "context": property(lambda self: 0), "__module__": "my_package.settings"})
    monkeypatch.setattr(networks, "_kinds", {**networks._all()})
    monkeypatch.setattr(networks, "_local", set())
    networks.add(mine)
    model = _trained(case, "network=mine", folder=tmp_path / "run")
    assert isinstance(model, Model), model
    saved = Model.load(tmp_path / "run" / "best.safetensors")
    one, other = (np.asarray(getattr(predict(each, cube).result, "data", predict(each, cube).result)) for each in (model, saved))
    np.testing.assert_array_equal(one, other)
    if cube.is_image:
        large = Cube(np.resize(cube.numpy(), (40, 40, cube.shape[-1])), cube.axis)
        tiles, whole = (predict(saved, large, tile=tile) for tile in (16, 64))
        told = [each.probabilities or each.result for each in (tiles, whole)]
        np.testing.assert_allclose(told[0].numpy(), told[1].numpy(), rtol=1e-4, atol=1e-5)


def _registry(monkeypatch, *entries: EntryPoint) -> Registry:
    class Entries(list):
        def select(self, group):
            return [entry for entry in self if entry.group == group]

    monkeypatch.setattr("napari_spectrai.spec._declared", lambda: Entries(entries))
    return Registry("network")


def test_a_broken_package_is_named_and_disables_nothing_else(monkeypatch):
    group = "napari_spectrai.networks"
    unet = EntryPoint("unet", "napari_spectrai.experiment.networks:UNet", group)
    for value, why in (
        ("no_such_package_here:Mine", "ModuleNotFoundError: No module named 'no_such_package_here'"),
        ("napari_spectrai.experiment.networks:Missing", "AttributeError"),
        ("math:pi", "TypeError: math:pi is not a settings class"),
        ("napari_spectrai.spec:Named", "has no kind"),
    ):
        registry = _registry(monkeypatch, EntryPoint("broken", value, group), unet)
        with pytest.warns(PluginWarning, match=f"network 'broken' of .* is left out: .*{re.escape(why)}") as told:
            assert list(registry) == ["unet"]
        assert len(told) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert registry.parse("unet").kind == "unet"
    registry = _registry(monkeypatch, EntryPoint("broken", "no_such_package_here:Mine", group), unet)
    with warnings.catch_warnings():  # also where a warning is an error, all others are there afterwards
        warnings.simplefilter("error")
        with pytest.raises(PluginWarning):
            list(registry)
        assert list(registry) == ["unet"]


def test_a_kind_that_is_taken_is_said_and_the_first_stays(monkeypatch):
    group = "napari_spectrai.networks"
    module = types.ModuleType("others")
    module.UNet = type("UNet", (networks["resunet"],), {"__annotations__": {"kind": str}, "kind": "unet", "__module__": "others"})
    monkeypatch.setitem(sys.modules, "others", module)
    entries = [EntryPoint("unet", "napari_spectrai.experiment.networks:UNet", group), EntryPoint("theirs", "others:UNet", group)]
    registry = _registry(monkeypatch, *entries)
    with pytest.warns(PluginWarning, match="network 'theirs' .* its kind 'unet' is that of napari_spectrai.experiment.networks.UNet"):
        assert registry["unet"] is networks["unet"]


def test_a_kind_of_this_process_only_is_refused_to_another(monkeypatch):
    from napari_spectrai.experiment.training import AdamW
    from napari_spectrai.runs.start import _refuse_local

    monkeypatch.setattr(optimisers, "_kinds", {**optimisers._all()})
    monkeypatch.setattr(optimisers, "_local", set())
    optimisers.add(type("Mine", (AdamW,), {"__annotations__": {"kind": str}, "kind": "mine", "__module__": __name__}))
    assert issubclass(optimisers["mine"], Named)
    with pytest.raises(ValueError, match="optimiser 'mine' was registered in this process only"):
        _refuse_local(Experiment().override("training.optimiser=mine"))


# ---------------------------------------------------------------- wrong types, places and numbers


def test_unusable_data_are_refused_with_a_reason(tmp_path):
    for values, unit, message in (
        (["a", "b"], "nm", "are numbers, one per band"),
        ([1.0, np.inf], "nm", "band 1 is inf"),
        ([1.0, 2.0], 3, "unknown unit 3"),
    ):
        with pytest.raises(ValueError, match=message):
            SpectralAxis(values, unit)
    assert SpectralAxis(np.arange(3.0), None).unit == ""
    huge = np.where(np.arange(60).reshape(4, 5, 3) == 31, 1e200, 1.0)  # one value, in a spectrum that is read late
    for data in (huge, da.from_array(huge, chunks=2)):
        for chain in (["normalise"], ["gaussian"], []):
            with pytest.raises(ValueError, match=r"values up to 1e\+200, above the 3\.4e38 of float32; divide it first"):
                preprocess(Cube(data, SpectralAxis(np.arange(3.0), "nm")), chain).numpy()
    tiny = huge * 0 + 1e-60
    for data in (tiny, da.from_array(tiny, chunks=2)):
        with pytest.warns(SpectralWarning, match=r"no values above 1e-60, below the 1\.2e-38 of float32, which are taken for 0; multiply"):
            preprocess(Cube(data, SpectralAxis(np.arange(3.0), "nm")), ["gaussian"]).numpy()
    assert "divide it first" in beyond_float32(huge, "a")
    assert "multiply it first" in beyond_float32(tiny, "a")
    for data in (huge.clip(0, 1), tiny * 0, tiny * np.nan, np.append(tiny, 1), np.float32([1e-40]), da.from_array(tiny), np.array([])):
        assert not beyond_float32(data)
    with pytest.raises(ValueError, match="is a folder; name an experiment file in it"):
        Experiment.load(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="choose a folder that can be written"):
        Experiment().save(tmp_path / "file" / "experiment.yml")


def test_what_a_file_maps_is_learnt_from_and_predicted_without_being_written(tmp_path):
    np.save(tmp_path / "set.npy", _scene(6, 20))
    mapped = Cube(np.load(tmp_path / "set.npy", mmap_mode="r"), AXIS)
    assert not mapped.data.flags.writeable
    assert np.isfinite(predict("wavelet", mapped).result.numpy()).all()
    experiment = Experiment.default("denoising", mapped).override(*SHORT, "preparation=[]")
    assert isinstance(_tried(experiment, mapped, None, folder=tmp_path / "run"), Model)


def test_steps_of_one_spectrum_are_refused_where_its_mean_would_be_taken(tmp_path):
    data, labels = _scene(7, 8), Labels(np.arange(8) % 2 + 1)
    experiment = Experiment.default("classification", data, labels).override(*SHORT, "network=spectral_mlp")
    found = _tried(experiment, data, labels, "training.batch=1", folder=tmp_path / "run")
    assert isinstance(found, str)
    assert found.endswith("but training.batch is 1; set training.batch=2 or more")
    assert isinstance(_tried(experiment, data, labels, "training.batch=2", folder=tmp_path / "again"), Model)


@pytest.mark.parametrize("loss", ["derivative", "spectral_angle", "{kind: sum, parts: [derivative, spectral_angle]}"])
def test_a_loss_that_sees_shape_alone_is_refused_for_one_band(loss):
    one = Cube(_scene(8, 20)[:, :1], SpectralAxis(np.array([500.0]), "nm"))
    two = Cube(one.data.copy(), one.axis)
    assert "a single band has none; set loss=mse" in problems_with(Experiment().override(f"loss={loss}"), [one], [two])[0].message
    assert not problems_with(Experiment().override("loss=mse"), [one], [two])


def test_what_is_removed_alike_from_every_pixel_is_described():
    from napari_spectrai.learn.train.removed import sentences

    flat = np.full((8, 8, BANDS), 0.7)
    for removed in (0.0, 0.1):
        words = " ".join(sentences(flat, flat - removed, AXIS))
        assert "nan" not in words
        assert "correlation" not in words
