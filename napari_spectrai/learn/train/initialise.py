"""Initialisation of networks: closed-form parts, pretrained weights, and frozen layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.model import Model, built
from napari_spectrai.networks import RidgeSkip, Subspace
from napari_spectrai.networks.enlarging_filter import fit_weights
from napari_spectrai.networks.hooks import LastLayer
from napari_spectrai.networks.ridge import ridge_map
from napari_spectrai.networks.upsampling import Enlarging, sharpened

FITTED_PATCHES = 256
"""Approximate number of pairs of patches that an enlarging filter is fitted to."""


def initialise(experiment: Experiment, data: Dataset, *, pretrained: bool) -> nn.Module:
    """Return the network of an experiment with its closed-form parts fitted and, if `pretrained`, with the weights of its start model."""
    network = built(experiment, data.inputs.shape[1], data.out, classes=bool(data.classes))
    for stem in (module for module in network.modules() if isinstance(module, Subspace)):
        stem.fit(data.seen())
    if isinstance(network, RidgeSkip):
        network.set_map(*ridge_map(*data.spectra("training"), alpha=experiment.network.alpha))  # type: ignore[attr-defined]
    if isinstance(network, Enlarging) and experiment.network.fits_enlargement and data.truths is not None and data.times > 1:
        data.notes.append(fit_enlargement(network, data))
    start = experiment.training.start
    if start is not None and pretrained:
        data.notes.append(load_pretrained(network, start, experiment, data.axis))
    return network


def fit_enlargement(network: Enlarging, data: Dataset) -> str:
    """Fit the filter of a network to the training pairs, use it where its error is lower than that of back-projection, and say so."""
    samples = data.parts["training"]
    spread = range(0, len(samples), max(1, len(samples) // FITTED_PATCHES))
    pairs = [data.batch(samples[place : place + 1], data.inputs.device) for place in spread]
    known = [(coarse, fine) for coarse, fine in pairs if fine is not None]
    weights, error = fit_weights(known, network.times)
    squares = torch.cat([(sharpened(coarse, network.times) - fine).square().flatten() for coarse, fine in known])
    usual = float(squares[squares.isfinite()].double().mean())
    if not error < usual:
        return f"Images are enlarged by back-projection, since a filter fitted to the pairs is not better (MSE {usual:.3g}, {error:.3g})."
    network.set_filter(weights)
    return (
        f"Images are enlarged by a filter fitted to the pairs, whose error is lower than that of back-projection (MSE {error:.3g}, "
        f"{usual:.3g}): other inputs have to be made in the same way. To enlarge by back-projection, set network.fitted=false."
    )


def refuse_single(network: nn.Module, experiment: Experiment, samples: int, seen: Callable[[], Tensor] | None = None) -> None:
    """Refuse steps of a single sample if a batch normalisation would compute its statistics from one value.

    `seen` returns the input of such a step, to find out; without it, the layers alone decide.

    Raises
    ------
    ValueError
    """
    # convolutions of single spectra also use the bands
    kinds: type[nn.Module] = nn.modules.batchnorm._BatchNorm if experiment.task.of_images else nn.BatchNorm1d  # noqa: SLF001
    batch = experiment.training.batch
    if min(batch, samples) > 1:
        return
    if not any(isinstance(module, kinds) for module in network.modules()) and (seen is None or _normalises(network, seen())):
        return
    title = experiment.network.title or experiment.network.kind
    why = f"{title} normalises over the samples of a step, and needs at least 2"
    if batch == 1:
        raise ValueError(f"{why}, but training.batch is 1; set training.batch=2 or more")
    other = f"set network.norm={experiment.network.norm_of_samples}" if experiment.network.normalises_batches else "choose another network"
    raise ValueError(f"{why}, but there is 1 training sample; add 1 or more, or {other}")


@torch.no_grad()
def _normalises(network: nn.Module, x: Tensor) -> bool:
    """Whether a network can normalise a batch: at its deepest level, a single spectrum may be reduced to one value per channel."""
    if not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):  # noqa: SLF001
        return True
    try:
        copy.deepcopy(network).train()(x.to(next(network.parameters()).device))
    except ValueError:
        return False
    return True


def check_steps(network: nn.Module, experiment: Experiment, data: Dataset, drawn: int, steps: int) -> None:
    """Refuse a single sample where the network cannot learn from it; note that there are few steps.

    Parameters
    ----------
    network : nn.Module
    experiment : Experiment
    data : Dataset
        Its notes are extended.
    drawn, steps : int
        Samples and steps of an epoch.

    Raises
    ------
    ValueError
    """
    patch, batch = data.parts["training"].patch, experiment.training.batch
    if patch == 1 or experiment.network.around or experiment.task.of_images:  # a patch contains many values
        refuse_single(network, experiment, drawn, lambda: data.batch(data.parts["training"][:1], data.inputs.device)[0])
    if steps < 4:
        data.notes.append(
            f"Only {steps} step{'s' if steps > 1 else ''} per epoch ({drawn} samples, batch {batch}); lower training.batch for more."
        )


def load_pretrained(network: nn.Module, path: Path, experiment: Experiment, axis: SpectralAxis) -> str:
    """Copy all matching weights of a model file into `network`, and return a note on those that stay randomly initialised.

    Raises
    ------
    ValueError
        If the file contains another kind of network, or nothing in it matches.
    """
    model = Model.load(path)
    theirs, ours = model.description.experiment.network, experiment.network
    if theirs.kind != ours.kind:
        raise ValueError(f"{path} contains a {theirs.title}, but this experiment trains a {ours.title}; set network.kind={theirs.kind}")
    if theirs.dimensionality != ours.dimensionality:
        raise ValueError(f"{path} has network.dims={theirs.dimensionality}, but this experiment has {ours.dimensionality}")
    known, own = model.network.state_dict(), network.state_dict()
    fitting = {name: tensor for name, tensor in known.items() if name in own and own[name].shape == tensor.shape}
    learnt = {name for name, _ in network.named_parameters()}
    if not learnt & set(fitting):
        raise ValueError(f"no weights of {path} fit this network (other width, depth or bands); choose the settings it was trained with")
    network.load_state_dict(fitting, strict=False)
    fresh = sorted(learnt - set(fitting))
    words = f"; {len(fresh)} are newly initialised ({', '.join(fresh[:3])}{', …' if len(fresh) > 3 else ''})" if fresh else ""
    difference = model.axis.mismatch(axis)
    words += f"; it was trained on other bands: these data have {difference}" if difference else ""
    return f"Initialised with {len(learnt) - len(fresh)} of {len(learnt)} groups of weights of {path.name}{words}."


def freeze(network: nn.Module, patterns: list[str]) -> list[nn.Module]:
    """Freeze the weights whose names match a pattern, except those of the last layer; return the normalisations to freeze.

    Raises
    ------
    ValueError
        If a pattern matches no weight; the message lists the existing parts.
    """
    if not patterns:
        return []
    last = {id(parameter) for parameter in network.last.parameters()} if isinstance(network, LastLayer) else set()
    names = [name for name, _ in network.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            parts = sorted({".".join(name.split(".")[:2]) for name in names})
            raise ValueError(f"training.frozen: no weights match {pattern!r}; there are {', '.join(parts[:12])}; * matches anything")
    for name, parameter in network.named_parameters():
        if id(parameter) not in last and any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ValueError(f"training.frozen={patterns} freezes all weights; list fewer")
    still: list[nn.Module] = []
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and own and not any(p.requires_grad for p in own):  # noqa: SLF001
            still.append(module)
    return still
