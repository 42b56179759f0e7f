"""Writing: old or new whatever happens, companions together, and nothing left behind by processes that live no more."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from zarr.core import sync
from zarr.storage import LocalStore

from napari_spectrai import Cube, Experiment, SpectralAxis, files, read, swap, write
from napari_spectrai.runs.folder import RunFolder, all_runs
from napari_spectrai.runs.history import delete

AXIS = SpectralAxis(np.linspace(400, 700, 4), "nm")


def cube(value: float) -> Cube:
    return Cube(np.full((8, 6, 4), value, np.float32), SpectralAxis(AXIS.values + value, "nm"), name=f"cube {value:g}")


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def killed_after(renames: int, path: Path, value: float) -> None:
    """Overwrite `path` in a process that is killed after so many renames of its swap; -1: before its record is written."""
    code = f"""
import os, signal, sys
from pathlib import Path
from napari_spectrai import swap, write
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_overwriting import cube
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
done, rename = 0, Path.rename
def counted(self, target):
    global done
    if done == {renames}: die()
    done += 1
    return rename(self, target)
Path.rename = counted
if {renames} < 0: swap._take_turn = die
write(cube({value}), {str(path)!r})
die()
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize(("name", "renames"), [
    ("x.zarr", -1), ("x.zarr", 0), ("x.zarr", 1), ("x.ome.zarr", 1),
    ("x.npy", -1), ("x.npy", 0), ("x.npy", 1), ("x.npy", 2), ("x.npy", 3), ("x.hdr", 1), ("x.hdr", 3),
])  # fmt: skip
def test_a_kill_at_any_rename_leaves_the_old_or_the_new_and_the_name_can_be_written(name, renames, tmp_path):
    path = tmp_path / name
    write(cube(1), path)
    killed_after(renames, path, 2)
    found = read(path)
    expected = cube(1 if renames < 0 else 2)
    assert found.axis == expected.axis  # of one cube as of the other: array and companion belong together
    np.testing.assert_array_equal(found.numpy(), expected.numpy())
    write(cube(3), path)
    np.testing.assert_array_equal(read(path).numpy(), cube(3).numpy())
    assert hidden(tmp_path) == []


def test_what_a_living_process_writes_is_not_swept(tmp_path):
    code = f"""
import sys
from napari_spectrai.files import replacing
with replacing({str(tmp_path / "slow.npy")!r}) as temporary:
    temporary.write_bytes(b"half")
    print("begun", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"begun\n"
        write(cube(1), tmp_path / "other.npz")
        assert len(hidden(tmp_path)) == 1
        writer.stdin.close()
        assert writer.wait(900) == 0
    assert (tmp_path / "slow.npy").read_bytes() == b"half"
    assert hidden(tmp_path) == []


def test_what_another_machine_writes_is_not_swept(tmp_path):
    left = tmp_path / ".0123456789ab.ffffff-1-1-abcdef.partial.npy"
    left.write_bytes(b"half")
    write(cube(1), tmp_path / "x.npz")
    assert left.exists()


def test_companions_that_cannot_all_move_stay_as_they_were(tmp_path, monkeypatch):
    path = tmp_path / "x.npy"
    write(cube(1), path)
    rename = Path.rename

    def failing(self, target):
        if Path(target) == path and ".partial" in self.name:
            raise PermissionError(errno.EACCES, "in use", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(PermissionError, match="what was saved before is untouched"):
        write(cube(2), path)
    monkeypatch.undo()
    assert read(path).axis == cube(1).axis
    np.testing.assert_array_equal(read(path).numpy(), cube(1).numpy())
    assert hidden(tmp_path) == []


def test_renames_that_a_container_left_undone_block_neither_readers_nor_writers(tmp_path, monkeypatch):
    """Its processes, unlike those of this machine, cannot be asked for."""
    monkeypatch.setattr(swap, "_PATIENCE", 0.0)
    path = tmp_path / "x.zarr"
    write(cube(1), path)
    monkeypatch.setattr(swap, "_machine", lambda: "ffffff")
    temporary = swap.temporary_name(path)
    write(cube(2), tmp_path / "new.zarr").rename(temporary)
    moves = [[temporary.name, path.name]]
    swap._record(path).write_text(json.dumps({"writer": swap._NAME.match(temporary.name)[2], "moves": moves}))
    monkeypatch.setattr(swap, "_machine", lambda: "eeeeee")
    np.testing.assert_array_equal(read(path).numpy(), cube(2).numpy())
    write(cube(3), path)
    assert hidden(tmp_path) == []


def test_a_record_that_cannot_be_written_is_not_left_behind(tmp_path, monkeypatch):
    write(cube(1), tmp_path / "x.zarr")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(swap, "flush", lambda _: None)
    monkeypatch.setattr(swap, "_sync", full)
    with pytest.raises(OSError, match="free some space"):
        write(cube(2), tmp_path / "x.zarr")
    np.testing.assert_array_equal(read(tmp_path / "x.zarr").numpy(), cube(1).numpy())
    assert hidden(tmp_path) == []


def test_of_a_run_whose_deletion_was_killed_no_half_is_listed_and_the_next_deletion_removes_the_rest(tmp_path, monkeypatch):
    runs = [RunFolder.create(Experiment(), tmp_path / name) for name in ("first", "second")]
    with monkeypatch.context() as patch:
        patch.setattr(swap, "remove", lambda _: None)
        with pytest.raises(OSError, match="not all of first could be removed"):
            delete(runs[0])
    assert len(hidden(tmp_path)) == 1
    assert [run.path.name for run in all_runs(tmp_path)] == ["second"]
    delete(runs[1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moves", [
    [[".{t}.{w}.partial.npy", "../victim.txt"]], [["victim.txt", "x.npy"]], [[".{t}.{w}.partial.npy", "/etc/hostname"]],
    [["../victim.txt", "x.npy"]], "torn", [[1]],
])  # fmt: skip
def test_a_forged_record_moves_nothing_outside_and_nothing_of_others(moves, tmp_path, monkeypatch):
    monkeypatch.setattr(swap, "_TORN", 0.0)
    folder = tmp_path / "folder"
    folder.mkdir()
    for victim in (tmp_path / "victim.txt", folder / "victim.txt"):
        victim.write_text("precious")
    target, writer = swap._target(folder / "x.npy"), f"{swap._machine()}-4194303-7-abcdef"
    text = json.dumps({"writer": writer, "moves": moves}).replace("{t}", target).replace("{w}", writer)
    (folder / f".{target}.commit").write_text(text[:-3] if moves == "torn" else text)
    (folder / f".{target}.{writer}.partial.npy").write_text("evil")
    with pytest.raises(FileNotFoundError):
        read(folder / "x.npy")
    write(cube(1), folder / "x.npy")
    assert [(place / "victim.txt").read_text() for place in (tmp_path, folder)] == ["precious"] * 2


def test_names_of_any_length_and_bytes_are_written_and_overwritten(tmp_path):
    for name in ("界" * 80 + ".zarr", "a" * 246 + ".npy", os.fsdecode(b"f\xe9\xff.npy"), os.fsdecode(b"f\xe9\xff.hdr")):
        for value in (1, 2):
            write(cube(value), tmp_path / name)
        np.testing.assert_array_equal(read(tmp_path / name).numpy(), cube(2).numpy())


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), OSError("262144 requested and 0 written"),
                                   RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")])  # fmt: skip
def test_a_full_disk_is_said_with_path_size_and_remedy(error, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_free", lambda _: 1000)
    path = tmp_path / "x.npy"
    words = r"No space left on device: it needs more than 7 bytes and 1 kB are free; free some"
    with pytest.raises(OSError, match=words) as told, files.replacing(path) as temporary:
        temporary.write_bytes(b"written")
        raise error
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(path))
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("name", ["x.npy", "x.h5", "x.hdr"])
def test_a_file_larger_than_the_free_space_is_refused_before_writing(name, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_free", lambda _: 100)
    with pytest.raises(OSError, match="it needs 768 bytes and 100 bytes are free"):
        write(cube(1), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.zarr", "x.npz"])
def test_a_full_disk_is_said_with_the_most_that_a_compressed_file_needs(name, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_free", lambda _: 100)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    monkeypatch.setattr("zarr.create_array", full)
    with pytest.raises(OSError, match="it needs up to 768 bytes .less if it compresses well. and 100 bytes are free"):
        write(cube(1), tmp_path / name)


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "free some space there"), (errno.EROFS, "choose a folder that can be written"), (errno.EIO, "no longer connected")],
)
def test_an_error_of_writing_in_place_names_the_result_and_the_remedy_once(number, words, tmp_path):
    store = tmp_path / "x.zarr"
    with pytest.raises(OSError, match=words) as told, files.writing(store), files.writing(store):
        raise OSError(number, os.strerror(number), str(store / ".temporary"))
    assert (told.value.errno, told.value.filename, str(told.value).count(words)) == (number, str(store), 1)
    assert files.is_of_the_disk(told.value)
    with pytest.raises(PermissionError, match=r"input\.h5") as other, files.writing(store):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/input.h5")
    assert other.value.filename == "/elsewhere/input.h5"


def test_a_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"choose a folder that can be written.*file/inner"):
        files.make_folder(tmp_path / "file" / "inner")


def test_an_error_that_has_nothing_to_do_with_the_disk_stays_as_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="^something else$"), files.replacing(tmp_path / "x.npy"):
        raise RuntimeError("something else")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".zarr", ".h5", ".hdr", ".csv", ".ome.tif", ".mat"])
def test_a_name_longer_than_the_file_system_allows_is_refused_with_both_lengths(suffix, tmp_path):
    name = "界" * 100 + suffix
    with pytest.raises(OSError, match=f"the name has {len(name.encode())} bytes, and 255 fit; choose a shorter one"):
        write(cube(1), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_limit_on_the_size_of_files_is_reported_and_ends_no_process(tmp_path):
    code = f"""
import resource
import numpy as np
from napari_spectrai import Cube, write
from napari_spectrai.mapping.regions import region_means
regions = region_means(Cube(np.random.default_rng(1).random((50, 50, 900), dtype="f4")), np.arange(2500).reshape(50, 50))
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
large = Cube(np.random.default_rng(0).random((100, 100, 40), dtype="f4"))
for suffix in (".npy", ".h5", ".hdr", ".ome.tif", ".csv", ".npz"):
    try:
        write(large, {str(tmp_path / "x")!r} + suffix)
    except OSError as error:
        assert "allows no file of this size; choose another disk" in str(error), error
        assert (", or .zarr" in str(error)) == (suffix in (".npy", ".h5", ".hdr", ".npz")), error
    else:
        raise AssertionError(suffix)
for suffix in (".h5ad", ".csv"):
    try:
        regions.write({str(tmp_path / "x")!r} + suffix)
    except OSError as error:
        assert "allows no file of this size; choose another disk" in str(error), error
    else:
        raise AssertionError(suffix)
write(large, {str(tmp_path / "x.zarr")!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]


def test_chunks_that_are_still_being_written_when_one_fails_leave_nothing_behind(tmp_path, monkeypatch):
    store, failed = LocalStore.set, threading.Event()

    async def slow(self, key, *more, **options):
        if "/c/" not in f"/{key}":
            return await store(self, key, *more, **options)
        if not failed.is_set():
            failed.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        await asyncio.sleep(0.3)
        return await store(self, key, *more, **options)

    monkeypatch.setattr(LocalStore, "set", slow)
    with pytest.raises(OSError, match="No space left on device"):
        write(Cube(np.ones((200, 200, 64), np.float32)), tmp_path / "x.zarr")
    assert all(task.done() for task in asyncio.all_tasks(sync.loop[0]))
    assert not list(tmp_path.iterdir())
