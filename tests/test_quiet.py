"""Libraries that print while they read do not reach the terminal; warnings of ours do."""

from __future__ import annotations

import logging
import os
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from napari_spectrai import read
from napari_spectrai.io import SpectralWarning
from napari_spectrai.io.quiet import quietly


def noisy() -> None:
    print("from Python")  # noqa: T201
    print("from Python", file=sys.stderr)  # noqa: T201
    os.write(1, b"from C")
    os.write(2, b"from C")
    logging.getLogger("a library").warning("from a log")


def test_nothing_is_printed_until_the_last_reader_ends(capfd):
    with quietly():
        with quietly():
            noisy()
        noisy()
        thread = threading.Thread(target=noisy)
        thread.start()
        thread.join()
    assert capfd.readouterr() == ("", "")
    os.write(1, b"heard")
    print("heard too")  # noqa: T201
    assert capfd.readouterr().out == "heardheard too\n"


def test_descriptors_are_not_used_up():
    before = os.dup(1)
    for _ in range(200):
        with quietly():
            pass
    after = os.dup(1)
    os.close(before)
    os.close(after)
    assert after < before + 100, "each use keeps a descriptor; other threads of the tests open a few meanwhile"


def test_a_reader_is_quiet_and_its_warnings_are_heard(tmp_path, monkeypatch, capfd):
    pytest.importorskip("rsciio")

    def file_reader(_):
        noisy()
        axes = [{"size": 3, "navigate": True, "offset": 0, "scale": 1}, {"size": 4, "offset": 400, "scale": 5, "units": "furlong"}]
        return [{"data": np.ones((3, 4)), "axes": axes}]

    monkeypatch.setattr("napari_spectrai.io.vendor.need", lambda *_: SimpleNamespace(file_reader=file_reader))
    (tmp_path / "a.dm3").write_bytes(b"x")
    with pytest.warns(SpectralWarning, match="'furlong', which is not known"):
        assert read(tmp_path / "a.dm3").shape == (3, 4)
    assert capfd.readouterr() == ("", "")
