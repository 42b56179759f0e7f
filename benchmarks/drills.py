"""Kill processes at random moments, and see that nothing is lost: ``python benchmarks/drills.py --count 200``.

Each child is a new Python process that is killed (signal 9) at a moment drawn from the time that it needs, so that imports are hit as well
as work. After each kill what was saved before must be readable and whole, the same command must work again, and no temporary file may stay.
A training is resumed and killed until it ends; then its curve must equal that of a training that nobody killed. Prints a line per drill,
and exits with 1 if any kill lost something.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_spectrai import Cube, Experiment, Model, SpectralAxis, read, write
from napari_spectrai.runs import Epoch, RunFolder

BANDS = 40
DRILLS = ("training", "prediction", "preprocessing", "saving", "overwriting")
NAMES = ("x.zarr", "x.npy", "x.hdr", "x.h5", "x.ome.zarr", "x.npz")
COMMAND = (sys.executable, "-m", "napari_spectrai")
SAVING = "import sys; from napari_spectrai import Model; Model.load(sys.argv[1]).save(sys.argv[2])"
OVERWRITING = "import sys; from napari_spectrai import read, write; write(read(sys.argv[1]), sys.argv[2])"


class LostError(AssertionError):
    """A kill lost something."""


@dataclass
class Killer:
    """Starts children and kills them at random moments."""

    seed: int
    spans: dict[str, float] = field(default_factory=dict)
    kills: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def run(self, *command: str | Path) -> float:
        """Run a child to its end; return the seconds it took."""
        begun = time.monotonic()
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LostError(f"exit code {done.returncode}: {done.stderr[-500:]}")
        return time.monotonic() - begun

    def kill(self, kind: str, *command: str | Path) -> None:
        """Start a child and kill it at a moment drawn from the time that the last complete one of its kind took."""
        with subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            begun = time.monotonic()
            try:
                child.wait(self.spans[kind] * self.random.uniform(0.05, 1.0))
                self.spans[kind] = time.monotonic() - begun  # it was quicker
            except subprocess.TimeoutExpired:
                child.kill()
                self.kills += 1


def cube(seed: int, shape: tuple[int, ...] = (60,)) -> Cube:
    """Return spectra of two peaks."""
    rng = np.random.default_rng(seed)
    band = np.arange(BANDS)
    peaks = np.exp(-0.5 * ((band - np.array([[12], [28]])) / 3) ** 2)
    values = rng.uniform(0.2, 1, (*shape, 2)) @ peaks + rng.normal(0.1, 0.1, (*shape, BANDS))
    return Cube(values.astype(np.float32), SpectralAxis(np.linspace(600, 1800, BANDS) + seed, "1/cm"))


def loaded(path: Path) -> Cube:
    """Return a cube of a file, in memory."""
    found = read(path)
    return found.with_data(found.numpy())


def nothing_left(folder: Path) -> None:
    """Raise if temporary files of killed processes are still there."""
    left = [path.name for path in folder.rglob(".*") if re.search(r"\.(partial|replaced|commit)", path.name)]
    if left:
        raise LostError(f"left behind: {left}")


def same(path: Path, *expected: Cube) -> None:
    """Raise unless a file holds one of these cubes, as a whole."""
    found = read(path)
    values = found.numpy()
    if not any(found.axis == one.axis and np.array_equal(values, one.numpy()) for one in expected):
        raise LostError(f"{path.name} is neither the old nor the new cube")


def curve(folder: RunFolder) -> list[tuple[int, float]]:
    """Return the validation of each epoch."""
    return [(event.epoch, event.validation) for event in folder.events() if isinstance(event, Epoch)]


def experiment(folder: Path, epochs: int) -> Path:
    """Write spectra, their truth and an experiment."""
    noisy, clean = write(cube(0), folder / "in.npz"), write(cube(0), folder / "out.npz")
    settings = (
        f"data.input=[{noisy}]", f"data.truth=[{clean}]", f"training.epochs={epochs}", "training.batch=8", "training.device=cpu",
        "network={kind: residual_mlp, width: 16}", "split.validation=0.2", "augmentation=[noise]",
    )  # fmt: skip
    return Experiment().override(*settings).save(folder / "experiment.yml")


def training(killer: Killer, folder: Path, count: int, epochs: int = 60) -> Iterator[None]:
    """Kill trainings and their resumptions."""
    document = experiment(folder, epochs)
    whole = RunFolder(folder / "whole")
    killer.spans["training"] = killer.run(*COMMAND, "train", document, "--run", whole.path)
    runs = 0
    run = RunFolder(folder / "run")
    for number in range(count):
        begun = run.journal.exists()
        arguments = ("train", run.path, "--resume") if begun else ("train", document, "--run", run.path)
        killer.kill("training", *COMMAND, *arguments)
        known = [epoch for epoch, _ in curve(run)]
        if known != list(range(1, len(known) + 1)):
            raise LostError(f"epochs in the journal: {known}")
        for path in (run.best, run.last):
            if path.exists():
                Model.load(path)
        if run.state() == "finished" or number == count - 1:
            if run.state() != "finished":
                arguments = ("train", run.path, "--resume") if run.journal.exists() else ("train", document, "--run", run.path)
                killer.run(*COMMAND, *arguments)
            if curve(run) != curve(whole):
                raise LostError("the resumed training differs from the one that was not killed")
            nothing_left(run.path)
            runs += 1
            run = RunFolder(folder / f"run{runs}")
        yield


def _again(killer: Killer, kind: str, command: tuple[str | Path, ...], path: Path, expected: Cube, count: int) -> Iterator[None]:
    """Kill a command that writes a cube to `path`, which holds an older one, and let it end once afterwards."""
    older = cube(99)
    for number in range(count):
        killer.kill(kind, *command)
        same(path, older, expected)
        if number == count - 1 or killer.random.random() < 0.1:
            killer.spans[kind] = killer.run(*command)
            same(path, expected)
            nothing_left(path.parent)
        write(older, path)
        yield


def prediction(killer: Killer, folder: Path, count: int) -> Iterator[None]:
    """Kill predictions that overwrite the result of an earlier one."""
    source, path = write(cube(1, (40, 40)), folder / "scene.zarr"), folder / "result.zarr"
    command = (*COMMAND, "predict", "savitzky_golay", source, "-o", path, "--overwrite")
    killer.spans["prediction"] = killer.run(*command)
    expected = loaded(path)
    write(cube(99), path)
    yield from _again(killer, "prediction", command, path, expected, count)


def preprocessing(killer: Killer, folder: Path, count: int) -> Iterator[None]:
    """Kill preprocessing that overwrites an earlier result."""
    source, steps, path = write(cube(1, (40, 40)), folder / "scene.h5"), folder / "steps.yml", folder / "result.hdr"
    steps.write_text("- {kind: crop, low: 700, high: 1500}\n- normalise\n")
    command = (*COMMAND, "preprocess", steps, source, "-o", path, "--overwrite")
    killer.spans["preprocessing"] = killer.run(*command)
    expected = loaded(path)
    write(cube(99, (8, 8)), path)
    older = cube(99, (8, 8))
    for _ in range(count):
        killer.kill("preprocessing", *command)
        same(path, older, expected)
        write(older, path)
        nothing_left(folder)
        yield


def saving(killer: Killer, folder: Path, count: int) -> Iterator[None]:
    """Kill processes that save a model over another."""
    killer.run(*COMMAND, "train", experiment(folder, 2), "--run", folder / "run")
    source, path = folder / "run" / "best.safetensors", folder / "model.safetensors"
    path.write_bytes(source.read_bytes())
    command = (sys.executable, "-c", SAVING, source, path)
    killer.spans["saving"] = killer.run(*command)
    expected = Model.load(source).predict(cube(0)).result.numpy()
    for _ in range(count):
        killer.kill("saving", *command)
        if not np.array_equal(Model.load(path).predict(cube(0)).result.numpy(), expected):
            raise LostError("the model predicts something else")
        Model.load(source).save(path)
        nothing_left(folder)
        yield


def overwriting(killer: Killer, folder: Path, count: int) -> Iterator[None]:
    """Kill processes that write a cube over another, in every format that takes more than one file or file operation."""
    sources = [write(cube(seed, (200, 200)), folder / f"source{seed}.npy") for seed in (0, 1)]
    cubes = [loaded(source) for source in sources]
    (folder / "out").mkdir()
    for number in range(count):
        path, seed = folder / "out" / NAMES[number % len(NAMES)], number % 2
        write(cubes[1 - seed], path)
        command = (sys.executable, "-c", OVERWRITING, sources[seed], path)
        if path.suffix not in killer.spans:
            killer.spans[path.suffix] = killer.run(*command)
            write(cubes[1 - seed], path)
        killer.kill(path.suffix, *command)
        same(path, *cubes)
        write(cubes[seed], path)
        same(path, cubes[seed])
        nothing_left(path.parent)
        yield


def drill(kind: str, count: int, seed: int, folder: Path) -> Killer:
    """Kill `count` children of one kind; raise if anything is lost."""
    killer = Killer(seed)
    folder.mkdir(parents=True)
    steps: Callable[[Killer, Path, int], Iterator[None]] = globals()[kind]
    for _ in steps(killer, folder, count):
        pass
    return killer


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="kills in all")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=DRILLS, action="append")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    kinds, lost = arguments.only or DRILLS, 0
    for kind in kinds:
        with tempfile.TemporaryDirectory() as place:
            begun = time.monotonic()
            try:
                killer = drill(kind, -(-arguments.count // len(kinds)), arguments.seed, Path(place) / kind)
                words = f"{killer.kills} killed, nothing lost"
            except LostError as error:
                lost, words = lost + 1, f"LOST (seed {arguments.seed}): {error}"
            print(f"{kind:<14}{words}, {time.monotonic() - begun:.0f} s", flush=True)
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())
