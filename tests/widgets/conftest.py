"""What tests of docks share: waiting as a person would, and samples small enough to learn in seconds."""

from __future__ import annotations

import copy
import functools
import gc
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from importlib import metadata

import napari._qt.qt_main_window  # noqa: F401  # what windows and docks import, before `what_stays_is_no_garbage`
import pyqtgraph  # noqa: F401
import pytest
import yaml
from magicgui.widgets import protocols
from napari._qt.widgets.qt_welcome import QtWelcomeWidget
from npe2.manifest import _bases, schema

from napari_spectrai.widgets import fold_state, jobs
from napari_spectrai.widgets.dock import Dock
from napari_spectrai.widgets.layers import add_cube
from napari_spectrai.widgets.train_dock.train_checks import TrainingChecks


@pytest.fixture(autouse=True)
def what_stays_is_no_garbage() -> None:
    """Leave what imports and earlier tests have made out of the garbage collections that end each window: they took up to a second each."""
    if len(gc.get_objects(2)) > 50_000:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def manifests_are_parsed_once() -> Iterator[None]:
    """Parse each plug-in manifest once: npe2 does it for every window, in Python."""
    if not hasattr(_bases, "_load_yaml_no_duplicates"):  # before npe2 0.10
        yield
        return
    parse = functools.cache(lambda text: yaml.load(text, Loader=_bases._UniqueKeyYamlLoader))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bases, "_load_yaml_no_duplicates", lambda stream: copy.deepcopy(parse(stream.read())))
        yield


@pytest.fixture(scope="session", autouse=True)
def distributions_are_listed_once() -> Iterator[None]:
    """Look for distributions with plug-ins once for each search path: npe2 reads the entry points of all of them for every window."""

    @functools.cache
    def with_plugins(_: tuple[str, ...]) -> list[metadata.Distribution]:
        return [one for one in metadata.distributions() if any(entry.group.startswith("napari.") for entry in one.entry_points)]

    listed = types.SimpleNamespace(**vars(metadata) | {"distributions": lambda: with_plugins(tuple(sys.path))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "metadata", listed)
        yield


@pytest.fixture(scope="session", autouse=True)
def backends_of_widgets_are_checked_once() -> Iterator[None]:
    """Check once for each kind of widget that its backend is complete: magicgui does it for every widget."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocols, "assert_protocol", functools.cache(protocols.assert_protocol))
        yield


@pytest.fixture(scope="session", autouse=True)
def hidden_welcome_screens_are_not_written() -> Iterator[None]:
    """Leave the welcome screen, which no test shows, as it is made: napari writes it anew for each shortcut of every window."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QtWelcomeWidget, "refresh", lambda *_: None)
        yield


@pytest.fixture(autouse=True)
def closes_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer the question before closing: a test that fails while a job runs would wait for a person for ever."""
    monkeypatch.setattr(jobs, "confirm", lambda *_: "stop")


@pytest.fixture(autouse=True)
def nothing_remembered(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the window remembers inside the test's folder."""
    monkeypatch.setattr(fold_state, "place", lambda: tmp_path / "folds.json")


@pytest.fixture(autouse=True)
def docks_open_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open docks without Spectra, except where a test is about it: most tests are of one dock."""
    monkeypatch.setattr(Dock, "opens_spectra", False)


@pytest.fixture(autouse=True)
def docks_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make docks in one turn of the event loop, except where a test is about it: most tests use them at once."""
    monkeypatch.setattr(Dock, "in_turns", False)


@pytest.fixture(autouse=True)
def no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process that tries a few steps, except where a test is about it."""
    monkeypatch.setattr(TrainingChecks, "measures", False)


@pytest.fixture
def until(qtbot) -> Callable[..., None]:
    """Let the window work until something is true."""

    def wait(condition: Callable[[], bool], seconds: float = 900) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            qtbot.wait(20)

    return wait


@pytest.fixture
def focus(until) -> Callable[..., None]:
    """Give a widget the keyboard, and ask again while another window of the screen takes it: that of another process that tests."""

    def give(widget) -> None:
        def has() -> bool:
            widget.window().activateWindow()
            widget.setFocus()
            return widget.hasFocus()

        until(has)

    return give


@pytest.fixture
def viewer(make_napari_viewer):
    """A napari window on a real canvas."""
    return make_napari_viewer(show=True)


@pytest.fixture
def open_pairs(viewer, pairs):
    """The window with the noisy spectra and their truth as layers."""
    noisy, clean = pairs
    truth = add_cube(viewer, clean, name="truth")
    return viewer, add_cube(viewer, noisy, name="noisy"), truth


@pytest.fixture
def open_image(viewer, image_pairs):
    """The window with a noisy image and its truth as layers."""
    noisy, clean = image_pairs
    truth = add_cube(viewer, clean, name="truth")
    return viewer, add_cube(viewer, noisy, name="image"), truth


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test marked `own_process` in one, where other tests have loaded torch into this."""
    if pyfuncitem.get_closest_marker("own_process") is None or "torch" not in sys.modules:
        return None
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"{pyfuncitem.path}::{pyfuncitem.name}"]
    # options of this run, such as files, are not of that one
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        command, cwd=pyfuncitem.config.rootpath, env=environment, capture_output=True, text=True, check=False, timeout=1800
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return True
