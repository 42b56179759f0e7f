"""``python -m napari_spectrai.cli.standby``: load what jobs need, wait on standard input for one command, and run it.

With ``--fork``, standard input is a socket, and a process is made for each command (`runs.fork_server`).
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from importlib.metadata import distribution

from napari_spectrai.cli import main
from napari_spectrai.parsing import parse_json
from napari_spectrai.runs.fork_server import serve

LOADED = (
    "napari_spectrai.cli.train_command",
    "napari_spectrai.cli.predict_command",
    "napari_spectrai.cli.preprocess_command",
    "napari_spectrai.cli.evaluate_command",
    "napari_spectrai.learn.fit",
    "napari_spectrai.learn.inference.predict",
    "napari_spectrai.learn.inference.written",
    "napari_spectrai.learn.train.console",
    "napari_spectrai.learn.train.losses",
    "napari_spectrai.learn.train.step_timing",
    "napari_spectrai.learn.classical.classify",
    "napari_spectrai.learn.classical.linear",
    "napari_spectrai.learn.classical.pls",
    "napari_spectrai.learn.classical.spectral_smoothing",
    "napari_spectrai.learn.classical.subspace",
    "napari_spectrai.learn.evaluation.evaluate",
    "napari_spectrai.networks.mlp",
    "napari_spectrai.experiment.backbones",
    "napari_spectrai.experiment.classifiers",
    "napari_spectrai.io.omezarr",
    "napari_spectrai.io.tiff",
    "skimage.metrics",
    "skimage.restoration",
    "sklearn.cluster",
    "sklearn.cross_decomposition",
    "sklearn.decomposition",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.svm",
    "torchmetrics.functional.classification",
    "distributed",  # dask looks for it when it computes
)
LONGEST = 1 << 16


def load() -> None:
    """Import what jobs need; CUDA must not be initialised by that, since it does not survive a fork."""
    kinds = {entry.module for entry in distribution("napari-spectrai").entry_points if entry.group.startswith("napari_spectrai.")}
    for name in (*LOADED, *sorted(kinds)):
        with suppress(ImportError):  # the command that needs it says so
            import_module(name)


def wait() -> None:
    """Run the command that arrives; end if standard input ends first, as it does with the starter."""
    load()
    arguments = _forked() if "--fork" in sys.argv else _only()
    if arguments is None:
        return
    sys.argv[:] = ["napari-spectrai", *arguments]
    main()


def _forked() -> list[str] | None:
    """Return the arguments of a job in each process that is made, None in this one."""
    # OpenBLAS ends its threads before, and starts them after
    warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
    gc.freeze()  # jobs do not search what was loaded for garbage, and thereby copy it
    order = serve(socket.socket(fileno=os.dup(0)))
    return None if order is None else order.arguments


def _only() -> list[str] | None:
    """Return the arguments of the job that this process becomes, None if there is none."""
    line = _line()
    if line is None:
        return None
    order = parse_json(line.decode(), "the order of a waiting process")
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.chdir(order["place"])
    arguments: list[str] = order["arguments"]
    return arguments


def _line() -> bytes | None:
    """Return a line, and read nothing after it: what follows is read by the job, as a sign that its starter lives."""
    line = bytearray()
    while len(line) < LONGEST:
        byte = os.read(0, 1)
        if not byte:
            return None
        if byte == b"\n":
            return bytes(line)
        line += byte
    return None


if __name__ == "__main__":
    wait()
