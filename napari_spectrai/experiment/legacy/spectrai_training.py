"""What becomes of the network, the loss and the training in a document of spectrai (Horgan & Bergholt 2022)."""

from __future__ import annotations

from typing import Any

from napari_spectrai.experiment.legacy.spectrai_keys import KEYS, NONE, Old
from napari_spectrai.spec import Problem

OPTIONS = ("Apply Pre-Trained Network", "Train From Scratch", "Transfer Learning")
NETWORKS = ("UNet", "ResUNet", "ResNet", "DenseNet", "EfficientNet", "SegNet", "RCAN")
ACTIVATIONS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu"}
NORMS = (NONE, "BatchNorm", "LayerNorm", "InstanceNorm", "GroupNorm")
CRITERIA = {"L1": "l1", "L2 / MSE": "mse", "Cross Entropy": "cross_entropy", "Binary Cross Entropy": "binary_cross_entropy"}
OPTIMISERS: dict[str, dict[str, Any]] = {
    "Adam": {"kind": "adam"},
    "Adagrad": {"kind": "adagrad"},
    "SGD": {"kind": "sgd", "momentum": 0.0},
    "RMSprop": {"kind": "rmsprop", "momentum": 0.0},
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "Constant": {"kind": "constant"},
    "Step": {"kind": "step", "every": 50, "factor": 0.2},
    "Multiplicative": {"kind": "multiplicative", "factor": 0.985},
    "Cyclic": {"kind": "cyclic", "floor": 0.01},
    "OneCycle": {"kind": "one_cycle"},
    "ReduceOnPlateau": {"kind": "plateau", "factor": 0.1, "patience": 10},
}

WIDTH = 64
"""Channels of a network whose width followed the bands; the others had as many."""


class Learning:
    """How a document's network becomes one of ours, by its task and by whether it is for spectra or images."""

    def __init__(self, old: Old, task: str, spectra: bool) -> None:  # noqa: FBT001
        self.old, self.kind, self.spectra = old, task, spectra
        self.classes = task in ("classification", "segmentation")
        self.dims = 1 if spectra else int(old.choice("dimension", ("2D", "3D"), "2D")[0])

    def network(self) -> dict[str, Any]:
        """Return the network, its width no longer tied to the bands."""
        old = self.old
        usual = {"classification": "ResNet", "segmentation": "UNet", "super_resolution": "RCAN", "calibration": "UNet"}
        name = old.choice("network", NETWORKS, usual.get(self.kind, "ResUNet"))
        activation = ACTIVATIONS[old.choice("activation", ACTIVATIONS, "ReLU")]
        norm = old.choice("normalization", NORMS, NONE)
        if name in ("UNet", "ResUNet") and self.kind == "super_resolution":
            old.tell(f"{name} does not enlarge images here; RCAN takes its place")
            name = "RCAN"
        if name in ("UNet", "ResUNet") and self.kind == "classification" and not self.spectra:
            old.tell(f"{name} tells the class of pixels here; ResNet takes its place for whole images")
            name = "ResNet"
        settings: dict[str, Any] = {"kind": name.lower(), "dims": self.dims}
        if name in ("UNet", "ResUNet"):
            settings |= self._unet(name, norm) | {"activation": activation}
        elif name in ("ResNet", "DenseNet", "EfficientNet"):
            settings |= self._pooling(name, norm)
            if name != "EfficientNet":
                settings["activation"] = activation
        elif name == "SegNet":
            settings |= self._segnet()
        else:
            settings |= self._rcan()
        if name in ("SegNet", "EfficientNet", "RCAN") and (norm, activation) != (NONE, "relu"):
            old.tell(f"{name} took no notice of activation and normalization, and takes none")
        return settings

    def _unet(self, name: str, norm: str) -> dict[str, Any]:
        old, activation = self.old, str(self.old.value("activation"))
        kinds = {NONE: "none", "BatchNorm": "batch", "LayerNorm": "layer", "InstanceNorm": "instance", "GroupNorm": "layer"}
        learnt = self.kind == "segmentation" and self.dims == 3
        if self.dims == 2:
            old.tell(
                f"{name} begins with {WIDTH} channels and deepens to 4 times as many, whatever the bands (it began with one for each band)",
                f"{name} repeats pixels on the way up; bilinear interpolation between the corners would let tiles show",
            )
        if self.dims == 2 and not self.classes:
            old.tell(f"{name} ends with a convolution of 1×1; the last level gave the bands itself, after its activation")
        elif not self.classes:
            old.tell(f"{name} gives its last convolution as it is; {self._bent(activation)}")
        elif self.spectra:
            old.tell(
                f"{name} tells the class from the mean over the bands of one map for each class; it had one map for all, {activation} "
                "after it, and a linear layer after its mean"
            )
        old.tell(f"lengths that 8 does not divide are extended by reflection for {name}; it padded with zeros on the way up")
        if norm in ("LayerNorm", "GroupNorm"):
            old.tell(f"{norm} failed; normalisation over the channels of each position takes its place")
        elif norm != NONE:
            after = " and after the last convolution" if self.dims != 2 and (learnt or not self.classes or self.spectra) else ""
            old.tell(f"{name} normalises before each activation; it did so after it{after}")
        self._told_of_statistics(norm)
        settings: dict[str, Any] = {"width": WIDTH, "depth": 3, "convolutions": 2, "norm": kinds[norm], "ridge": False, "slim": True}
        settings |= {"last_kernel": 1 if self.dims == 2 else 3, "shared_slope": activation == "PReLU"}
        return settings | ({"after_sum": 1} if name == "ResUNet" else {}) | ({"over_bands": "learnt"} if learnt else {})

    def _bent(self, activation: str) -> str:
        """Return what the activation after the last convolution did."""
        did = {
            "ReLU": "so that no value could be below zero",
            "LeakyReLU": "which divided values below zero by 100",
            "PReLU": "which multiplied values below zero by the slope that it learnt",
        }
        return f"{activation} came after it, {did[activation]}"

    def _segnet(self) -> dict[str, Any]:
        bands = "" if self.dims == 2 else "; answers along the spectrum are averaged, where a convolution over all bands weighed them"
        began = f"{WIDTH} channels, whatever the bands (it began with one for each band)" if self.dims == 2 else f"{WIDTH} channels"
        self.old.tell(
            f"SegNet begins with {began}; it has two convolutions on each of its levels (there were 2, 2, 3, 3, 3, and on the way back 3, "
            f"3, 3, 2, 1), a last one of 1 (it had 3), and no dropout (there was 0.5){bands}"
        )
        return {"width": WIDTH, "depth": 5, "convolutions": 2, "norm": "batch", "activation": "relu"}

    def _rcan(self) -> dict[str, Any]:
        self.old.tell(
            f"RCAN has {WIDTH} channels, whatever the bands (there were half as many as bands, and 32 bands at least); it enlarges at its "
            "end, by interpolation, a convolution and ReLU, not at its beginning, by pixel shuffling with batch normalisation; it adds to "
            "a back-projected image only what cannot be known from it (network.consistent), where an image enlarged by learnt layers was; "
            "each block adds 0.3 of what it finds, not all, and the last layer begins at zero; it practises several factors "
            "(task.practise); attention looks around each pixel, so that tiles do not show"
        )
        exact = {"dropout": 0.0, "strength": 1.0}
        return {"width": WIDTH, "groups": 18, "blocks": 6, "reduction": 16, "activation": "relu"} | exact

    def _pooling(self, name: str, norm: str) -> dict[str, Any]:
        old = self.old
        kinds = {NONE: "batch", "BatchNorm": "batch", "LayerNorm": "group", "InstanceNorm": "instance", "GroupNorm": "group"}
        if name == "ResNet" and self.spectra:
            old.tell(
                f"ResNet looks along the spectrum, with {WIDTH} channels; it took bands for channels of a signal one long, and began with "
                "as many"
            )
        elif name == "ResNet" and self.dims == 2:
            old.tell(f"ResNet begins with {WIDTH} channels, whatever the bands (it began with one for each band)")
        if name == "EfficientNet":
            return {"variant": "b0"}
        if old.value("activation") == "PReLU":
            old.tell(f"{name} learns a slope of PReLU for each layer; it had one for all")
        if name == "ResNet":
            old.tell("ResNet's shortcuts that change the width have biases (they had none)")
        if norm in ("LayerNorm", "GroupNorm"):
            old.tell(f"{norm} failed; group normalisation takes its place")
        elif norm == "InstanceNorm" and name == "ResNet":
            old.tell("InstanceNorm failed in ResNet; it now works, with a scale and an offset that are learnt")
        elif norm == NONE:
            had = "it failed without" if name == "DenseNet" else "the document asks for no normalisation, which this ResNet does not offer"
            old.tell(f"{name} normalises by batches; {had}")
        self._told_of_statistics(NONE if name == "ResNet" and norm == "InstanceNorm" else norm)
        return {"norm": kinds[norm]} | ({"layers": 18, "width": WIDTH} if name == "ResNet" else {"layers": 121, "growth": 32})

    def _told_of_statistics(self, norm: str) -> None:
        if norm == "BatchNorm":
            self.old.tell("batch normalisation learns in every epoch; after the first validation or test it stood still")
        elif norm == "InstanceNorm":
            self.old.tell("InstanceNorm learns a scale and an offset for each channel; it had none")

    def loss(self) -> str:
        """Return the loss."""
        name = self.old.choice("criterion", CRITERIA, "Cross Entropy" if self.classes else "L1")
        if name == "Binary Cross Entropy":
            self.old.tell("'Binary Cross Entropy' failed; it is now that of each class against all others, before any sigmoid")
        return CRITERIA[name]

    def training(self) -> dict[str, Any]:
        """Return length, optimiser and schedule; nothing that spectrai did not have is switched on."""
        old = self.old
        epochs = old.number("epochs", 1, least=1)
        rate = old.number("learning_rate", 0.0001, whole=False)
        if not 0 < rate <= 10:
            old.problems.append(Problem("Training_Hyperparameters.learning_rate", f"{rate:g} is not above 0 and at most 10"))
        schedule = old.choice("scheduler", SCHEDULES, "Constant")
        if schedule == "Cyclic":
            old.tell("'Cyclic' rises and falls within 5 epochs each, not 2000 batches each, and does not halve its height every time")
        elif schedule == "ReduceOnPlateau":
            old.tell("'ReduceOnPlateau' watches the validation score that chooses the best epoch; it watched the loss")
        was = "with epochs: 1 nothing was" if epochs == 1 else "those of the last epoch but one were"
        old.tell(f"the best and the last weights are saved ({was}); test data are judged once, at the end")
        old.tell("a last batch of one joins the one before it")
        if old.value("shuffle", "True") != "True":
            old.tell("shuffle: training spectra and patches are always drawn in random order, all others never")
        if old.value("seed") == NONE:
            old.tell("seed: 0 where none is given, so that the same training gives the same model")
        return {
            "epochs": epochs,
            "batch": old.number("batch_size", 64 if self.spectra else 2, least=1),
            "optimiser": OPTIMISERS[old.choice("optimizer", OPTIMISERS, "Adam")] | {"lr": rate},
            "schedule": SCHEDULES[schedule],
            "ema": 0.0,
            "clip": 0.0,
            "precision": "fp32",
            "seed": old.seed,
        }

    def others(self) -> None:
        """Say what has no place here."""
        old = self.old
        option = old.choice("training_option", OPTIONS, OPTIONS[1])
        network = old.given("pretrained_network")
        old.number("pretrained_classes", 0)
        if option != OPTIONS[1] or network:
            what = f"training_option {option!r}" + (f" and pretrained_network {network!r}" if network else "")
            old.tell(f"{what} cannot be kept: weights of spectrai (.pt) are not read, and training begins anew")
        if any(old.given(key) for key in KEYS["State_Dicts"]):
            old.tell("State_Dicts are not read: training begins anew")
