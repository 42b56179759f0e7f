"""The network before its first step: fitted to the data, with the weights of another model where one is given, some of them fixed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from torch import nn

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.model import Model, built
from napari_spectrai.networks import RidgeSkip, Subspace
from napari_spectrai.networks.ridge import ridge_map


def initialise(experiment: Experiment, data: Dataset, *, anew: bool) -> nn.Module:
    """Return the network of an experiment, with what of it is found in closed form; a new one also with the weights it is to begin with."""
    network = built(experiment, data.inputs.shape[1], data.out, classes=bool(data.classes))
    for stem in (module for module in network.modules() if isinstance(module, Subspace)):
        stem.fit(data.seen())
    if isinstance(network, RidgeSkip):
        network.set_map(*ridge_map(*data.spectra("training"), alpha=experiment.network.alpha))  # type: ignore[attr-defined]
    start = experiment.training.start
    if start is not None and anew:
        data.notes.append(load_pretrained(network, start, experiment, data.axis))
    return network


def refuse_single(network: nn.Module, experiment: Experiment, samples: int) -> None:
    """Refuse steps of a single sample where a batch normalisation would have to take its statistics from one value.

    Raises
    ------
    ValueError
    """
    # convolutions of single spectra take theirs along the bands, too
    kinds: type[nn.Module] = nn.modules.batchnorm._BatchNorm if experiment.task.of_images else nn.BatchNorm1d  # noqa: SLF001
    normalised = any(isinstance(module, kinds) for module in network.modules())
    batch = experiment.training.batch
    if not normalised or min(batch, samples) > 1:
        return
    title = experiment.network.title or experiment.network.kind
    why = f"{title} normalises over the samples of a step, of which it needs 2 or more"
    if batch == 1:
        raise ValueError(f"{why}, and training.batch is 1; set training.batch=2 or more")
    raise ValueError(f"{why}, and there is 1 to train on; give more data, or choose a network without batch normalisation")


def load_pretrained(network: nn.Module, path: Path, experiment: Experiment, axis: SpectralAxis) -> str:
    """Copy into `network` all weights of a model file that fit, and say which did not: those begin anew.

    Raises
    ------
    ValueError
        If the file holds another kind of network, or nothing in it fits.
    """
    model = Model.load(path)
    theirs, ours = model.description.experiment.network, experiment.network
    if theirs.kind != ours.kind:
        raise ValueError(f"{path} holds a {theirs.title}, and this experiment trains a {ours.title}; set network.kind={theirs.kind}")
    if getattr(theirs, "dims", None) != getattr(ours, "dims", None):
        raise ValueError(f"{path} has network.dims={getattr(theirs, 'dims', None)}, and this experiment {getattr(ours, 'dims', None)}")
    known, own = model.network.state_dict(), network.state_dict()
    fitting = {name: tensor for name, tensor in known.items() if name in own and own[name].shape == tensor.shape}
    learnt = {name for name, _ in network.named_parameters()}
    if not learnt & set(fitting):
        raise ValueError(f"no weights of {path} fit this network (other width, depth or bands); choose the settings it was trained with")
    network.load_state_dict(fitting, strict=False)
    anew = sorted(learnt - set(fitting))
    words = f"; {len(anew)} begin anew ({', '.join(anew[:3])}{', …' if len(anew) > 3 else ''})" if anew else ""
    difference = model.axis.mismatch(axis)
    words += f"; it learnt from other bands: these data have {difference}" if difference else ""
    return f"Begins with {len(learnt) - len(anew)} of {len(learnt)} groups of weights of {path.name}{words}."


def freeze(network: nn.Module, patterns: list[str]) -> list[nn.Module]:
    """Keep the weights whose names fit a pattern, except those of the last layer; return the normalisations that keep their figures.

    Raises
    ------
    ValueError
        If a pattern fits no weight; the message names the parts there are.
    """
    if not patterns:
        return []
    last = {id(parameter) for parameter in network.last.parameters()} if hasattr(network, "last") else set()  # type: ignore[union-attr]
    names = [name for name, _ in network.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            parts = sorted({".".join(name.split(".")[:2]) for name in names})
            raise ValueError(f"training.frozen: no weights are named {pattern!r}; there are {', '.join(parts[:12])}; * stands for anything")
    for name, parameter in network.named_parameters():
        if id(parameter) not in last and any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ValueError(f"training.frozen={patterns} leaves nothing to learn; name fewer weights")
    still: list[nn.Module] = []
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and own and not any(p.requires_grad for p in own):  # noqa: SLF001
            still.append(module)
    return still
