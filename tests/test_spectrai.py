"""Documents of spectrai (Horgan & Bergholt 2022), and data as that program laid them out."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.io import savemat
from typer.testing import CliRunner

from napari_spectrai import Experiment, Model, fit, predict, read, train
from napari_spectrai.cli import app
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.experiment.legacy.spectrai import recognised, translated
from napari_spectrai.experiment.legacy.spectrai_keys import KEYS
from napari_spectrai.io import SpectralWarning
from napari_spectrai.plan.truths import gather
from napari_spectrai.runs import Epoch, Started
from napari_spectrai.spec import SettingsError


def from_spectrai(old, path):
    """Return the experiment of a document of spectrai, and the changes."""
    taken, changes = translated(old, path)
    return Experiment.from_mapping(taken, str(path)), changes


DOCUMENTS = sorted((Path(__file__).parent / "data" / "spectrai").glob("*.yml"))
QUICK = ("training.epochs=2", "training.device=cpu", "training.precision=fp32", "network.width=8")


def document(name, **changes):
    """Return a published document with some keys changed, by key alone."""
    found = yaml.safe_load(next(path for path in DOCUMENTS if path.stem == name).read_text())
    for key, value in changes.items():
        section = next(section for section, keys in KEYS.items() if key in keys)
        found[section][key] = value
    return found


def load(path):
    """Return the experiment and its one warning."""
    with pytest.warns(SpectralWarning) as told:
        experiment = Experiment.load(path)
    assert len(told) == 1
    return experiment, str(told[0].message)


def as_the_program_lay(folder, name, **changes):
    """Write a document where spectrai kept its own, and return it; data are expected in ``data`` beside the package."""
    path = folder / "spectrai" / "configs" / f"{name}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document(name, **changes)))
    return path


def mat(path, array, name="anything"):
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {name: array})


def run(path, folder, *overrides):
    """Train from a document, and return the first event, the last epoch and the model as it comes back from its file."""
    experiment, _ = load(path)
    experiment = experiment.override(*QUICK, *overrides)
    events = list(fit(experiment, run=folder))
    return (
        next(one for one in events if isinstance(one, Started)),
        [e for e in events if isinstance(e, Epoch)][-1],
        Model.load(folder / "best.safetensors"),
    )


# ---------------------------------------------------------------- the documents


EXPECTED = {
    "image_classification": ("classification", "resnet", 2),
    "image_classification3D": ("classification", "resnet", 3),
    "image_segmentation": ("segmentation", "unet", 2),
    "image_segmentation3D": ("segmentation", "unet", 3),
    "image_superresolution": ("super_resolution", "rcan", 2),
    "spectral_calibration": ("calibration", "unet", 1),
    "spectral_classification": ("classification", "resnet", 1),
    "spectral_denoising": ("denoising", "resunet", 1),
}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_published_document_loads_says_its_changes_and_comes_back_the_same(path, tmp_path):
    experiment, told = load(path)
    assert (experiment.task.kind, experiment.network.kind, experiment.network.dims) == EXPECTED[path.stem]
    assert "document of spectrai" in told
    assert "spectral_flip was on by default and is omitted" in told
    assert "with epochs: 1 nothing was" in told
    assert not any(getattr(one, "spectral", False) for one in experiment.augmentation)
    old = yaml.safe_load(path.read_text())
    hyper, crop = old["Training_Hyperparameters"], old["Preprocessing"]
    assert experiment.training.batch == hyper["batch_size"]
    assert experiment.training.optimiser.lr == hyper["learning_rate"]
    assert experiment.preparation[0].high - experiment.preparation[0].low + 1 == crop["spectral_crop_end"] - crop["spectral_crop_start"]
    assert all(file.is_absolute() for file in experiment.data.input)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Experiment.load(experiment.save(tmp_path / "new.yml")) == experiment
    same, changes = from_spectrai(old, path)
    assert same == experiment
    assert all(change in told for change in changes)


@pytest.mark.parametrize("name", ["image_superresolution", "spectral_calibration"])
def test_any_value_of_any_key_is_taken_or_refused_in_words(name, tmp_path):
    odd = (float("inf"), float("nan"), -1, 0, 1e9, "abc", [], {}, True, None)
    old = document(name)
    for section, key in ((section, key) for section, keys in KEYS.items() for key in keys):
        for value in odd:
            changed = old | {section: old[section] | {key: value}}
            with contextlib.suppress(SettingsError):  # anything else is a crash
                translated(changed, tmp_path / "old.yml")


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("spectral_denoising", {"train_input_data": ["a.mat"]}, "train_input_data: ['a.mat'] is not the path of a file or folder"),
        ("spectral_denoising", {"activation": "Swish"}, "activation: 'Swish' is not understood; known: LeakyReLU"),
        ("spectral_denoising", {"dimension": "4D"}, "dimension: '4D' is not understood"),
        ("spectral_denoising", {"shuffle": "sometimes"}, "shuffle: 'sometimes' is neither on (1) nor off (0)"),
        ("image_superresolution", {"target_image_size": 3}, "target_image_size"),
        ("image_segmentation", {"epochs": float("inf")}, "epochs: inf is not an integer of at least 1"),
        ("image_segmentation", {"train_split": 900}, "train_split: 900 is more than 100 %"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_in_words(name, changes, said, tmp_path):
    with pytest.raises(SettingsError) as refused:
        translated(document(name, **changes), tmp_path / "old.yml")
    assert said in str(refused.value)


def test_what_is_ours_is_not_taken_for_spectrais():
    assert not recognised(Experiment().model_dump(mode="json"))
    assert not recognised([])
    assert not recognised({"task": "denoising", "training": {}})
    assert recognised({"Task_Options": {}})


@pytest.mark.parametrize(
    ("changes", "expected", "said"),
    [
        ({"background_subtraction": "Automatic Least Squares"}, "als", "accepted and ignored; it is now applied"),
        ({"background_subtraction": "3rd Order Polynomial"}, "polynomial", "failed for spectra"),
        ({"background_subtraction": "Minimum Value Offset"}, "minimum", ""),
        ({"data_normalization": "Area Under The Curve"}, "normalise", "divides by the mean"),
    ],
)
def test_preprocessing_of_old_documents_becomes_steps(changes, expected, said, tmp_path):
    experiment, told = from_spectrai(document("spectral_denoising", **changes), tmp_path / "old.yml")
    assert expected in [step.kind for step in experiment.preparation]
    assert said in "\n".join(told)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("spectral_denoising", {"normalization": "LayerNorm"}, "LayerNorm failed"),
        ("spectral_classification", {"normalization": "GroupNorm"}, "replaced by group normalisation"),
        ("spectral_classification", {"network": "DenseNet"}, "DenseNet normalises by batches"),
        ("spectral_classification", {"criterion": "Binary Cross Entropy"}, "from logits"),
        ("image_superresolution", {"network": "UNet"}, "replaced by RCAN"),
        ("image_superresolution", {"target_image_size": 70}, "patches of 68 pixels instead of 70"),
        ("image_superresolution", {"random_crop": 0}, "random_crop: 0 is not kept"),
        ("image_superresolution", {}, "antialiasing"),
        ("image_superresolution", {}, "SSIM used rows as channels"),
        ("image_superresolution", {}, "64 channels, independent of the bands"),
        ("image_segmentation", {}, "0 means unlabelled (it became class 255"),
        ("image_segmentation", {"network": "SegNet"}, "no dropout"),
        ("image_segmentation", {"horizontal_flip": 0}, "mirrored both ways"),
        ("image_classification", {"network": "UNet"}, "replaced by ResNet"),
        ("image_classification", {"network": "EfficientNet"}, "ignored activation and normalization"),
        ("spectral_denoising", {"mixup": 1}, "weighted the losses of both targets"),
        ("spectral_denoising", {"scheduler": "Cyclic"}, "not 2000 batches"),
        ("spectral_denoising", {"spectral_background": 1}, "was never used"),
        ("spectral_denoising", {"spectrum_length": 400}, "the crop ends at band 400"),
        (
            "spectral_denoising",
            {"pretrained_network": "a.pt", "training_option": "Transfer Learning"},
            "the training starts from random weights",
        ),
        ("spectral_denoising", {"train_split": 0.7, "val_split": 0.2, "test_split": 0.1}, "fractions of 1"),
        ("spectral_denoising", {"train_split": 50, "val_split": 20, "test_split": 10}, "remaining 70 %"),
        (
            "spectral_denoising",
            {"train_split": 90, "val_split": 0, "test_split": 10, "val_input_data": "x"},
            "not read if val_split and test_split are set",
        ),
        ("spectral_denoising", {}, "no validation data are given"),
        ("spectral_denoising", {}, "augmentation comes after the preparation"),
    ],
)
def test_differences_to_spectrai_are_reported(name, changes, said, tmp_path):
    experiment, told = from_spectrai(document(name, **changes), tmp_path / "old.yml")
    assert said in "\n".join(told)
    assert Experiment.from_mapping(yaml.safe_load(experiment.to_yaml())) == experiment


def test_splits_in_percent_or_shares(tmp_path):
    for shares in ((70, 20, 10), (0.7, 0.2, 0.1), ("70", "20", "10")):
        keys = dict(zip(("train_split", "val_split", "test_split"), shares, strict=True))
        experiment, _ = from_spectrai(document("spectral_denoising", seed=7, **keys), tmp_path / "old.yml")
        assert (experiment.split.validation, experiment.split.test) == pytest.approx((0.2, 0.1))
        assert (experiment.split.seed, experiment.training.seed) == (7, 7)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": "UNett"}, r"Network_Hyperparameters\.network: 'UNett' is not understood; known: .*did you mean UNet\?"),
        ({"task": "Regression"}, r"Task_Options\.task: 'Regression' is not understood; known: Calibration, Classification"),
        ({"criterion": "L3"}, r"Training_Hyperparameters\.criterion: 'L3' .*known: Binary Cross Entropy, Cross Entropy, L1, L2 / MSE"),
        ({"epochs": "many"}, r"epochs: 'many' is not an integer of at least 1"),
        ({"learning_rate": 0}, r"learning_rate: 0 is not above 0"),
        ({"spectral_crop_end": 0}, "spectral_crop_end"),
        ({"spectral_crop_start": 600}, "leaves no band after spectral_crop_start 600"),
        ({"mixup": "often"}, r"mixup: 'often' is neither on \(1\) nor off \(0\)"),
        ({"train_split": 0, "val_split": 60, "test_split": 40}, "leave nothing"),
        ({"network": "RCAN", "task": "Classification"}, "network 'rcan' does not suit the task 'classification'"),
        ({"task": "Super-Resolution"}, "'Spectra' cannot be enlarged"),
    ],
)
def test_values_that_are_not_understood_are_refused_with_those_that_are(changes, said, tmp_path):
    with pytest.raises(SettingsError, match=said):
        from_spectrai(document("spectral_denoising", **changes), tmp_path / "old.yml")


def test_unknown_keys_and_sections_are_refused_all_at_once(tmp_path):
    old = document("spectral_denoising")
    old["Network_Hyperparameters"]["netwrok"] = "UNet"
    old["Preprocesing"] = {}
    old["Data_Augmentation"] = 3
    with pytest.raises(SettingsError) as error:
        from_spectrai(old, tmp_path / "old.yml")
    said = str(error.value)
    assert "Network_Hyperparameters.netwrok: there is no such setting" in said
    assert "did you mean network?" in said
    assert "there is no section 'Preprocesing'" in said
    assert "did you mean Preprocessing?" in said
    assert "Data_Augmentation: 3 is not a section" in said


def test_an_enlargement_that_is_none_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"16 is 1 times input_image_size 16; the factor must be 2 to 16"):
        from_spectrai(document("image_superresolution", target_image_size=16), tmp_path / "old.yml")


def test_missing_keys_take_the_published_values_and_say_so(tmp_path):
    experiment, told = from_spectrai({"Task_Options": {"task": "Denoising"}}, tmp_path / "old.yml")
    published, _ = from_spectrai(document("spectral_denoising"), tmp_path / "old.yml")
    assert "epochs 1" in told[0]
    assert "network ResUNet" in told[0]
    assert experiment.model_copy(update={"data": published.data}) == published
    with pytest.raises(SettingsError, match=r"Task_Options\.task is missing|Task_Options\.task: is missing"):
        from_spectrai({"Task_Options": {"classes": 2}}, tmp_path / "old.yml")


def test_learning_rates_that_yaml_takes_for_text(tmp_path):
    experiment, _ = from_spectrai(document("spectral_denoising", learning_rate="1e-4"), tmp_path / "old.yml")
    assert experiment.training.optimiser.lr == 1e-4


@pytest.mark.parametrize("place", ["configs/d", "configs/data/d", "data/d", "spectrai/data/d"])
def test_data_are_found_next_to_the_document_or_where_spectrai_looked(place, tmp_path):
    here = tmp_path / ("spectrai/spectrai/configs" if place.startswith("spectrai") else "configs")
    here.mkdir(parents=True)
    (tmp_path / place).mkdir(parents=True)
    (here / "old.yml").write_text(yaml.safe_dump(document("spectral_classification", train_input_data="d/")))
    assert load(here / "old.yml")[0].data.input == [tmp_path / place]


def test_the_command_line_prints_the_changes(tmp_path):
    path = as_the_program_lay(tmp_path, "spectral_denoising")
    result = CliRunner().invoke(app, ["info", str(path)])
    assert result.exit_code == 0
    assert "spectral_flip was on by default and is omitted" in result.stderr
    assert "kind: resunet" in result.stdout
    result = CliRunner().invoke(app, ["train", str(path)])
    assert result.exit_code == 2
    assert "spectral_flip was on by default" in result.stderr
    assert "input_spectra.mat, which the experiment names, does not exist" in result.stderr


# ---------------------------------------------------------------- data as the program laid them out


@pytest.fixture
def lain(make_spectra):
    """Noisy and clean spectra of 40 bands."""
    return make_spectra(60, 40)


@pytest.mark.parametrize("name", ["spectral_denoising", "spectral_calibration"])
def test_two_arrays_of_pairs_are_trained_on_from_an_old_document(name, lain, tmp_path):
    mat(tmp_path / "data/test_input_spectra/input_spectra.mat", lain[0].astype(float))
    mat(tmp_path / "data/test_target_spectra/target_spectra.mat", lain[1].astype(float))
    path = as_the_program_lay(tmp_path, name, batch_size=8, spectral_shift=0.01)
    started, epoch, model = run(path, tmp_path / "run")
    assert (started.training, started.validation) == (54, 6)
    assert np.isfinite(epoch.validation)
    assert predict(model, tmp_path / "data/test_input_spectra/input_spectra.mat").result.shape == (60, 40)


@pytest.mark.parametrize("layout", ["row.mat", "column.mat", "flat.npy", "column.npy"])
def test_two_folders_of_pairs_one_spectrum_a_file(layout, lain, tmp_path):
    for side, spectra in zip(("in", "out"), lain, strict=True):
        for number, spectrum in enumerate(spectra):
            file = tmp_path / "data" / side / f"{side}_{number}{Path(layout).suffix}"
            shaped = spectrum[:, None] if layout.startswith("column") else spectrum
            file.parent.mkdir(parents=True, exist_ok=True)
            (mat if file.suffix == ".mat" else np.save)(file, shaped)
    path = as_the_program_lay(
        tmp_path, "spectral_denoising", data_directory="True", train_input_data="in/", train_target_data="out/", spectral_shift=0.01
    )
    experiment, _ = load(path)
    cubes, truths = gather(experiment, None, None)
    assert [cube.shape for cube in (*cubes, *truths)] == [(60, 40), (60, 40)]
    order = sorted(range(60), key=lambda number: f"in_{number}.")
    np.testing.assert_allclose(cubes[0].numpy(), lain[0][order])
    np.testing.assert_allclose(truths[0].numpy(), lain[1][order])
    assert run(path, tmp_path / "run", "training.epochs=1")[0].training == 54


@pytest.mark.parametrize("layout", ["a file per spectrum", "a file per class"])
def test_classes_of_spectra_in_folders(layout, lain, tmp_path):
    folder = tmp_path / "data/test_classification_spectra"
    shifted = np.roll(lain[0], 10, axis=1)
    for name, spectra in (("class_1", lain[0]), ("class_2", shifted)):
        if layout == "a file per class":
            mat(folder / name / "all.mat", spectra)
        else:
            for number, spectrum in enumerate(spectra[:30]):
                mat(folder / name / f"{name}_{number}.mat", spectrum)
    path = as_the_program_lay(tmp_path, "spectral_classification", batch_size=8)
    each = 60 if layout == "a file per class" else 30
    started, epoch, model = run(path, tmp_path / "run", "training.epochs=4", "training.optimiser.lr=0.001")
    assert (started.training, started.validation) == (2 * each - 2 * (each // 10), 2 * (each // 10))
    assert [one.name for one in model.card().classes] == ["class_1", "class_2"]
    assert epoch.validation > 0.6


@pytest.fixture
def images(make_spectra):
    """Four images of different sizes and 12 bands, with masks of 0 (unlabelled) to 2."""
    rng = np.random.default_rng(0)
    found = []
    for height, width in [(20, 24), (24, 18), (14, 24), (22, 22)]:
        mask = np.ones((height, width), np.uint8)
        mask[:, width // 2 :] = 2
        mask[0] = 0
        peaks = np.stack([np.exp(-0.5 * ((np.arange(12) - 3 * value) / 1.5) ** 2) for value in mask.ravel()])
        found.append(((peaks.reshape(height, width, 12) + rng.normal(0, 0.05, (height, width, 12))).astype(np.float32), mask))
    return found


def lay(images, folder, *, channels_first=False):
    for number, (image, mask) in enumerate(images):
        mat(folder / "images" / f"cell_{number}.mat", np.moveaxis(image, -1, 0) if channels_first else image)
        (folder / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(folder / "masks" / f"mask_{number}.png")


@pytest.mark.usefixtures("few_rivals")
@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("name", ["image_segmentation", "image_segmentation3D"])
def test_images_and_masks_in_folders(name, channels_first, images, tmp_path):
    lay(images, tmp_path / "data", channels_first=channels_first)
    path = as_the_program_lay(
        tmp_path, name, train_input_data="images/", train_target_data="masks/", target_image_size=16, classes=2, spectral_shift=0.01,
        data_format="Image: C, H, W" if channels_first else "Image: H, W, C",
    )  # fmt: skip
    experiment, _ = load(path)
    cubes, labels = gather(experiment, None, None)
    assert [cube.shape for cube in cubes] == [image.shape for image, _ in images]
    assert [one.shape for one in labels] == [mask.shape for _, mask in images]
    assert problems_with(experiment, cubes, labels) == []
    # an image of 14 rows is smaller than the patch of 16
    quick = ("network.depth=1", "network.width=4", "data.samples=8", "training.epochs=1", "training.optimiser.lr=0.01")
    started, epoch, model = run(path, tmp_path / "run", *quick)
    assert started.validation > 0
    assert [one.value for one in model.card().classes] == [1, 2]
    assert predict(model, images[2][0]).result.shape == (14, 24)


@pytest.mark.parametrize("channels_first", [False, True])
def test_super_resolution_from_a_folder_of_sharp_images(channels_first, images, tmp_path):
    lay(images, tmp_path / "data", channels_first=channels_first)
    path = as_the_program_lay(
        tmp_path, "image_superresolution", train_target_data="images/", input_image_size=6, target_image_size=12, spectral_shift=0.0,
        data_format="Image: C, H, W" if channels_first else "Image: H, W, C",
    )  # fmt: skip
    small = ("network.groups=1", "network.blocks=1", "data.samples=8")
    started, epoch, model = run(path, tmp_path / "run", *small)
    assert np.isfinite(epoch.validation)
    assert predict(model, images[0][0]).result.shape == (40, 48, 12)


def test_classes_of_images_become_the_experiment(images, tmp_path):
    for number, (image, _) in enumerate(images):
        mat(tmp_path / f"data/test_images/{'cells' if number % 2 else 'tissues'}/{number}.mat", image)
    experiment, _ = load(as_the_program_lay(tmp_path, "image_classification"))
    assert experiment.task.of == "images"
    assert experiment.data.input == [tmp_path / "data/test_images"]
    cubes, labels = gather(experiment.override("data.patch=14"), None, None)
    assert [one.name for one in labels] == ["cells", "cells", "tissues", "tissues"]


def test_training_validation_and_test_in_files_of_their_own(lain, tmp_path):
    for part, rows in (("train", slice(0, 40)), ("val", slice(40, 52)), ("test", slice(52, 60))):
        mat(tmp_path / "data" / part / "input.mat", lain[0][rows])
        mat(tmp_path / "data" / part / "target.mat", lain[1][rows])
    keys = {f"{part}_{side}_data": f"{part}/{side}.mat" for part in ("train", "val", "test") for side in ("input", "target")}
    path = as_the_program_lay(tmp_path, "spectral_denoising", batch_size=8, spectral_shift=0.0, **keys)
    experiment, told = load(path)
    assert experiment.data.parts == ["training", "validation", "test"]
    assert "held out" not in told
    assert "split" not in told
    started, _, model = run(path, tmp_path / "run", "training.epochs=1")
    assert (started.training, started.validation, started.test) == (40, 12, 8)
    assert set(model.card().scores) == {"validation", "test"}


def test_a_test_part_alone_leaves_validation_to_the_split(lain, tmp_path):
    keys = {f"{part}_{side}_data": f"{part}/{side}.mat" for part in ("train", "test") for side in ("input", "target")}
    for part, rows in (("train", slice(0, 50)), ("test", slice(50, 60))):
        mat(tmp_path / "data" / part / "input.mat", lain[0][rows])
        mat(tmp_path / "data" / part / "target.mat", lain[1][rows])
    path = as_the_program_lay(tmp_path, "spectral_denoising", batch_size=8, spectral_shift=0.0, **keys)
    started, _, _ = run(path, tmp_path / "run", "training.epochs=1")
    assert (started.training, started.validation, started.test) == (45, 5, 10)


def test_parts_that_do_not_fit_the_inputs_are_refused(pairs, quick, tmp_path):
    with pytest.raises(SettingsError, match=r"data\.parts: 2 parts for 1 inputs; list one for each"):
        train(quick("data.parts=[training, validation]"), *pairs, run=tmp_path / "run")


def test_one_spectrum_alone_is_a_set_of_one(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5.0))
    savemat(tmp_path / "b.mat", {"x": np.arange(5.0)[:, None]})
    assert read(tmp_path / "a.npy").shape == (1, 5)
    assert read(tmp_path / "b.mat").shape == (1, 5)
