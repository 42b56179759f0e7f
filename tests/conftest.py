"""Fixtures for all: small pairs that learn in seconds, a place for runs, and no process left behind."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_spectrai import Cube, Experiment, SpectralAxis
from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.tasks import Classification, Segmentation
from napari_spectrai.runs.job import Job
from napari_spectrai.runs.standby import standby

os.environ.setdefault("QT_API", "pyqt6")
os.environ.setdefault("NAPARI_CONFIG", "")  # nobody's preferences are read or written
os.environ.setdefault("NAPARI_SPECTRAI_STANDBY", "0")  # no process waits for a job, except that of `jobs_begin_at_once`
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny trainings wait for one another otherwise, on few and busy cores


@pytest.fixture(autouse=True)
def runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every run inside the test's folder."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("NAPARI_SPECTRAI_RUNS", str(folder))
    for module in ("estimate", "measured"):
        monkeypatch.setattr(f"napari_spectrai.runs.{module}.user_cache_path", lambda *_, **__: tmp_path / "cache")
    return folder


@pytest.fixture(scope="session", autouse=True)
def disks_are_not_waited_for() -> Iterator[None]:
    """Do not wait for the disk where a file is flushed, ten thousand times and more: only a loss of power would show it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True)
def networks_computed_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute all predictions in one way: which is the fastest depends on processor and load, and their values differ a little."""
    monkeypatch.setattr("napari_spectrai.runs.measured.WORTH", math.inf)


@pytest.fixture(autouse=True)
def few_candidates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the automatic choice compare a few quick candidates, except in tests marked ``all_candidates``."""
    if "all_candidates" in request.keywords:
        return

    def few(purpose: str, size: Size) -> list[tuple[str, str]]:
        if purpose != "denoising":
            return [("logistic_regression", "spectra"), ("pca_lda", "spectra")]
        kinds = ["raw", *(["whittaker"] if size.bands > 4 else []), *(["svd_nlm"] if size.sides else [])]
        return [(kind, "spectra") for kind in kinds]

    monkeypatch.setattr("napari_spectrai.experiment.candidates._suitable", few)


@pytest.fixture
def few_rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit two quick methods next to networks for classes: all of them take longer than a small training."""
    for task in (Classification, Segmentation):
        monkeypatch.setattr(task, "baselines", ("logistic_regression", "pca_lda"))


@pytest.fixture(autouse=True)
def jobs_begin_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first job, let the next ones be made by a process that has loaded torch; it ends with the process that tests."""
    new = Job._new_process

    def started(job: Job, command: Sequence[str], place: Path | None) -> subprocess.Popen[bytes]:
        with monkeypatch.context() as here:
            here.delenv("NAPARI_SPECTRAI_STANDBY", raising=False)
            standby.keep()
        return new(job, command, place)

    monkeypatch.setattr(Job, "_new_process", started)


def _is_ours(process: psutil.Process) -> bool:
    try:
        return "napari_spectrai" in " ".join(process.cmdline())
    except psutil.Error:  # it has ended
        return False


def _has_children() -> bool:
    """Whether this process has a child; where the system cannot be asked, it may have one."""
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def processes() -> list[psutil.Process]:
    """Return the processes that this one and its jobs have started, without that of `jobs_begin_at_once`."""
    if not _has_children():
        return []
    kept = standby.process
    return [child for child in psutil.Process().children(recursive=True) if kept is None or child.pid != kept.pid]


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """Fail a test that leaves a child process behind."""
    yield
    _, alive = psutil.wait_procs([child for child in processes() if _is_ours(child)], timeout=120)
    for process in alive:
        process.kill()
    assert not alive, f"left behind: {[process.pid for process in alive]}"


@pytest.fixture
def started_processes() -> Callable[[], list[psutil.Process]]:
    """Return what lists the processes that a test has started."""
    return processes


def spectra(count: int, bands: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy and clean spectra of two moving Gaussian peaks, float32."""
    rng = np.random.default_rng(seed)
    band = np.arange(bands)
    mix = rng.uniform(0.2, 1, (count, 2, 1))
    peaks = np.exp(-0.5 * ((band - np.array([[0.3 * bands], [0.7 * bands]])) / (0.06 * bands)) ** 2)
    clean = (mix * peaks).sum(1) + 0.1
    return (clean + rng.normal(0, 0.15, clean.shape)).astype(np.float32), clean.astype(np.float32)


@pytest.fixture(scope="session")
def make_spectra() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return the maker of noisy and clean spectra."""
    return spectra


@pytest.fixture
def pairs() -> tuple[Cube, Cube]:
    """120 noisy spectra of 40 bands with their truth, on a wavenumber axis."""
    noisy, clean = spectra(120, 40)
    axis = SpectralAxis(np.linspace(600, 1800, 40), "1/cm")
    return Cube(noisy, axis, name="noisy"), Cube(clean, axis, name="clean")


@pytest.fixture
def image_pairs() -> tuple[Cube, Cube]:
    """An image of 24 × 20 pixels and 12 bands with its truth."""
    noisy, clean = spectra(24 * 20, 12)
    axis = SpectralAxis(np.linspace(400, 700, 12), "nm")
    return Cube(noisy.reshape(24, 20, 12), axis, name="image"), Cube(clean.reshape(24, 20, 12), axis, name="image truth")


@pytest.fixture
def quick() -> Callable[..., Experiment]:
    """Return an experiment that trains in a second or two, with overrides."""

    def make(*overrides: str) -> Experiment:
        settings = ("training.epochs=4", "training.batch=16", "network.width=16", "split.validation=0.2", "training.device=cpu")
        return Experiment().override(*settings).override(*overrides)

    return make
