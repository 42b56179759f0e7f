"""Sweeps: an experiment with several values of some settings, one run each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_spectrai.arguments import of_type
from napari_spectrai.experiment import Experiment
from napari_spectrai.files import make_folder
from napari_spectrai.generators import drain
from napari_spectrai.learn.fit import fit
from napari_spectrai.reports.sweep_report import Sweep
from napari_spectrai.runs.launcher import rank_here
from napari_spectrai.runs.part import WHOLE, Part
from napari_spectrai.runs.sweep_plan import SweepRun, planned


def sweep(
    experiment: Experiment,
    settings: Sequence[str],
    cubes: Any = None,
    truths: Any = None,
    *,
    out: str | Path,
    folds: int = 0,
    part: Part = WHOLE,
    on_run: Callable[[int, int, SweepRun], object] = lambda number, count, run: None,
) -> Sweep:
    """Train with every combination of some values, one run folder each; repeated, it resumes what is missing.

    Parameters
    ----------
    experiment : Experiment
    settings : sequence of str
        The values of each setting: ``"network.width=16,32"``, ``"training.seed=0..4"``. Seeds repeat an experiment: the table has the
        mean over them, and an interval.
    cubes, truths : Cube, array, napari layer or list of them, optional
        Default: the files that ``experiment.data`` names.
    out : path
        The folder for the run folders and the tables, ``sweep.csv`` and ``sweep.html``.
    folds : int, default 0
        Folds of a cross-validation in each run; 0: as the experiment says.
    part : Part, optional
        Which runs are done here, so that several processes share them.
    on_run : callable, optional
        Called before each run with its number from 1, their number, and the run.

    Returns
    -------
    Sweep
        ``print`` it for its table.

    Raises
    ------
    ValueError
        If a setting does not exist, or the folder holds runs of another experiment.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> pairs = spectrai.sample("raman_pairs")
    >>> noisy, truth = pairs.cube[:100], pairs.truth[:100]
    >>> experiment = spectrai.Experiment.default("denoising", noisy, truth).override("network=wavelet")
    >>> found = spectrai.sweep(experiment, ["training.seed=0..1"], noisy, truth, out="seeds")
    >>> len(found.rows), found.missing
    (1, [])
    """
    if rank_here().size > 1:
        raise ValueError("a sweep trains one run after another, each separately; start one process, or several with --part i/n")
    of_type(experiment, Experiment, "the first argument of sweep", "make one with Experiment.default(task, cube, truth)")
    folder = Path(out)
    runs = planned(experiment, [settings] if isinstance(settings, str) else list(settings), folder, folds=folds)
    make_folder(folder)
    mine = [runs[number] for number in part.share(len(runs))]
    for number, run in enumerate(mine, 1):
        if run.folder.document.exists():
            run.refuse_other()
        if run.state in ("finished", "running"):  # by another process
            continue
        on_run(number, len(mine), run)
        if run.folder.has_checkpoint:
            drain(fit(run=run.folder.path, resume=True))
        else:
            run.folder.journal.unlink(missing_ok=True)  # of a run that ended before its first epoch
            drain(fit(run.experiment, cubes, truths, run=run.folder.path))
    found = Sweep.of(runs, folder)
    found.write()
    return found
