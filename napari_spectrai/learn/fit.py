"""Training as a stream of events, and `train`, which drains it behind a progress bar."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any

from napari_spectrai.arguments import of_type
from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.generators import drain
from napari_spectrai.learn.automatic.race import Race
from napari_spectrai.learn.automatic.self_supervised import BlindChoice
from napari_spectrai.learn.automatic.supervised import CrossValidation, is_cross_validated
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.excerpt import reduced
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.stages import Say, Stages, StageStopped, StoppedEarlyError
from napari_spectrai.learn.train.block_split import BlockScore, is_needed
from napari_spectrai.learn.train.closed_form import fit_closed_form
from napari_spectrai.learn.train.trainer import Trainer
from napari_spectrai.plan.truths import Truth, gather
from napari_spectrai.plan.used_pixels import UsedPixels
from napari_spectrai.reports.run_report import concluded
from napari_spectrai.runs import Event, Failed, Finished, RunFolder, Started
from napari_spectrai.runs.folder import DamagedSplitError
from napari_spectrai.runs.start import data_in

MAKE_ONE = "make one with Experiment.default(task, cube, truth), or read one with Experiment.load(path)"


def fit(
    experiment: Experiment | None = None,
    cubes: Any = None,
    truths: Any = None,
    *,
    run: str | Path | None = None,
    resume: bool = False,
) -> Generator[Event, None, Model]:
    """Train, one event at a time; the generator's return value is the best model.

    Every event is in the run folder before it is yielded, and so are the files it speaks of. Closing the
    generator saves a checkpoint.

    Parameters
    ----------
    experiment : Experiment, optional
        Left out only to resume: the run folder holds it.
    cubes, truths : Cube, array, napari layer or list of them, optional
        Default: the files that ``experiment.data`` names. What did not come unchanged from a file is copied into the run folder, so that
        the run can be resumed (not for classical methods, which are fitted in one go).
    run : path, optional
        The run folder; default: a new one in ``$NAPARI_SPECTRAI_RUNS`` or the user's data folder.
    resume : bool, default False
        Continue from the checkpoint in `run` with its optimiser state, schedule, random state, split and curve. The data are read from
        where the run has kept them, unless `cubes` are given.

    Yields
    ------
    Stage, Started, Step, Epoch, Preview, Saved, Paused, Finished or Failed
        Before `Started`, a `Stage` says what is done as soon as that takes more than a second.

    Returns
    -------
    Model
        The value of the generator: the model of the best epoch.

    Raises
    ------
    TypeError
        If `experiment` is no Experiment.
    ValueError
        If the data do not fit together or the experiment does not fit the data.
    StoppedEarlyError
        If the run was asked to stop before its first epoch, after `Finished`.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> pairs = spectrai.sample("raman_pairs")
    >>> experiment = spectrai.Experiment.default("denoising", pairs.cube, pairs.truth).override("training.epochs=2")
    >>> for event in spectrai.fit(experiment, pairs.cube, pairs.truth):  # doctest: +SKIP
    ...     print(event)
    """
    if resume:
        if run is None:
            raise ValueError("resume=True needs the run to resume; give its folder with run=")
        folder = RunFolder(run)
        experiment = folder.experiment()
        if folder.state() == "finished":
            raise ValueError(f"the run in {folder.path} has finished; its model is {folder.best}. Start a new run to learn more")
    else:
        experiment = of_type(experiment, Experiment, "the first argument of a training", MAKE_ONE)
        folder = RunFolder.create(experiment, run)
    folder.claim()
    try:
        return (yield from _trained(experiment, cubes, truths, folder, resume=resume))
    except StageStopped as stopped:
        known = folder.best.exists()
        note = f"Stopped during: {stopped.name}." + ("" if known else " There is no model yet.")
        yield concluded(folder, Finished("stopped", model=str(folder.best) if known else "", notes=[note]))
        raise StoppedEarlyError(f"stopped before the first epoch ({stopped.name}); resume the run to start it again") from None
    except StoppedEarlyError:  # reported where it was raised
        raise
    except Exception as error:
        yield concluded(folder, Failed(str(error) or type(error).__name__, traceback.format_exc()))
        raise
    finally:
        folder.release()


def _trained(experiment: Experiment, cubes: Any, truths: Any, folder: RunFolder, *, resume: bool) -> Generator[Event, None, Model]:
    """Read the data and train in the way that the experiment asks for."""
    stages = Stages(folder)
    inputs, targets = yield from stages.run("Reading the data", lambda _: gather(experiment, cubes, truths))
    if cubes is not None and not resume and not experiment.network.classical:
        data_in(experiment, cubes, truths, folder).save(folder.document)
    race = _race(experiment, inputs, targets, folder, resume=resume)
    if race is not None:
        UsedPixels.of(experiment, inputs, targets, race.base, crossed=True).save(folder.path)
        return (yield from race.events())
    data = yield from stages.run("Preparing the spectra", lambda say: _dataset(experiment, inputs, targets, folder, say, resume=resume))
    UsedPixels.of(experiment, inputs, targets, data.split, crossed=False).save(folder.path)
    if experiment.network.classical:
        return (yield from fit_closed_form(experiment, data, folder))
    training = Trainer(experiment, data, folder)
    if is_needed(experiment, inputs, data):
        training.block_score = BlockScore(experiment, inputs, targets, folder)
    if resume:
        training.restore()
    return (yield from training.events())


def _race(experiment: Experiment, inputs: list[Cube], targets: list[Truth], folder: RunFolder, *, resume: bool) -> Race | None:
    """Return the comparison of candidates that an experiment asks for; resumed, it begins again."""
    if not is_cross_validated(experiment) and not isinstance(experiment.network, Automatic):
        return None
    if resume:
        folder.truncate(0)
    if is_cross_validated(experiment):
        return CrossValidation(experiment, inputs, targets, folder)
    shown, words = reduced(experiment, inputs)
    choice = BlindChoice(experiment, shown, folder)
    choice.notes = [*filter(None, [words]), *choice.notes]
    return choice


def _dataset(experiment: Experiment, inputs: list[Cube], targets: list[Truth], folder: RunFolder, say: Say, *, resume: bool) -> Dataset:
    try:
        maps = (folder.maps() or None) if resume else None
        if maps is not None and len(maps) != len(inputs):
            raise DamagedSplitError(
                f"{folder.split} holds {len(maps)} maps for {len(inputs)} images; give the data that the run began with"
            )
        data = assemble(experiment, inputs, targets, maps, say=say)
    except DamagedSplitError as error:
        data = _drawn_again(experiment, inputs, targets, folder, error)
    folder.keep_maps(data.split)
    return data


def _drawn_again(experiment: Experiment, inputs: list[Cube], targets: list[Truth], folder: RunFolder, error: DamagedSplitError) -> Dataset:
    """Return the data as their seed divides them, if that gives the parts that the run began with."""
    began = next((event for event in folder.events() if isinstance(event, Started)), None)
    data = assemble(experiment, inputs, targets, None)
    counts = [data.training_samples, *(len(data.parts.get(part, ())) for part in ("validation", "test"))]
    if began is None or counts != [began.training, began.validation, began.test]:
        raise error
    data.notes.append(f"{folder.split.name} was damaged; the split was drawn again from its seed, with as many samples in each part.")
    return data


def train(
    experiment: Experiment | None = None, cubes: Any = None, truths: Any = None, *, run: str | Path | None = None, resume: bool = False
) -> Model:
    """Train with a progress bar and return the best model.

    Interrupted with Ctrl-C, it saves a checkpoint and says how to continue; so does a run whose process was killed, from its last
    checkpoint: ``train(run=folder, resume=True)``, or ``Run(folder).resume()`` for a process of its own.

    Parameters
    ----------
    experiment, cubes, truths, run, resume
        As for `fit`.

    Returns
    -------
    Model

    Raises
    ------
    TypeError, ValueError
        As for `fit`.
    KeyboardInterrupt
        If it is interrupted; its notes say where the checkpoint is and how to continue.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> pairs = spectrai.sample("raman_pairs")
    >>> experiment = spectrai.Experiment.default("denoising", pairs.cube, pairs.truth)
    >>> model = spectrai.train(experiment, pairs.cube, pairs.truth)  # doctest: +SKIP
    """
    if not resume:
        experiment = of_type(experiment, Experiment, "the first argument of train", MAKE_ONE)
        run = RunFolder.new(experiment) if run is None else run
    try:
        return follow(fit(experiment, cubes, truths, run=run, resume=resume))[0]
    except KeyboardInterrupt as interruption:
        if run is not None and RunFolder(run).checkpoint.exists():
            interruption.add_note(f"The training is saved in {run}. Continue with train(run={str(run)!r}, resume=True).")
        raise


def follow(events: Generator[Event, None, Model]) -> tuple[Model, Finished]:
    """Drain a training behind a progress bar; return the model and how the training ended."""
    from napari_spectrai.learn.train.console import TrainingBar

    ended = [Finished("stopped")]
    with TrainingBar() as bar:

        def show(event: Event) -> None:
            bar.show(event)
            if isinstance(event, Finished):
                ended.append(event)

        return drain(events, show), ended[-1]
