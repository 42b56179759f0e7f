"""Curves of a run as files: CSV, and the event file of TensorBoard, whose reader accepts what these tests compare with."""

from __future__ import annotations

import itertools
import struct

import pytest
from typer.testing import CliRunner

from napari_spectrai import Experiment
from napari_spectrai.cli import app
from napari_spectrai.runs import Epoch, RunFolder
from napari_spectrai.runs.events import to_json
from napari_spectrai.runs.tensorboard import _checksum, write_tensorboard


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(Experiment(), tmp_path / "run")
    epochs = [Epoch(number, 300, 1 / number, 2 / number, {"mse": 0.5}, 0.001, number == 2, 2.0, 0.0) for number in (1, 2, 300)]
    folder.journal.write_text("".join(to_json(one) + "\n" for one in epochs), encoding="utf-8")
    return folder


def records(path):
    """Yield the records of a file, their checksums verified."""
    content = path.read_bytes()
    while content:
        (size,) = struct.unpack("<Q", content[:8])
        assert content[8:12] == _checksum(content[:8])
        record = content[12 : 12 + size]
        assert content[12 + size : 16 + size] == _checksum(record)
        yield record
        content = content[16 + size :]


def test_the_checksum_is_the_masked_one_of_castagnoli():
    crc = 0xE3069283  # of "123456789", in RFC 3720
    assert struct.unpack("<I", _checksum(b"123456789"))[0] == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_epochs_are_steps_of_an_event_file(run, tmp_path):
    first, *steps = records(write_tensorboard(run, tmp_path / "board"))
    assert first.endswith(b"\x1a\x0dbrain.Event:2")
    assert [record[9:12] for record in steps] == [b"\x10\x01*", b"\x10\x02*", b"\x10\xac\x02"]
    times = [struct.unpack("<d", record[1:9])[0] for record in (first, *steps)]
    assert [after - before for before, after in itertools.pairwise(times)] == pytest.approx([2, 2, 2])
    for tag, value in (("loss/training", 1.0), ("loss/validation", 2.0), ("validation/mse", 0.5), ("lr", 0.001)):
        assert bytes([0x0A, len(tag)]) + tag.encode() + b"\x15" + struct.pack("<f", value) in steps[0]


def test_the_command_writes_csv_or_a_folder(run, tmp_path):
    for name, code in (("board", 0), ("board", 2), ("curves.csv", 0), ("curves.txt", 2)):
        done = CliRunner().invoke(app, ["curves", str(run.path), "-o", str(tmp_path / name)])
        assert done.exit_code == code, done.output
    assert (tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()[1] == "1,1.0,2.0,0.5,0.001,False,2.0"
    assert [one.name.startswith("events.out.tfevents.") for one in (tmp_path / "board").iterdir()] == [True]


def test_a_run_without_epochs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no epochs"):
        write_tensorboard(RunFolder.create(Experiment(), tmp_path / "run"), tmp_path / "board")
