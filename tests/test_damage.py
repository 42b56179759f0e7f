"""Run folders whose files are damaged: one sentence, and a way on from the last good state."""

from __future__ import annotations

import errno
import io
import os
import shutil
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_spectrai import Experiment, fit, read, sweep
from napari_spectrai.io.labels import read_labels
from napari_spectrai.learn.train import checkpoint
from napari_spectrai.reports.run_report import write_report
from napari_spectrai.runs import Epoch, Failed, Finished, RunFolder, Started, history, journal


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, make_spectra):
    """A run that was stopped after three epochs, with a checkpoint after each."""
    from napari_spectrai import Cube, SpectralAxis

    noisy, clean = (Cube(values, SpectralAxis(np.linspace(600, 1800, 40), "1/cm")) for values in make_spectra(120, 40))
    settings = ("training.epochs=5", "training.batch=16", "network.width=16", "split.validation=0.2", "training.device=cpu")
    folder = RunFolder(tmp_path_factory.mktemp("damage") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_spectrai.learn.train.trainer.SAVE_SECONDS", 0.0)
        with closing(fit(Experiment().override(*settings), noisy, clean, run=folder.path)) as events:
            for event in events:
                if isinstance(event, Epoch) and event.epoch == 3:
                    break
    assert folder.state() == "interrupted"
    return folder, noisy, clean


@pytest.fixture
def run(stopped, tmp_path):
    """A copy of it, and what it learns from."""
    folder, *data = stopped
    shutil.copytree(folder.path, tmp_path / "run")
    return RunFolder(tmp_path / "run"), data


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(byte ^ 0xFF for byte in content[middle : middle + 300])  # more than the padding between tensors
    path.write_bytes(content)


def emptied(path):
    path.write_bytes(b"")


def foreign(path):
    path.write_bytes(b"PK\x03\x04 something else" * 100)


DAMAGES = [truncated, flipped, emptied, foreign]


def resumed(run):
    folder, data = run
    events = list(fit(None, *data, run=folder.path, resume=True))
    assert isinstance(events[-1], Finished)
    assert folder.state() == "finished"
    return events


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(run, damage):
    folder, _ = run
    assert checkpoint.before(folder.checkpoint).exists()
    damage(folder.checkpoint)
    started = next(event for event in resumed(run) if isinstance(event, Started))
    assert 0 < started.resumed_after <= 3
    assert any(note.startswith("Of the checkpoints, state.pt is damaged") for note in started.notes)
    epochs = [event.epoch for event in folder.events() if isinstance(event, Epoch)]
    assert epochs == [1, 2, 3, 4, 5]


def test_a_kill_between_two_checkpoints_leaves_the_one_before(run, tmp_path):
    folder, data = run
    folder.checkpoint.unlink()
    folder.journal.rename(tmp_path / "journal")  # what has learnt something is not begun again, whatever else is lost
    with pytest.raises(FileExistsError, match="already contains a run"):
        RunFolder.create(folder.experiment(), folder.path)
    (tmp_path / "journal").rename(folder.journal)
    swept = tmp_path / "sweep" / "run"
    shutil.copytree(folder.path, swept)
    folder.experiment().override("name=run").save(swept / "experiment.yml")
    sweep(folder.experiment(), ["training.epochs=5"], *data, out=swept.parent)
    assert any(isinstance(event, Started) and event.resumed_after > 0 for event in RunFolder(swept).events())
    assert next(event for event in resumed(run) if isinstance(event, Started)).resumed_after > 0


def test_a_disk_that_fails_while_a_checkpoint_is_written_is_named(run, monkeypatch):
    """Whatever torch reports of closing its archive afterwards."""
    folder, _ = run
    state = torch.load(folder.checkpoint, weights_only=True)
    for number in range(8):

        class Failing(io.BytesIO):
            left = number

            def write(self, content):
                if not self.left:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                self.left -= 1
                return super().write(content)

        with pytest.raises(OSError, match="Input/output error"):
            checkpoint._write(state, SimpleNamespace(open=lambda _: Failing()))


@pytest.mark.parametrize("changed", [None, 0, 1])
def test_a_training_that_goes_on_with_other_data_says_so(run, changed):
    folder, data = run
    if changed is not None:
        data[changed] = data[changed].with_data(data[changed].numpy() + np.eye(120, 40, dtype=np.float32))
    notes = next(event for event in resumed((folder, data)) if isinstance(event, Started)).notes
    assert any("not those that the run began with" in note for note in notes) == (changed is not None)


@pytest.mark.parametrize("setting", ["network.width=24", "training.optimiser.lr=0.01", "training.batch=8", "split.validation=0.5"])
def test_a_document_that_was_changed_is_refused_before_the_run_goes_on(run, setting):
    folder, _ = run
    before = folder.experiment()
    before.override(setting, "name=other", "training.devices=2", "training.memory=3").save(folder.document)
    with pytest.raises(ValueError, match=f"began with: {setting.partition('=')[0]} is [0-9.]+ and was [0-9.]+. A resumed run"):
        list(fit(run=folder.path, resume=True))
    before.override("name=other", "training.memory=3").save(folder.document)
    resumed(run)


def test_a_run_that_does_not_hold_its_data_asks_for_them(tmp_path, stopped):
    _, noisy, clean = stopped
    folder = RunFolder(tmp_path / "run")
    experiment = Experiment().override("network=savitzky_golay")
    with closing(fit(experiment, noisy, clean, run=folder.path)) as events:
        next(events)  # fitted in one go, its data are not copied
    with pytest.raises(ValueError, match=r"give them again: train\(cubes=.*resume=True\)"):
        list(fit(run=folder.path, resume=True))
    assert folder.state() == "interrupted"
    resumed((folder, [noisy, clean]))


def test_where_no_checkpoint_is_good_the_model_is_named(run):
    folder, data = run
    for path in (folder.checkpoint, checkpoint.before(folder.checkpoint)):
        truncated(path)
    with pytest.raises(ValueError, match=r"^[^\n]*the run cannot be resumed; start a new run .*training\.start=\S*last\.safetensors$"):
        list(fit(None, *data, run=folder.path, resume=True))
    assert isinstance(folder.last_event(), Failed)
    again = list(fit(folder.experiment().override(f"training.start={folder.last}"), *data, run=folder.path.with_name("again")))
    assert isinstance(again[-1], Finished)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_split_is_drawn_again_from_its_seed(run, damage):
    folder, _ = run
    before = folder.maps()
    damage(folder.split)
    with pytest.raises(ValueError, match=r"split\.npz is damaged .* remove it to split the data again"):
        folder.maps()
    write_report(folder)
    started = next(event for event in resumed(run) if isinstance(event, Started))
    assert any("drawn again from its seed" in note for note in started.notes)
    np.testing.assert_array_equal(folder.maps()[0], before[0])


def test_a_damaged_split_that_cannot_be_drawn_again_is_one_sentence(run):
    folder, data = run
    emptied(folder.split)
    lines = folder.journal.read_text().splitlines(keepends=True)
    folder.journal.write_text("".join(line.replace('"training": ', '"training": 1') if '"Started"' in line else line for line in lines))
    with pytest.raises(ValueError, match=r"^[^\n]*split\.npz is damaged[^\n]*best\.safetensors$"):
        list(fit(None, *data, run=folder.path, resume=True))


@pytest.mark.parametrize("line", [
    b"\x00\xff\xfe\n", b"{\n", b"[]\n", b'{"event": "Epoch"}\n', b'{"event": "Epoch", "epoch": "x"}\n', b'{"event": []}\n', b"7\n", b"\n",
    b"[" * 100_000 + b"\n", b'{"event": "Finished", "reason": 3}\n', b'{"event": "Epoch", "epoch": ' + b"9" * 5000 + b"}\n", b"torn",
])  # fmt: skip
@pytest.mark.parametrize("place", [0, -1])
def test_a_damaged_line_of_the_journal_is_left_out(run, line, place):
    folder, _ = run
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    known = list(folder.events())
    lines.insert(place if place == 0 else len(lines), line + (b"\n" if place == 0 and not line.endswith(b"\n") else b""))
    folder.journal.write_bytes(b"".join(lines))
    assert list(folder.events()) == known
    assert folder.last_event() == known[-1]
    assert folder.state() == "interrupted"
    assert len(history.curve(folder)[0]) == 3
    write_report(folder)
    folder.append(Failed("one more"))
    assert folder.last_event() == Failed("one more")
    assert list(folder.events()) == [*known, Failed("one more")]


@pytest.mark.parametrize("name", ["environment.json", "control", "process.json", "events.jsonl", "best.safetensors", "last.safetensors"])
@pytest.mark.parametrize("damage", [truncated, emptied, foreign])
def test_a_run_with_a_damaged_file_is_listed_reported_and_resumed(run, name, damage):
    folder, _ = run
    (folder.path / name).touch()
    damage(folder.path / name)
    folder.state()
    write_report(folder)
    resumed(run)


def test_a_line_of_any_length_takes_no_memory_and_hides_no_other(run, monkeypatch):
    folder, _ = run
    known = list(folder.events())
    monkeypatch.setattr(journal, "LARGEST", 20_000)
    with folder.journal.open("ab") as file:
        file.write(b"\0" * 100_000 + b"\n")
    folder.append(Failed("after it"))
    assert list(folder.events()) == [*known, Failed("after it")]
    assert folder.last_event() == Failed("after it")
    with folder.journal.open("ab") as file:
        file.write(b"\0" * 100_000 + b"\n")
    with pytest.raises(ValueError, match="no line of it can be read"):
        folder.last_event()
    assert folder.state() == "unreadable"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are of POSIX")
@pytest.mark.parametrize("name", ["experiment.yml", "events.jsonl", "split.npz", "control", "process.json", "best.safetensors"])
def test_a_pipe_or_a_device_in_a_run_folder_blocks_nobody(run, name):
    """Reading either would wait, or fill the memory, for ever."""
    folder, data = run
    for kind in ("pipe", "device"):
        (folder.path / name).unlink(missing_ok=True)
        os.mkfifo(folder.path / name) if kind == "pipe" else (folder.path / name).symlink_to("/dev/null")
        folder.state()
        assert folder.command() == ""
        if name in ("experiment.yml", "events.jsonl"):
            with pytest.raises(ValueError, match=rf"{name} is a device or a pipe and no file"):
                list(fit(None, *data, run=folder.path, resume=True))


def test_a_damaged_document_is_named(run):
    folder, data = run
    foreign(folder.document)
    with pytest.raises(ValueError, match=r"experiment\.yml"):
        list(fit(None, *data, run=folder.path, resume=True))
    with pytest.raises(ValueError, match=r"experiment\.yml"):
        read(folder.document)


def test_a_run_folder_that_vanishes_is_named_with_what_can_be_done(stopped, run):
    folder, data = run
    with (
        pytest.raises(RuntimeError, match=r"run was moved or removed.*put it back and resume, or start a new run"),
        closing(fit(None, *data, run=folder.path, resume=True)) as events,
    ):
        for event in events:
            if isinstance(event, Started):
                folder.path.rename(folder.path.with_name("elsewhere"))


def test_no_message_advises_to_run_code_of_a_file(tmp_path):
    folder = RunFolder.create(Experiment(), tmp_path / "run")
    for content in (b"hello", b"x" * 4000):
        folder.split.write_bytes(content)
        with pytest.raises(ValueError, match=r"split\.npz is damaged \(it is no file of NumPy\)"):
            folder.maps()
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.npy.*it is no file of NumPy"):
            read_labels(tmp_path / "x.npy")
