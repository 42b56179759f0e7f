"""Candidates of the automatic choice: the methods and networks that suit the data, the simplest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_spectrai.experiment.automatic import Automatic, Member, named
from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.network_spec import NetworkSpec, Purpose, looks_around, networks
from napari_spectrai.experiment.tasks import TaskSpec

if TYPE_CHECKING:
    from napari_spectrai.experiment.document import Experiment

LEAST_FOR_NETWORK = 200
"""Number of pairs of spectra from which a network is compared, too."""
MANY = 1_000
"""Number of samples from which the order takes into account costs that grow faster than this number."""


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
        if self.uses_neighbours or not self.network.classical:
            return 0.25
        return 1.0 if self.is_linear and self.sees == "spectra" else 0.5

    @property
    def uses_neighbours(self) -> bool:
        """Whether its result for a pixel depends on the pixels around it."""
        return looks_around(self.network) or self.sees == "superpixels"

    @property
    def is_linear(self) -> bool:
        """Whether it is a linear method on single spectra, or on their shapes."""
        return isinstance(self.network, ClassicalSpec) and self.network.is_linear and not self.uses_neighbours

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
    if task.classifies:
        chosen = _suitable("pixels" if task.uses_neighbours and size.sides is not None else "spectra", size)
    else:
        chosen = _of_pairs(task, size)
    return _candidates(experiment, chosen, size)


def _candidates(experiment: Experiment, chosen: Sequence[tuple[str, str]], size: Size) -> list[Candidate]:
    """Return the candidates of some kinds, given with what each sees."""
    return [Candidate(named(networks.parse(kind), sees), with_recipe(experiment, kind, size), sees) for kind, sees in chosen]


def in_turn(candidates: Sequence[Candidate], size: Size) -> list[Candidate]:
    """Return candidates in the order of their comparison: if time runs out, the least promising ones are left out.

    With many samples, linear methods on single spectra come first, then the others in ascending order of how their cost grows: a network
    on local means, which takes the same number of steps for any number of samples, comes before methods whose cost is linear in it, and
    those of quadratic cost and networks over whole patches come last.
    """
    if size.samples <= MANY:
        return list(candidates)
    return sorted(candidates, key=lambda candidate: (not candidate.is_linear, candidate.network.cost_growth))


def denoisers_in_turn(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return denoisers in the order of their comparison, so that a busy machine or a short time limit rarely changes the choice.

    After the simplest, which is the unchanged data, come the classical methods that use neighbouring pixels: they take seconds, and where
    there is an image they usually have the lowest error. Methods on single spectra and networks follow.
    """
    rest = sorted(candidates[1:], key=lambda candidate: (not candidate.network.classical, not looks_around(candidate.network)))
    return [*candidates[:1], *rest]


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


def _suitable(purpose: Purpose, size: Size) -> list[tuple[str, str]]:
    """Return the kinds that take part in the choice, and what each sees, the simplest first."""
    found = [(place, kind, view) for kind in networks for view, place in networks[kind].candidacy(purpose, size).items()]
    return [(kind, view) for _, kind, view in sorted(found)]


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
    return _candidates(experiment, _suitable("denoising", size), size)


def with_recipe(experiment: Experiment, network: Any, size: Size, *, own: bool = False) -> Experiment:
    """Return an experiment for one network, with the loss, patches and training that suit it and the size of the data.

    Parameters
    ----------
    own : bool
        Whether to keep the document's loss and training, because a person has listed the network.
    """
    spec = networks[network] if isinstance(network, str) else type(network)
    document = experiment.model_dump(mode="json")
    chosen = spec.recipe(size, classifies=experiment.task.classifies)
    for section, values in chosen.items():
        if own and section == "training":
            continue
        merges = section in ("training", "data", "split") and isinstance(values, Mapping)
        document[section] = {**document[section], **values} if merges else values
    document["network"] = {"kind": network} | chosen.get("network", {}) if isinstance(network, str) else network.model_dump(mode="json")
    document["training"]["start"] = None  # weights that have seen the held-out samples would be scored on them
    document["split"] |= {"context": "shared", "gap": 0, "folds": 0} if experiment.task.classifies else {"folds": 0}
    if not own:
        document["augmentation"] = chosen.get("augmentation", [])
    return type(experiment).model_validate(document)
