"""The data of a training in their parts: a new split, or that of the run that is resumed."""

from __future__ import annotations

from collections.abc import Sequence

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.stages import Say, silent
from napari_spectrai.plan.truths import Truth
from napari_spectrai.runs import RunFolder, Started
from napari_spectrai.runs.split_file import DamagedSplitError


def split_data(
    experiment: Experiment, inputs: Sequence[Cube], targets: Sequence[Truth], folder: RunFolder, *, resume: bool, say: Say = silent
) -> Dataset:
    """Return the data set of a run; of one that is resumed, with the split that its folder keeps.

    Raises
    ------
    ValueError
        As `assemble`, or if the split was damaged and cannot be drawn again.
    """
    try:
        maps = (folder.maps() or None) if resume else None
        if maps is not None and len(maps) != len(inputs):
            raise DamagedSplitError(
                f"{folder.split} holds {len(maps)} maps for {len(inputs)} images; give the data that the run began with"
            )
        return assemble(experiment, inputs, targets, maps, say=say)
    except DamagedSplitError as error:
        return _drawn_again(experiment, inputs, targets, folder, error)


def _drawn_again(
    experiment: Experiment, inputs: Sequence[Cube], targets: Sequence[Truth], folder: RunFolder, error: DamagedSplitError
) -> Dataset:
    """Return the data as their seed divides them, if that gives the parts that the run began with."""
    began = next((event for event in folder.events() if isinstance(event, Started)), None)
    data = assemble(experiment, inputs, targets, None)
    counts = [data.training_samples, *(len(data.parts.get(part, ())) for part in ("validation", "test"))]
    if began is None or counts != [began.training, began.validation, began.test]:
        raise error
    data.notes.append(f"{folder.split.name} was damaged; the split was drawn again from its seed, with as many samples in each part.")
    return data
