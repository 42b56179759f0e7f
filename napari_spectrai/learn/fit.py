"""Training as a stream of events, and `train`, which drains it behind a progress bar."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

from napari_spectrai.arguments import of_type
from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.generators import drain
from napari_spectrai.learn.automatic.race import Race
from napari_spectrai.learn.automatic.self_supervised import BlindChoice
from napari_spectrai.learn.automatic.supervised import CrossValidation
from napari_spectrai.learn.data.excerpt import reduced
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.parallel.group import ProcessGroup
from napari_spectrai.learn.parallel.joining import Joining, count_of_devices, joined, joining, refuse_indivisible, take_device
from napari_spectrai.learn.stages import Stages, StageStopped, StoppedEarlyError
from napari_spectrai.learn.train.block_split import BlockScore, is_needed
from napari_spectrai.learn.train.checkpoint import TrainingPosition
from napari_spectrai.learn.train.closed_form import fit_closed_form
from napari_spectrai.learn.train.replica import Replica, Task, report
from napari_spectrai.learn.train.splitting import split_data
from napari_spectrai.learn.train.trainer import Trainer
from napari_spectrai.plan.folds import is_cross_validated
from napari_spectrai.plan.truths import Truth, gather
from napari_spectrai.plan.used_pixels import UsedPixels
from napari_spectrai.reports.run_report import concluded
from napari_spectrai.runs import Event, Failed, Finished, RunFolder
from napari_spectrai.runs.launcher import rank_here
from napari_spectrai.runs.start import data_in

MAKE_ONE = "make one with Experiment.default(task, cube, truth), or read one with Experiment.load(path)"

GIVEN = "train(cubes=…, truths=…, run=…, resume=True)"
CHANGED = "The data are not those that the run began with; what it had learnt is kept. Start a new run to learn from these alone."


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
        the run can be resumed (not for classical methods, which are fitted in one go: to resume one, give the data again).
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
    rank = rank_here()
    if rank.number:
        return Replica(joined(rank), cubes, truths).run()
    if resume:
        if run is None:
            raise ValueError("resume=True needs the run to resume; give its folder with run=")
        folder = RunFolder(run)
        experiment = folder.experiment()
        if cubes is None and not experiment.data.input:
            raise ValueError(f"{folder.path} does not hold the data of its run, which were in memory; give them again: {GIVEN}")
    else:
        experiment = of_type(experiment, Experiment, "the first argument of a training", MAKE_ONE)
        folder = RunFolder.made(experiment, run)
    folder.claim(folder.refuse_finished if resume else partial(folder.begin, experiment))
    try:
        with joining(folder) as processes:
            return (yield from _trained(experiment, cubes, truths, folder, processes, resume=resume))
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


def _trained(
    experiment: Experiment, cubes: Any, truths: Any, folder: RunFolder, processes: Joining, *, resume: bool
) -> Generator[Event, None, Model]:
    """Read the data and train in the way that the experiment asks for."""
    stages = Stages(folder)
    group = yield from _joined(experiment, processes, stages)
    inputs, targets = yield from stages.run("Reading the data", lambda _: gather(experiment, cubes, truths))
    if cubes is not None and not resume and not experiment.network.classical:
        data_in(experiment, cubes, truths, folder).save(folder.document)
    race = _race(experiment, inputs, targets, folder, resume=resume)
    if race is not None:
        UsedPixels.of(experiment, inputs, targets, race.base, crossed=True).save(folder.path)
        return (yield from race.events())
    shared = Task.of(experiment if cubes is None else folder.experiment(), folder, group, resume=resume)
    shared.send(group)
    reading = shared.reading if group.size > 1 else experiment
    read = partial(split_data, reading, inputs, targets, folder, resume=resume)
    data = yield from stages.run("Preparing the spectra", lambda say: read(say=say))
    folder.keep_maps(data.split)
    before, used = UsedPixels.load(folder.path), UsedPixels.of(experiment, inputs, targets, data.split, crossed=False)
    used.save(folder.path)
    if experiment.network.classical:
        return (yield from fit_closed_form(experiment, data, folder))
    training = Trainer(experiment, data, folder, group=group)
    if group.size > 1:
        yield from stages.run("Waiting for the other processes", lambda _: report(group, training))
    if is_needed(experiment, inputs, data):
        training.block_score = BlockScore(experiment, inputs, targets, folder)
    if resume:
        training.restore()
        if before is not None and used.differs(before) and training.place != TrainingPosition():
            training.data.notes.append(CHANGED)
    return (yield from training.events())


def _joined(experiment: Experiment, processes: Joining, stages: Stages) -> Generator[Event, None, ProcessGroup]:
    """Return the processes of a training, once all of them are there."""
    rank = rank_here()
    count = rank.size if rank.size > 1 else count_of_devices(experiment)
    single = experiment.network.classical or is_cross_validated(experiment) or isinstance(experiment.network, Automatic)
    if count > 1:
        yield from stages.run(f"Starting {count} processes", lambda say: processes.join(count, say))
        refuse_indivisible(experiment, count, single=single)
        take_device(processes.group.rank, experiment.training.device)
    return processes.group


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
        if run is not None and RunFolder(run).has_checkpoint:
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
