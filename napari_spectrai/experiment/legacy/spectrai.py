"""Convert documents of spectrai (Horgan & Bergholt 2022), the predecessor of this program, and report every correction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_spectrai.experiment.legacy.spectrai_keys import KEYS, NONE, SECTION, Old
from napari_spectrai.experiment.legacy.spectrai_training import Learning
from napari_spectrai.spec import Problem, SettingsError, listed

TASKS = {
    "Calibration": "calibration", "Classification": "classification", "Denoising": "denoising", "Segmentation": "segmentation",
    "Super-Resolution": "super_resolution",
}  # fmt: skip
FORMATS = ("Spectra", "Image: H, W, C", "Image: C, H, W")
BACKGROUNDS: dict[str, list[dict[str, Any]]] = {
    NONE: [],
    "Minimum Value Offset": [{"kind": "minimum"}],
    # negative minima were raised to zero, and after subtraction of a fitted polynomial the minimum is always negative
    "3rd Order Polynomial": [{"kind": "polynomial", "order": 3, "method": "plain"}, {"kind": "minimum"}],
    "5th Order Polynomial": [{"kind": "polynomial", "order": 5, "method": "plain"}, {"kind": "minimum"}],
    "Automatic Least Squares": [{"kind": "als", "smoothness": 1e4, "asymmetry": 0.05, "rounds": 10}],
}
NORMALISATIONS = (NONE, "Max Value", "Area Under The Curve")

VALIDATION = 0.1
"""Validation fraction for documents that hold out nothing."""


def recognised(document: Any) -> bool:
    """Whether this is a document of spectrai, by its sections."""
    return isinstance(document, Mapping) and ("Task_Options" in document or len(KEYS.keys() & document.keys()) > 1)


def translated(document: Mapping[str, Any], path: str | Path) -> tuple[dict[str, Any], list[str]]:
    """Return the experiment of a document of spectrai, as plain data, and in words all that was changed, corrected or could not be kept.

    Parameters
    ----------
    document : mapping
        The content of its YAML: sections such as ``Task_Options``.
    path : str or Path
        Path of the document; its data are searched relative to it.

    Raises
    ------
    SettingsError
        A ValueError with every unknown key or value, and the known ones.
    """
    old = Old(document)
    task = TASKS[old.choice("task", TASKS)]
    if old.problems:  # nothing else can be converted without the task
        raise SettingsError(old.problems, str(path))
    spectra = old.choice("data_format", FORMATS, FORMATS[0] if task in ("calibration", "denoising") else FORMATS[1]) == FORMATS[0]
    kind, learning = _Kind(old, task, spectra), Learning(old, task, spectra)
    taken = {
        "name": Path(path).stem,
        "task": kind.task(),
        "data": kind.data(Path(path).parent),
        "split": kind.split(),
        "preparation": kind.preparation(),
        "augmentation": kind.augmentation(),
        "network": learning.network(),
        "loss": learning.loss(),
        "training": learning.training(),
    }
    learning.others()
    if old.problems:
        raise SettingsError(old.problems, str(path))
    if old.missing:
        old.changes.insert(0, f"missing in the document, so taken from the published documents: {', '.join(old.missing)}")
    return taken, old.changes


class _Kind:
    """Conversion of a document, depending on its task and on whether it is for spectra or images."""

    def __init__(self, old: Old, task: str, spectra: bool) -> None:  # noqa: FBT001
        self.old, self.kind, self.spectra = old, task, spectra
        self.classes = task in ("classification", "segmentation")
        start = old.number("spectral_crop_start", 0)
        end = old.number("spectral_crop_end", 500, least=1)
        self.bands = (start, end)
        if end <= start:
            section = SECTION["spectral_crop_end"]
            old.problems.append(Problem(f"{section}.spectral_crop_end", f"{end} leaves no band after spectral_crop_start {start}"))
        if spectra and task in ("super_resolution", "segmentation"):
            why = "cannot be enlarged" if task == "super_resolution" else "have no pixels to classify"
            old.problems.append(Problem("DataManager_Options.data_format", f"'Spectra' {why}; {listed(FORMATS[1:])}"))
        self.factor = 1
        if task == "super_resolution":
            small, large = old.number("input_image_size", 16, least=1), old.number("target_image_size", 64, least=1)
            self.factor = large // small
            if not 2 <= self.factor <= 16:
                self.factor = max(self.factor, 1)  # the other settings are examined, too
                section = SECTION["target_image_size"]
                message = f"{large} is {large // small} times input_image_size {small}; the factor must be 2 to 16"
                old.problems.append(Problem(f"{section}.target_image_size", message))

    # ------------------------------------------------------------------ task and data

    def task(self) -> dict[str, Any]:
        old = self.old
        classes = old.number("classes", 0)
        if self.classes and classes:
            old.note(f"classes: {classes} is not used; classes are counted in the labels")
        if self.kind == "classification":
            return {"kind": self.kind, "of": "spectra" if self.spectra else "images"}
        if self.kind == "segmentation":
            old.note("masks: 0 means unlabelled (it became class 255 and training failed); classes keep the numbers of the mask")
            return {"kind": self.kind, "unlabelled": 0}
        if self.kind == "super_resolution":
            old.note(
                "images are degraded by bicubic downsampling with antialiasing (there was none), and only for training and validation: "
                "new images are enlarged unchanged (they were degraded, too)",
                "the scores are computed for each band, with its own range, and as the angle; PSNR assumed a range of 1, SSIM used rows "
                "as channels",
            )
            return {"kind": self.kind, "factor": self.factor, "learns_from": "degraded"}
        return {"kind": self.kind}

    def data(self, folder: Path) -> dict[str, Any]:
        old, sharp = self.old, self.kind == "super_resolution"
        sides = ("target", "input") if sharp else ("input", "target")
        named = {part: [old.given(f"{part}_{side}_data") for side in sides] for part in ("train", "val", "test")}
        old.flag("data_directory", int(not (self.kind in ("calibration", "denoising") and self.spectra)))
        if sharp and any(second for _, second in named.values()):
            old.note("input images are made from the target images; the input paths are not read")
        if self.kind == "classification" and any(second for _, second in named.values()):
            old.note("classes are the names of the folders; the target paths are not read")
        if self._divided and any(first for first, _ in (named["val"], named["test"])):
            old.note("val_ and test_ paths are not read if val_split and test_split are set")
            named = {"train": named["train"]}
        words = {"train": "training", "val": "validation", "test": "test"}
        used = [(words[part], first, second) for part, (first, second) in named.items() if first]
        data: dict[str, Any] = {"input": [_found(folder, first) for _, first, _ in used]}
        if not sharp and self.kind != "classification":
            data["truth"] = [_found(folder, second) for _, _, second in used if second]
        if len(used) > 1:
            data["parts"] = [part for part, _, _ in used]
        self.held = "validation" in data.get("parts", ())
        if old.value("data_format", FORMATS[0]) == FORMATS[2]:
            data["spectral"] = 0
        if not self.spectra:
            data["patch"], data["per_image"] = self._patch(), 1
        return data

    def _patch(self) -> int:
        old = self.old
        size = old.number("target_image_size", 64, least=4)
        fitting = size // self.factor * self.factor
        if fitting != size:
            old.note(f"patches of {fitting} pixels instead of {size}, which cannot be reduced by {self.factor}")
        scored = "scored as a whole" if self.kind != "classification" else "scored by all of their patches"
        old.note(
            f"validation and test images are {scored}, and new ones are used whole (only their middle {size} × {size} pixels were); images "
            "smaller than a patch are padded by reflection at their far ends (they were at both)"
        )
        if not old.flag("random_crop", 1):
            old.note("random_crop: 0 is not kept; patches come from the whole image, not only from its middle")
        return int(fitting)

    @property
    def _divided(self) -> bool:
        return bool(self.old.value("train_split") != NONE)

    def split(self) -> dict[str, Any]:
        old = self.old
        split: dict[str, Any] = {"validation": VALIDATION, "seed": self.old.seed}
        if self.kind == "segmentation":
            split["context"] = "shared"
        shares = [old.share(key) for key in ("train_split", "val_split", "test_split")]
        if self._divided:
            train, validation, test = (share or 0.0 for share in shares)
            if train + validation + test <= 1.0:
                old.note("splits are fractions of 1, as their comment says (the program read them as percentages and held out little)")
                train, validation, test = 100 * train, 100 * validation, 100 * test
            rest = 100 - validation - test
            if rest <= 0:
                old.problems.append(Problem("DataManager_Options.val_split", f"{validation:g} % and test_split {test:g} % leave nothing"))
                return split
            if abs(rest - train) > 1e-6:
                old.note(f"training gets the remaining {rest:g} %, as before, not train_split {train:g} %")
            split |= {"test": test / 100} | ({"validation": validation / 100} if validation else {})
            if not validation:
                old.note(f"no validation fraction is given; {VALIDATION:.0%} are held out to choose the best epoch")
        elif not self.held:
            old.note(f"no validation data are given; {VALIDATION:.0%} of the training data are held out to choose the best epoch")
        if self.held and not self._divided:
            return split
        old.note(
            "data are split by whole files if there are several; within one file, held-out data are contiguous (or stratified by "
            "class), since random neighbours make scores too optimistic; the split is seeded and saved"
        )
        return split

    # ------------------------------------------------------------------ preparation and augmentation

    def preparation(self) -> list[dict[str, Any]]:
        old = self.old
        start, end = self.bands
        length = old.number("spectrum_length", 500, least=1)
        if self.spectra and length < end - start:
            end = start + length
            old.note(f"spectra were cropped to spectrum_length {length}; the crop ends at band {end} instead")
            self.bands = (start, end)
        elif length != end - start:
            old.note(f"spectrum_length {length} is not used: networks use the bands of the data after the crop ({end - start})")
        if self.spectra:
            old.note(f"spectra of fewer than {length} bands stay unchanged; they were padded by reflection")
        steps: list[dict[str, Any]] = [{"kind": "crop", "by": "number", "low": start, "high": end - 1}]
        background = old.choice("background_subtraction", BACKGROUNDS, NONE)
        steps += BACKGROUNDS[background]
        if background == "Automatic Least Squares":
            old.note(
                "'Automatic Least Squares' was accepted and ignored; it is now applied, by asymmetric least squares with the settings "
                "that were intended (λ 10000, p 0.05, 10 rounds). To reproduce the program, remove the step 'als'"
            )
        elif "Polynomial" in background and self.spectra:
            old.note(f"'{background}' failed for spectra; it is now applied")
        elif background == "Minimum Value Offset" and not self.spectra:
            old.note(f"'{background}' also raises spectra whose minimum is below zero; in images they were unchanged")
        by = old.choice("data_normalization", NORMALISATIONS, "Max Value")
        if by == "Max Value" and self.spectra:
            steps.append({"kind": "normalise", "by": "maximum"})
        elif by == "Max Value":
            steps.append({"kind": "scale", "percentile": 100})
            old.note(
                "'Max Value' divides all images by one maximum, that of the training data, instead of each patch by its own: intensities "
                "stay comparable, and can be restored"
            )
        elif by != NONE:
            steps.append({"kind": "normalise", "by": "area"})
            old.note(f"'{by}' divides by the mean of a spectrum, not its sum, so that values stay near one")
        if by != NONE or background != NONE:
            old.note("scalings of intensities are saved with the model and undone after prediction; results keep the unit of the source")
        return steps

    def augmentation(self) -> list[dict[str, Any]]:
        old = self.old
        found: list[dict[str, Any]] = []
        share = old.number("spectral_shift", 0.0 if self.spectra and self.classes else 0.1, whole=False)
        if share:
            bands = share * (self.bands[1] - self.bands[0])
            found.append({"kind": "spectral_shift", "bands": bands})
            old.note(f"spectral_shift {share:g} is up to {bands:g} bands, including fractions; the ends are constant, not reflected")
        if old.flag("spectral_flip", 1):
            old.note(
                "spectral_flip was on by default and is omitted: no instrument measures a spectrum backwards "
                "(to have it: augmentation '{kind: flip, spatial: false, spectral: true}')"
            )
        if not self.spectra:
            flips = [old.flag(key, 1) for key in ("vertical_flip", "horizontal_flip")]
            if any(flips):
                found.append({"kind": "flip"})
                if not all(flips):
                    old.note("images are mirrored both ways, not one way only")
            if old.flag("rotation", 1):
                found.append({"kind": "rotate"})
        else:
            for key in ("horizontal_flip", "vertical_flip", "rotation", "random_crop"):
                old.flag(key, 0)
        if old.flag("spectral_background", 0):
            old.note("spectral_background was never used; it is omitted (augmentation 'baseline' adds random smooth curves)")
        if old.flag("mixup", 1):
            found.append({"kind": "mixup", "alpha": 0.2})
            same = "; for cross-entropy, this is the same" if self.classes else ""
            old.note(
                "mixup draws a weight for every sample and blends inputs and targets; it drew one for the batch, and weighted the losses "
                f"of both targets by it{same}"
            )
        if any(one["kind"] != "mixup" for one in found):
            old.note("augmentation comes after the preparation, not before it (as mixup did)")
        return found


def _found(folder: Path, value: str) -> str:
    """Return the path of data: spectrai searched in ``data/`` of its repository, two folders above its documents."""
    for start in ("", "../data", "data", "../../data"):
        if (folder / start / value).exists():
            return str((folder / start / value).resolve())
    return str(Path(value)) if Path(value).is_absolute() else str(folder.absolute() / value)
