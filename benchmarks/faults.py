"""End a process at each of its file operations in turn, and see that nothing is lost: ``python benchmarks/faults.py``.

Unlike the kills of ``drills.py``, whose moments are drawn, these find every wrong order of operations. For each opening for writing,
rename, removal and new folder of a training, of a job in parts, of writing over another file and of deleting a run, a process is forked,
and there it is killed (signal 9), or told that the disk is full. Afterwards what was saved before must be readable and whole, the same work
must succeed and give the same result, and no temporary file may stay. Prints a line per kind of work, and exits with 1 if anything was
lost. Only operations that Python does are counted, not those of libraries in C. For Linux.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import drills
import numpy as np
from drills import LostError, cube, experiment, nothing_left, same

from napari_spectrai import Experiment, read, write
from napari_spectrai.learn.fit import fit
from napari_spectrai.learn.inference.parts import predicting_part
from napari_spectrai.learn.train import trainer
from napari_spectrai.runs import RunFolder
from napari_spectrai.runs.folder import all_runs
from napari_spectrai.runs.history import delete
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.part import Part

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
Step = Callable[[], object]


def child(work: Step, within: Path | None = None, at: int = 0, *, full: bool = False) -> tuple[int, int]:
    """Run `work` in a fork, which is killed at an operation within a folder, or told that its disk is full.

    Returns
    -------
    status : int
        0, the number of the signal that ended it, or -1 for an error.
    count : int
        The operations that were counted.
    """
    receives, sends = os.pipe()
    process = os.fork()
    if process == 0:
        code, count = 0, 0

        def counted(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            if event not in EVENTS or (event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES)):
                return
            if (path := path_of(arguments)).startswith(str(within)):
                count += 1
                if count == at and full:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
                if count == at:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            if within is not None:
                sys.addaudithook(counted)
            work()
        except BaseException:  # noqa: BLE001  # of which the exit code speaks
            code = 1
            if not full:
                traceback.print_exc()
        os.write(sends, str(count).encode())
        os._exit(code)
    os.close(sends)
    with os.fdopen(receives) as file:
        said = file.read()
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return (-1 if code > 0 else -code), int(said or 0)


def path_of(arguments: tuple[object, ...]) -> str:
    """Return the path of an operation; removing a folder, Python names what is in it by the folder's number."""
    path, place = arguments[0], arguments[-1]
    if not isinstance(path, str | bytes | os.PathLike):
        return ""
    named = Path(os.fsdecode(path))
    if named.is_absolute() or not isinstance(place, int) or place < 0:
        return str(named)
    return str(Path(f"/proc/self/fd/{place}").readlink() / named)


def every(prepare: Step, work: Step, check: Step, again: Step, folder: Path, *, full: bool) -> int:
    """Let `work` fail at each of its operations; then `check`, `again` and `check` must succeed. Return the number of operations."""
    run(prepare, "preparing")
    status, count = child(work, folder)
    if status:
        raise LostError("the work failed without any fault")
    for number in range(1, count + 1):
        run(prepare, "preparing")
        child(work, folder, number, full=full)
        run(check, f"operation {number}: what was saved before is lost")
        run(again, f"operation {number}: it cannot be repeated")
        run(check, f"operation {number}: the repeated work differs")
    return count


def run(step: Step, words: str) -> None:
    """Run a step in a fork of its own: libraries start threads, which a fork does not have."""
    if child(step)[0]:
        raise LostError(words)


def emptied(folder: Path) -> None:
    """Make a folder, or empty it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def training(place: Path, *, full: bool) -> int:
    """Train a network, and resume it."""
    document, folder, whole = experiment(place, 3), place / "work", RunFolder(place / "whole")
    trainer.SAVE_SECONDS = 0.0
    run(lambda: list(fit(Experiment.load(document), run=whole.path)), "the training failed without any fault")
    now = RunFolder(folder / "run")

    def started() -> None:
        list(fit(Experiment.load(document), run=now.path))

    def again() -> None:
        if now.has_learnt() and now.state() != "finished":
            list(fit(run=now.path, resume=True))
        elif now.state() != "finished":
            started()
        if drills.curve(now) != drills.curve(whole):
            raise LostError("the resumed training differs")
        nothing_left(folder)

    def check() -> None:
        for path in (now.best, now.last):
            if path.exists():
                drills.Model.load(path)

    return every(lambda: emptied(folder), started, check, again, folder, full=full)


def parts(place: Path, *, full: bool) -> int:
    """Predict in two parts."""
    source, folder = place / "source.npy", place / "work"
    run(lambda: write(cube(1, (40, 70)), source), "the source cannot be written")

    def work() -> None:
        for number in (1, 2):
            for _ in predicting_part("whittaker", source, PredictOptions(), out=folder / "x.zarr", part=Part(number, 2)):
                pass

    def whole() -> None:
        work()
        np.save(place / "whole.npy", read(folder / "x.zarr").numpy())

    def again() -> None:
        work()
        if not np.array_equal(read(folder / "x.zarr").numpy(), np.load(place / "whole.npy")):
            raise LostError("the parts differ")
        nothing_left(folder)

    emptied(folder)
    run(whole, "the parts failed without any fault")
    return every(lambda: emptied(folder), work, lambda: None, again, folder, full=full)


def writing(place: Path, *, full: bool) -> int:
    """Write over another cube, in formats of one and of several files."""
    folder, count = place / "work", 0
    for name in drills.NAMES:

        def prepare(path: Path = folder / name) -> None:
            emptied(folder)
            write(cube(99, (5, 6)), path)

        def work(path: Path = folder / name) -> None:
            write(cube(1, (6, 5)), path)

        def again(path: Path = folder / name) -> None:
            write(cube(1, (6, 5)), path)
            same(path, cube(1, (6, 5)))
            nothing_left(folder)

        def check(path: Path = folder / name) -> None:
            same(path, cube(1, (6, 5)), cube(99, (5, 6)))

        count += every(prepare, work, check, again, folder, full=full)
    return count


def deleting(place: Path, *, full: bool) -> int:
    """Delete a run, of which no half may be listed."""
    folder = place / "work"
    first, second = (RunFolder(folder / name) for name in ("first", "second"))

    def prepare() -> None:
        emptied(folder)
        for one in (first, second):
            RunFolder.create(Experiment(), one.path)
            one.log.write_text("words")

    def check() -> None:
        if any(not one.log.exists() for one in all_runs(folder)):
            raise LostError("half a run is listed")

    def again() -> None:
        for one in (first, second):
            if one.path.exists():
                delete(one)
        if list(folder.iterdir()):
            raise LostError("something stays")

    return every(prepare, lambda: delete(first), check, again, folder, full=full)


KINDS = {one.__name__: one for one in (training, parts, writing, deleting)}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=KINDS, action="append")
    lost = 0
    for kind in parser.parse_args().only or KINDS:
        for full in (False, True):
            begun, fault = time.monotonic(), "disk full" if full else "kill"
            with tempfile.TemporaryDirectory() as place:
                try:
                    words = f"{KINDS[kind](Path(place), full=full)} operations, nothing lost"
                except LostError as error:
                    lost, words = lost + 1, f"LOST: {error}"
            print(f"{kind:<10}{fault:<11}{words}, {time.monotonic() - begun:.0f} s", flush=True)
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())
