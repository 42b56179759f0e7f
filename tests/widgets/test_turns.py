"""Docks are made in several turns of the event loop, and are whole for whoever reads them."""

import threading

import pytest
from qtpy.QtCore import QObject, QTimer

from napari_spectrai.widgets.dock import Dock, open_in_turns, opened
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.open_dock import OpenDock
from napari_spectrai.widgets.turns import Turns

NAMES = ["Spectra", "Preprocess", "Train", "Predict", "Evaluate", "Maps"]


@pytest.fixture(autouse=True)
def made_in_turns(monkeypatch, docks_made_at_once):
    monkeypatch.setattr(Dock, "in_turns", True)


def widgets(dock):
    """Return all widgets of a dock in their order, by kind and name."""

    def below(container):
        for one in container:
            yield type(one).__name__, one.name
            yield from below(one) if hasattr(one, "__iter__") and hasattr(one, "extend") else ()

    return list(below(dock))


@pytest.mark.parametrize("name", NAMES)
def test_a_dock_made_in_turns_is_the_one_made_at_once(name, make_napari_viewer, until):
    first, second = make_napari_viewer(), make_napari_viewer()
    _, slow = first.window.add_plugin_dock_widget("napari-spectrai", name)
    assert not slow.is_complete
    until(lambda: slow.is_complete)
    assert widgets(slow) == widgets(opened(second, name))


@pytest.mark.parametrize(
    "read", [lambda dock: dock.native, lambda dock: dock.data, lambda dock: dock.experiment, lambda dock: dock.complete()]
)
def test_reading_anything_of_a_dock_completes_it(make_napari_viewer, read):
    _, dock = make_napari_viewer().window.add_plugin_dock_widget("napari-spectrai", "Train")
    assert not dock.is_complete
    read(dock)
    assert dock.is_complete
    assert dock.form.folds["training"].native.parentWidget() is not None


def test_what_is_wanted_of_a_dock_waits_until_it_is_complete(make_napari_viewer, until):
    seen = []
    viewer = make_napari_viewer()
    for _ in range(2):
        open_in_turns(viewer, "Predict", lambda dock: seen.append(dock.is_complete))
    until(lambda: seen == [True, True])


@pytest.mark.parametrize(("name", "parts"), [*((name, 1) for name in NAMES), ("Train", 0), ("Train", 2), ("Train", 3)])
def test_a_dock_closed_before_it_is_complete_leaves_nothing_behind(name, parts, make_napari_viewer, until):
    viewer = make_napari_viewer()
    before = len(viewer.mouse_move_callbacks)
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", name)
    for _ in range(parts):
        dock._turns.take()
    gone = []
    dock.column.destroyed.connect(lambda: gone.append(True))  # waitSignal would disconnect from what is gone: an error of PySide6
    dock.column.deleteLater()
    until(lambda: gone)
    assert len(viewer.mouse_move_callbacks) == before


def test_the_dock_that_opens_files_is_made_whole(make_napari_viewer):
    dock = OpenDock(make_napari_viewer())
    dock.complete()
    assert dock._about.value == "Choose a file."


def test_parts_are_done_in_order_and_an_error_ends_them(qapp):
    done = []

    def parts():
        done.append(1)
        yield
        done.append(2)
        raise ValueError("of a part")

    turns = Turns(qapp, parts())
    turns.take()
    with pytest.raises(ValueError, match="of a part"):
        turns.finish()
    assert (done, turns.done) == ([1, 2], True)
    turns.finish()
    assert done == [1, 2]


def test_answers_that_arrive_together_are_shown_one_in_a_turn(qapp, qtbot):
    """Else one layer that is added lets all docks work in one go, and the window stands still meanwhile."""
    parent, turn, seen = QObject(), [0], []
    ticks = QTimer(parent)
    ticks.timeout.connect(lambda: turn.__setitem__(0, turn[0] + 1))
    askers = [LatestOnly(parent) for _ in range(4)]
    for number, asker in enumerate(askers):
        asker.answered.connect(lambda word: seen.append((word, turn[0])))
        asker.ask(lambda number=number: number)
    while any(asker.busy for asker in askers):  # all have answered, and no event was processed yet
        pass
    ticks.start(0)
    askers[0].leave()
    qtbot.waitUntil(lambda: len(seen) == 3, timeout=60_000)
    assert sorted(word for word, _ in seen) == [1, 2, 3]
    assert len({when for _, when in seen}) == 3


def test_an_answer_that_raises_does_not_keep_back_the_others(qapp, qtbot):
    parent, seen = QObject(), []
    askers = [LatestOnly(parent) for _ in range(3)]
    for number, asker in enumerate(askers):
        asker.answered.connect(lambda word: seen.append(1 / word))
        asker.ask(lambda number=number: number)
    with qtbot.capture_exceptions() as raised:
        qtbot.waitUntil(lambda: len(seen) == 2 and bool(raised), timeout=60_000)
    assert len(raised) == 1


def test_failures_of_earlier_questions_are_not_reported(qtbot):
    """An answer to the latest question is not lost to them, whichever is given first."""
    parent = QObject()
    asker, free = LatestOnly(parent), threading.Event()
    answered, failed = [], []
    asker.answered.connect(answered.append)
    asker.failed.connect(lambda error: failed.append(str(error)))

    def fail() -> None:
        free.wait()
        raise ValueError("earlier")

    asker.ask(fail)
    qtbot.waitUntil(lambda: asker._question is None)
    asker.ask(lambda: "later")
    free.set()
    qtbot.waitUntil(lambda: answered == ["later"])
    free.clear()
    asker.ask(fail)
    qtbot.waitUntil(lambda: asker._question is None)
    asker.forget()
    free.set()
    qtbot.waitUntil(lambda: not asker.busy)
    asker.ask(fail)
    qtbot.waitUntil(lambda: failed == ["earlier"])
    asker.leave()
