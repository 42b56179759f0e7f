"""Conversion of the network, the loss and the training of a document of spectrai (Horgan & Bergholt 2022)."""

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
"""Channels of networks whose width depended on the bands; the others had the same number."""


class Learning:
    """Conversion of a document's network, depending on its task and on whether it is for spectra or images."""

    def __init__(self, old: Old, task: str, spectra: bool) -> None:  # noqa: FBT001
        self.old, self.kind, self.spectra = old, task, spectra
        self.classes = task in ("classification", "segmentation")
        dimension = old.choice("dimension", ("2D", "3D"), "2D")
        self.dims = 1 if spectra else int(dimension[0])

    def network(self) -> dict[str, Any]:
        """Return the network, with a width independent of the bands."""
        old = self.old
        usual = {"classification": "ResNet", "segmentation": "UNet", "super_resolution": "RCAN", "calibration": "UNet"}
        name = old.choice("network", NETWORKS, usual.get(self.kind, "ResUNet"))
        activation = ACTIVATIONS[old.choice("activation", ACTIVATIONS, "ReLU")]
        norm = old.choice("normalization", NORMS, NONE)
        if name in ("UNet", "ResUNet") and self.kind == "super_resolution":
            old.note(f"{name} does not enlarge images here; it is replaced by RCAN")
            name = "RCAN"
        if name in ("UNet", "ResUNet") and self.kind == "classification" and not self.spectra:
            old.note(f"{name} classifies pixels here; for whole images, it is replaced by ResNet")
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
            old.note(f"{name} ignored activation and normalization, and still does")
        return settings

    def _unet(self, name: str, norm: str) -> dict[str, Any]:
        old, activation = self.old, self.old.choice("activation", ACTIVATIONS, "ReLU")
        kinds = {NONE: "none", "BatchNorm": "batch", "LayerNorm": "layer", "InstanceNorm": "instance", "GroupNorm": "layer"}
        learnt = self.kind == "segmentation" and self.dims == 3
        if self.dims == 2:
            old.note(
                f"{name} has {WIDTH} channels, up to 4 times as many at depth, independent of the bands (it had one per band)",
                f"{name} repeats pixels in the decoder; bilinear interpolation between the corners would leave seams between tiles",
            )
        if self.dims == 2 and not self.classes:
            old.note(f"{name} ends with a 1×1 convolution; the last level returned the bands, after its activation")
        elif not self.classes:
            old.note(f"{name} returns its last convolution unchanged; {self._bent(activation)}")
        elif self.spectra:
            old.note(
                f"{name} classifies by the mean over the bands of one map per class; it had one map for all classes, {activation} "
                "after it, and a linear layer after its mean"
            )
        old.note(f"lengths that are not multiples of 8 are padded by reflection for {name}; it padded with zeros in the decoder")
        if norm in ("LayerNorm", "GroupNorm"):
            old.note(f"{norm} failed; it is replaced by normalisation over the channels of each position")
        elif norm != NONE:
            after = " and after the last convolution" if self.dims != 2 and (learnt or not self.classes or self.spectra) else ""
            old.note(f"{name} normalises before each activation; it did so afterwards{after}")
        self._note_statistics(norm)
        settings: dict[str, Any] = {"width": WIDTH, "depth": 3, "convolutions": 2, "norm": kinds[norm], "ridge": False, "slim": True}
        settings |= {"last_kernel": 1 if self.dims == 2 else 3, "shared_slope": activation == "PReLU"}
        return settings | ({"after_sum": 1} if name == "ResUNet" else {}) | ({"over_bands": "learnt"} if learnt else {})

    def _bent(self, activation: str) -> str:
        """Describe the effect of the activation after the last convolution."""
        did = {
            "ReLU": "so that no value could be negative",
            "LeakyReLU": "which divided negative values by 100",
            "PReLU": "which multiplied negative values by its trained slope",
        }
        return f"it was followed by {activation}, {did[activation]}"

    def _segnet(self) -> dict[str, Any]:
        bands = "" if self.dims == 2 else "; outputs along the spectrum are averaged instead of weighted by a convolution over all bands"
        width = f"{WIDTH} channels, independent of the bands (it started with one per band)" if self.dims == 2 else f"{WIDTH} channels"
        self.old.note(
            f"SegNet starts with {width}; it has two convolutions per level (there were 2, 2, 3, 3, 3, and in the decoder 3, "
            f"3, 3, 2, 1), a last one of size 1 (it was 3), and no dropout (there was 0.5){bands}"
        )
        return {"width": WIDTH, "depth": 5, "convolutions": 2, "norm": "batch", "activation": "relu"}

    def _rcan(self) -> dict[str, Any]:
        self.old.note(
            f"RCAN has {WIDTH} channels, independent of the bands (there were half as many, for at least 32 bands); it enlarges at its "
            "end, by interpolation, a convolution and ReLU, not at its start, by pixel shuffling with batch normalisation; to the enlarged "
            "image, it adds only the part that the input does not determine (network.consistent), instead of enlarging by trained layers; "
            "each block adds 0.3 of its output, not all, and the last layer starts at zero; it is trained for several factors "
            "(task.practise); attention is local, so that tiles leave no seams"
        )
        exact = {"dropout": 0.0, "strength": 1.0}
        return {"width": WIDTH, "groups": 18, "blocks": 6, "reduction": 16, "activation": "relu"} | exact

    def _pooling(self, name: str, norm: str) -> dict[str, Any]:
        old = self.old
        kinds = {NONE: "batch", "BatchNorm": "batch", "LayerNorm": "group", "InstanceNorm": "instance", "GroupNorm": "group"}
        if name == "ResNet" and self.spectra:
            old.note(
                f"ResNet is applied along the spectrum, with {WIDTH} channels; it used bands as channels of a signal of length one, with "
                "as many channels"
            )
        elif name == "ResNet" and self.dims == 2:
            old.note(f"ResNet starts with {WIDTH} channels, independent of the bands (it started with one per band)")
        if name == "EfficientNet":
            return {"variant": "b0"}
        if old.value("activation") == "PReLU":
            old.note(f"{name} has one slope of PReLU per layer; it had one for all")
        if name == "ResNet":
            old.note("ResNet's shortcuts that change the width have biases (they had none)")
        if norm in ("LayerNorm", "GroupNorm"):
            old.note(f"{norm} failed; it is replaced by group normalisation")
        elif norm == "InstanceNorm" and name == "ResNet":
            old.note("InstanceNorm failed in ResNet; it now works, with a trained scale and offset")
        elif norm == NONE:
            had = "it failed without" if name == "DenseNet" else "the document requests none, which this ResNet does not support"
            old.note(f"{name} normalises by batches; {had}")
        self._note_statistics(NONE if name == "ResNet" and norm == "InstanceNorm" else norm)
        return {"norm": kinds[norm]} | ({"layers": 18, "width": WIDTH} if name == "ResNet" else {"layers": 121, "growth": 32})

    def _note_statistics(self, norm: str) -> None:
        if norm == "BatchNorm":
            self.old.note("batch normalisation is trained in every epoch; it was frozen after the first validation or test")
        elif norm == "InstanceNorm":
            self.old.note("InstanceNorm has a trained scale and offset per channel; it had none")

    def loss(self) -> str:
        """Return the loss."""
        name = self.old.choice("criterion", CRITERIA, "Cross Entropy" if self.classes else "L1")
        if name == "Binary Cross Entropy":
            self.old.note("'Binary Cross Entropy' failed; it is now computed for each class against all others, from logits")
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
            old.note("'Cyclic' increases and decreases within 5 epochs each, not 2000 batches, and does not halve its amplitude")
        elif schedule == "ReduceOnPlateau":
            old.note("'ReduceOnPlateau' uses the validation score that determines the best epoch; it used the loss")
        was = "with epochs: 1 nothing was" if epochs == 1 else "those of the last epoch but one were"
        old.note(f"the best and the last weights are saved ({was}); test data are scored once, at the end")
        old.note("a last batch of one sample is merged with the previous one")
        if not old.flag("shuffle", 1):
            old.note("shuffle: training spectra and patches are always drawn in random order, all others never")
        if old.value("seed") == NONE:
            old.note("seed: 0 if none is given, so that the same training gives the same model")
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
        """Report settings that have no equivalent."""
        old = self.old
        option = old.choice("training_option", OPTIONS, OPTIONS[1])
        network = old.given("pretrained_network")
        old.number("pretrained_classes", 0)
        if option != OPTIONS[1] or network:
            what = f"training_option {option!r}" + (f" and pretrained_network {network!r}" if network else "")
            old.note(f"{what} cannot be kept: weights of spectrai (.pt) are not read, and the training starts from random weights")
        if any(old.given(key) for key in KEYS["State_Dicts"]):
            old.note("State_Dicts are not read: the training starts from random weights")
