"""Candidates of the automatic choice: the methods and networks that suit the data, the simplest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_spectrai.experiment.automatic import Automatic, Member, named
from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.network_spec import NetworkSpec, looks_around, networks
from napari_spectrai.experiment.tasks import TaskSpec

if TYPE_CHECKING:
    from napari_spectrai.experiment.document import Experiment

FEW = 20_000
"""Number of labelled pixels above which a convolutional network outperforms one on local means."""
PATCH = 32
"""Height and width of the patches of a denoising network, in pixels."""
WIDE = 1_000
"""Number of bands from which a network on all bands takes too long to be compared."""
LEAST_FOR_NETWORK = 200
"""Number of pairs of spectra from which a network is compared, too."""
MANY = 1_000
"""Number of samples from which the order takes into account costs that grow faster than this number."""
_LATE = {"local_means_mlp": 1, "random_forest": 2, "spectral_mlp": 2, "svm": 3, "svm_local_means": 3, "unet": 4}


@dataclass(frozen=True, slots=True)
class Size:
    """Size of the training data.

    Attributes
    ----------
    samples : int
        Number of labelled spectra or pixels, of pairs of spectra, or of whole images.
    bands : int
        Number of bands.
    sides : tuple of two ints, or None
        Height and width of the images; None for sets of spectra.
    """

    samples: int
    bands: int
    sides: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One method or network to compare.

    Attributes
    ----------
    name : str
        Display name, unique among the candidates.
    experiment : Experiment
        The document with this network, and with a loss and training that suit it.
    sees : str
        ``"spectra"``, ``"shapes"`` or ``"superpixels"``; see `experiment.automatic.Member`.
    """

    name: str
    experiment: Experiment
    sees: str = "spectra"

    @property
    def prior(self) -> float:
        """Its weight before any fold, in held-out units: most for linear methods on single spectra, least for networks and neighbourhoods.

        Flexible methods need evidence from the folds, and so does averaging over neighbours, since folds may be closer than the map.
        """
        if looks_around(self.network) or self.sees == "superpixels" or not self.network.classical:
            return 0.25
        return 1.0 if isinstance(self.network, ClassicalSpec) and self.network.is_linear and self.sees == "spectra" else 0.5

    @property
    def network(self) -> NetworkSpec:
        """The settings of the method or network."""
        return self.experiment.network


def candidates_for(experiment: Experiment, size: Size, earlier: Sequence[Member] = ()) -> list[Candidate]:
    """Return the candidates of an experiment whose network is ``automatic``, the simplest first.

    `earlier` are the methods of the model that the training continues from, which are then the only ones.
    """
    if earlier:
        return _of_earlier(experiment, size, earlier)
    listed = _listed(experiment)
    if listed:
        return [Candidate(_name(spec, listed), with_recipe(experiment, spec, size, own=True)) for spec in listed]
    task = experiment.task
    chosen = _of_classes(size, around=task.uses_neighbours and size.sides is not None) if task.classifies else _of_pairs(task, size)
    return [Candidate(named(networks.parse(kind), sees), with_recipe(experiment, kind, size), sees) for kind, sees in chosen]


def in_turn(candidates: Sequence[Candidate], size: Size) -> list[Candidate]:
    """Return candidates in the order of their comparison: if time runs out, the least promising ones are left out.

    With many samples, methods with quadratic cost and networks over whole patches come after cheap ones with spatial context.
    """
    if size.samples <= MANY:
        return list(candidates)
    return sorted(candidates, key=lambda candidate: _LATE.get(candidate.network.kind, 0))


def _listed(experiment: Experiment) -> Sequence[NetworkSpec]:
    """Return the candidates listed by a person; empty if the choice is left to the program."""
    network = experiment.network
    return network.candidates if isinstance(network, Automatic) else ()


def _of_earlier(experiment: Experiment, size: Size, earlier: Sequence[Member]) -> list[Candidate]:
    """Return the methods of an earlier model, with their settings."""
    return [Candidate(member.name, with_recipe(experiment, member.network, size), member.sees) for member in earlier]


def _name(spec: NetworkSpec, all_of_them: Sequence[NetworkSpec]) -> str:
    """Return the display name of a network listed by a person, with its settings if there are two of one kind."""
    name = named(spec, "spectra")
    if sum(one.kind == spec.kind for one in all_of_them) == 1:
        return name
    usual = networks.parse(spec.kind).model_dump(mode="json")
    changed = [f"{key}={value}" for key, value in spec.model_dump(mode="json").items() if value != usual[key]]
    return f"{name} ({', '.join(changed) or 'default'})"


def _of_classes(size: Size, *, around: bool) -> list[tuple[str, str]]:
    found = [("logistic_regression", "spectra"), ("logistic_regression", "shapes"), ("pca_lda", "spectra")]
    if size.samples <= 20_000:
        found += [("svm", "spectra"), ("svm", "shapes")]
    found += [("random_forest", "spectra")]
    if around:
        found += [
            ("logistic_local_means", "spectra"), ("pca_lda_local_means", "spectra"), ("svm_local_means", "spectra"),
            ("logistic_regression", "superpixels"), ("svm", "superpixels"),
        ]  # fmt: skip
    if size.bands <= WIDE:
        found += [("spectral_mlp", "spectra")]
    if around:
        found += [("local_means_mlp", "spectra")]
        if size.samples > FEW:
            found += [("unet", "spectra")]
    return found


def _of_pairs(task: TaskSpec, size: Size) -> list[tuple[str, str]]:
    networks_too = (task.network,) if size.samples >= LEAST_FOR_NETWORK else ()
    return [(one, "spectra") for one in (*task.candidates, *networks_too)]


def denoisers_for(experiment: Experiment, size: Size, earlier: Sequence[Member] = ()) -> list[Candidate]:
    """Return the denoisers that need no truth, the simplest first; only the `earlier` ones of a model that the training continues from."""
    if earlier:
        return _of_earlier(experiment, size, earlier)
    listed = _listed(experiment)
    if listed:
        return [Candidate(_name(spec, listed), with_recipe(experiment, spec, size, own=True)) for spec in listed]
    return [Candidate(named(networks.parse(kind), "spectra"), with_recipe(experiment, kind, size)) for kind in _of_noisy(size)]


def _of_noisy(size: Size) -> list[str]:
    kinds = ["raw", *(["savitzky_golay", "whittaker", "wavelet"] if size.bands >= 5 else [])]
    if size.sides is not None and min(size.sides) > 2:
        kinds += ["svd_nlm", "nl_bayes"]
        if min(size.sides) >= PATCH and size.bands >= 5:
            kinds.append("eigenimage_cnn")
    return kinds


def with_recipe(experiment: Experiment, network: Any, size: Size, *, own: bool = False) -> Experiment:
    """Return an experiment for one network, with the loss, patches and training that suit it and the size of the data.

    Parameters
    ----------
    own : bool
        Whether to keep the document's loss and training, because a person has listed the network.
    """
    kind = network if isinstance(network, str) else network.kind
    document = experiment.model_dump(mode="json")
    chosen = recipe(kind, experiment.task.kind, size)
    for section, values in chosen.items():
        if own and section == "training":
            continue
        merges = section in ("training", "data", "split") and isinstance(values, Mapping)
        document[section] = {**document[section], **values} if merges else values
    document["network"] = chosen.get("network", {"kind": kind}) if isinstance(network, str) else network.model_dump(mode="json")
    document["training"]["start"] = None  # weights that have seen the held-out samples would be scored on them
    document["split"] |= {"context": "shared", "gap": 0, "folds": 0} if experiment.task.classifies else {"folds": 0}
    if not own:
        document["augmentation"] = chosen.get("augmentation", [])
    return type(experiment).model_validate(document)


def recipe(kind: str, task: str, size: Size) -> dict[str, Any]:
    """Return the parts of a document that depend on the network, the task and the size of the data."""
    samples = max(1, size.samples)
    if kind == "local_means_mlp":
        batch = max(8, min(512, samples // 4))
        return {
            "loss": {"kind": "cross_entropy", "smoothing": 0.1, "weights": "balanced"},
            "training": {
                "batch": batch, "epochs": max(10, min(200, round(800 * batch / samples))), "ema": 0.98, "keep": "last",
                "schedule": {"kind": "one_cycle", "rise": 0.2}, "optimiser": {"kind": "adamw", "lr": 3e-3, "weight_decay": 0.05},
            },
        }  # fmt: skip
    if kind == "spectral_mlp":
        batch = 32 if samples <= 2_000 else 256
        return {
            "network": {"kind": kind, "width": 256 if samples <= 2_000 else 1024},
            "loss": {"kind": "cross_entropy", "smoothing": 0.05, "weights": "balanced"},
            "training": {
                "batch": batch, "epochs": max(5, min(300, round(1500 * batch / samples))), "ema": 0.98, "keep": "last",
                "schedule": {"kind": "one_cycle", "rise": 0.2}, "optimiser": {"kind": "adamw", "weight_decay": 0.05},
            },
        }  # fmt: skip
    if kind == "unet" and task in ("segmentation", "classification"):
        sides = size.sides or (48, 48)
        return {
            "network": {"kind": "unet", "dims": 2, "width": 32, "depth": 2, "dropout": 0.3, "components": min(32, size.bands)},
            "data": {"patch": max(4, min(48, *sides)), "samples": 64},
            "augmentation": ["flip", "rotate"],
            "training": {"batch": 8, "epochs": 60, "keep": "last"},
            "loss": {"kind": "cross_entropy", "weights": "balanced"},
        }
    if kind == "eigenimage_cnn":
        return {
            "data": {"patch": PATCH, "samples": 64},
            "augmentation": ["flip", "rotate"],
            "training": {"batch": 8, "epochs": 25, "keep": "last"},
        }
    if kind == "residual_mlp":
        batch = 32 if samples <= 5_000 else 256
        return {
            "augmentation": [{"kind": "noise", "sigma": 0.02}, {"kind": "mixup", "alpha": 0.4}],
            "training": {"batch": batch, "epochs": max(5, min(150, round(3600 * batch / samples))), "keep": "last"},
        }
    return {}
