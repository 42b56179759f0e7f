"""``python -m napari_spectrai.cli.standby``: load what jobs need, wait on standard input for one command, and run it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module

from napari_spectrai.cli import main
from napari_spectrai.parsing import parse_json

LOADED = (
    "napari_spectrai.cli.train_command",
    "napari_spectrai.cli.predict_command",
    "napari_spectrai.learn.fit",
    "napari_spectrai.learn.inference.predict",
    "napari_spectrai.learn.train.step_timing",
    "napari_spectrai.learn.classical.spectral_smoothing",
)
LONGEST = 1 << 16


def wait() -> None:
    """Run the command that arrives as one line of JSON; end if standard input ends first, as it does with the starter."""
    for name in LOADED:
        with suppress(ImportError):  # the command that needs it says so
            import_module(name)
    line = _line()
    if line is None:
        return
    order = parse_json(line.decode(), "the order of a waiting process")
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.chdir(order["place"])
    sys.argv[:] = ["napari-spectrai", *order["arguments"]]
    main()


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
