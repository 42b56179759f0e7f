"""Predictions in parts: what several processes write into one store is what one would have written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

from napari_spectrai import Cube, SpectralAxis, read, swap, write
from napari_spectrai.cli import app
from napari_spectrai.generators import drain
from napari_spectrai.io import SpectralWarning
from napari_spectrai.io.labels import read_labels, write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.learn.inference import empty_spectra
from napari_spectrai.learn.inference.empty_spectra import Content, empty_of, leave_out
from napari_spectrai.learn.inference.parts import predicting_part
from napari_spectrai.learn.inference.predict import predict, predicting
from napari_spectrai.learn.model import ready
from napari_spectrai.runs.evaluation import Evaluation
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.part import Part, owned
from napari_spectrai.runs.part_chunks import numbered
from napari_spectrai.runs.part_input import COMPARED, PLACES, digest
from napari_spectrai.runs.part_record import PartRecord
from napari_spectrai.runs.part_state import State
from napari_spectrai.valid import EMPTY, MISSING, MORE, ONE, decided


def done(model, cube, out, part, **options):
    steps = predicting_part(model, cube, PredictOptions(**options), out=out, part=Part.parse(part))
    count = 0
    while True:
        try:
            next(steps)
            count += 1
        except StopIteration as end:
            return end.value, count


@pytest.mark.parametrize("text", ["0/3", "4/3", "a/b", "1/0", "1", "-1/3", "1/3/2", ""])
def test_a_wrong_part_is_one_line_and_a_usage_error(tmp_path, text):
    write(Cube(np.ones((4, 4, 5), np.float32)), tmp_path / "x.zarr")
    result = CliRunner().invoke(app, ["predict", "whittaker", str(tmp_path / "x.zarr"), "-o", str(tmp_path / "y.zarr"), "--part", text])
    assert result.exit_code == 2
    assert not (tmp_path / "y.zarr").exists()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
@pytest.mark.parametrize(("shape", "chunks"), [((300, 200, 40), (64, 64, 32)), ((3, 70, 130, 8), (1, 64, 64, 8)), ((500, 9), (64, 9))])
def test_every_pixel_is_written_once_and_no_chunk_by_two_parts(shape, chunks, count):
    written = np.zeros((int(np.prod(shape[:-3])), *((shape[0], 1) if len(shape) == 2 else shape[-3:-1])), int)
    owner = np.zeros_like(written)
    for number in range(1, count + 1):
        for one in owned(shape, chunks, Part(number, count)):
            place = (one.plane, slice(one.top, one.bottom), slice(one.left, one.right))
            written[place] += 1
            owner[place] = number
    assert (written == 1).all()
    chunks_of = [numbered(shape, chunks, owned(shape, chunks, Part(number, count))) for number in range(1, count + 1)]
    grid = [-(-length // chunk) for length, chunk in zip(shape, chunks, strict=True)]
    assert sorted(np.concatenate(chunks_of).tolist()) == list(range(int(np.prod(grid))))
    down, across = (chunks[0], 1) if len(shape) == 2 else chunks[-3:-1]
    for plane in owner:
        for y in range(0, plane.shape[0], down):
            for x in range(0, plane.shape[1], across):
                assert len(np.unique(plane[y : y + down, x : x + across])) == 1


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("whittaker", {}),
        ("bicubic", {"tile": 32}),
        ("bicubic", {"factor": 3}),
        ("svd_nlm", {"tile": 32}),
        ("kmeans", {"settings": {"count": 3}}),
    ],
)
@pytest.mark.parametrize("shape", [(150, 90, 6), (2, 40, 70, 6)])
def test_parts_in_any_order_equal_the_whole(tmp_path, model, options, shape):
    values = np.random.default_rng(0).random(shape, np.float32)
    values[..., :3, :] = 0  # columns without data
    values[..., 7, 9, :] = np.nan
    cube = Cube(values)
    whole = drain(predicting(model, cube, PredictOptions(**options)))
    out = tmp_path / "parts.zarr"
    results = [done(model, cube, out, f"{number}/3", **options)[0] for number in (3, 1, 2)]
    assert results[:2] == [None, None]
    expected = whole.result if whole.probabilities is None else whole.probabilities
    np.testing.assert_array_equal(read(out).numpy(), expected.numpy())
    assert done(model, cube, out, "1/3", **options)[0] is not None  # what the end has changed is as the parts have written it
    if whole.classes:
        np.testing.assert_array_equal(results[2].result, whole.result)
        np.testing.assert_allclose(results[2].components.numpy(), whole.components.numpy(), rtol=1e-6)


def test_a_finished_part_is_not_computed_again_and_a_stopped_one_continues(tmp_path):
    cube, out = Cube(np.random.default_rng(0).random((1000, 64, 5), np.float32)), tmp_path / "y.zarr"
    options = PredictOptions(tile=32)
    steps = predicting_part("bicubic", cube, options, out=out, part=Part(1, 2))
    record = PartRecord(out, 2)
    for _ in steps:
        if record.state(1).done == 2:  # rows of tiles
            break
    steps.close()
    kept = record.state(1)
    assert 2 <= kept.done < kept.total
    assert done("bicubic", cube, out, "1/2", tile=32)[1] == 3 * (kept.total - kept.done) + 1  # two tiles and the row
    before = {path: path.stat().st_mtime_ns for path in out.rglob("c/**/*") if path.is_file()}
    assert done("bicubic", cube, out, "1/2", tile=32)[1] == 1
    assert {path: path.stat().st_mtime_ns for path in out.rglob("c/**/*") if path.is_file()} == before
    assert np.isnan(zarr.open_array(out)[...]).any()
    with pytest.warns(SpectralWarning, match="some are missing"):
        read(out)
    assert done("bicubic", cube, out, "2/2", tile=32)[0] is not None
    np.testing.assert_array_equal(read(out).numpy(), predict("bicubic", cube, tile=32).result.numpy())


def test_another_count_input_model_or_option_is_refused_with_a_remedy(tmp_path):
    cube, out = Cube(np.random.default_rng(0).random((20, 20, 5), np.float32)), tmp_path / "y.zarr"
    done("whittaker", cube, out, "1/2")
    changed = cube.numpy().copy()
    changed[3, 4, 2] += 1
    with pytest.raises(ValueError, match=r"started in 2 parts.*use --part i/2"):
        done("whittaker", cube, out, "1/3")
    for model, other, options in (("whittaker", Cube(changed), {}), ("savitzky_golay", cube, {}), ("whittaker", cube, {"tile": 16})):
        with pytest.raises(ValueError, match="choose another output"):
            done(model, other, out, "2/2", **options)
    assert done("whittaker", cube, out, "2/2")[0] is not None


@pytest.mark.parametrize("shape", [(3000, 4000, 60), (500_000, 8, 60), (4, 900, 700, 60), (3_000_000, 60), (300, 300, 5000), (2, 3, 5, 7)])
def test_a_part_compares_a_little_of_its_input_however_large_it_is(shape):
    """Of the first pixels and the last, and in few chunks: each part reads it before it starts."""
    read = np.zeros([-(-size // 64) for size in shape[:-1]], bool)

    class Lazy(np.ndarray):
        def __getitem__(self, place):
            read[tuple(slice(s.start // 64, (s.stop - 1) // 64 + 1) if s.stop is not None else slice(None) for s in place)] = True
            return super().__getitem__(place)

    data = np.broadcast_to(np.float32(0), shape).view(Lazy)
    digest(SimpleNamespace(shape=shape, data=data, axis=SpectralAxis.bands(shape[-1]), metadata={}))
    assert read.reshape(len(read), -1)[[0, -1]].any(1).all()
    assert read.all() or read.sum() <= PLACES * max(2 ** (len(shape) - 1), COMPARED // PLACES // shape[-1] // 64 + 2)


def test_parts_of_classes_write_labels_and_components_and_replace_no_others(tmp_path):
    source, labels = tmp_path / "x.zarr", tmp_path / "kinds.tif"
    write(Cube(np.random.default_rng(0).random((40, 30, 6), np.float32)), source)

    def command(part, output=labels):
        return CliRunner().invoke(app, ["predict", "kmeans", str(source), "-o", str(output), "--set", "count=3", "--part", part])

    assert command("1/2").exit_code == 0
    assert not labels.exists()
    assert command("2/2").exit_code == 0
    assert read_labels(labels).values() == [1, 2, 3]
    assert read(tmp_path / "kinds-components.csv").shape == (3, 6)
    assert command("2/2").exit_code == 0
    other = tmp_path / "other.tif"
    other.write_bytes(b"labels of somebody")
    refused = command("1/2", other)
    assert refused.exit_code == 2
    assert other.read_bytes() == b"labels of somebody"


def test_methods_without_training_are_the_same_at_another_time(tmp_path):
    cube, out = Cube(np.random.default_rng(0).random((20, 20, 5), np.float32)), tmp_path / "y.zarr"
    model = ready("kmeans", cube.axis, settings={"count": 3})
    done(model, cube, out, "1/2")
    later = replace(model, description=replace(model.description, date="2050-01-01 00:00"))
    assert done(later, cube, out, "2/2")[0].labels.values() == [1, 2, 3]


STEPS = "- {kind: despike}\n- {kind: savitzky_golay, window: 5}\n- {kind: stabilise}\n- {kind: bin, y: 2, x: 2}\n"


def command(*words):
    return CliRunner().invoke(app, [*map(str, words)])


def scene(path, shape=(150, 90, 12)):
    values = np.random.default_rng(0).random(shape, np.float32)
    values[:30, :20] = 0  # a corner without data
    values[40, 50, 3] = np.nan
    write(Cube(values), path)
    return path


@pytest.mark.parametrize("steps", [STEPS, "- {kind: pca, components: 3}\n", "- {kind: snv}\n"])
def test_preprocessing_in_parts_equals_the_whole(tmp_path, steps):
    source, chain = scene(tmp_path / "x.zarr"), tmp_path / "steps.yml"
    chain.write_text(steps.replace("kind: snv", "kind: normalise, by: snv"))
    assert command("preprocess", chain, source, "-o", tmp_path / "whole.zarr").exit_code == 0
    for number in (3, 1, 2):
        result = command("preprocess", chain, source, "-o", tmp_path / "parts.zarr", "--part", f"{number}/3")
        assert result.exit_code == 0, result.output
    whole, parts = read(tmp_path / "whole.zarr"), read(tmp_path / "parts.zarr")
    np.testing.assert_array_equal(whole.numpy(), parts.numpy())
    np.testing.assert_array_equal(whole.axis.values, parts.axis.values)
    chain.write_text("- {kind: savitzky_golay, window: 7}\n")
    assert "choose another output" in command("preprocess", chain, source, "-o", tmp_path / "parts.zarr", "--part", "1/3").output


@pytest.mark.parametrize(
    "kind",
    [
        ("band", "low=2", "high=8", "over=[1, 4]"),
        ("peaks", "low=2", "high=10"),
        ("components", "method=kmeans", "count=3"),
        ("components", "method=pca", "count=2"),
        ("unmix", "background=constant"),
        ("library", "particles=true"),
    ],
)
def test_maps_in_parts_equal_the_whole(tmp_path, kind):
    source = scene(tmp_path / "x.zarr", (70, 130, 12))
    more = []
    if kind[0] in ("unmix", "library"):
        write(Cube(np.random.default_rng(1).random((3, 12), np.float32)), tmp_path / "references.zarr")
        more = [f"references={tmp_path / 'references.zarr'}"]
    words = ["map", kind[0], source, *kind[1:], *more, "--format", "npy"]
    whole = command(*words, "-o", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    for number in (2, 3, 1):
        result = command(*words, "-o", tmp_path / "parts", "--part", f"{number}/3")
        assert result.exit_code == 0, result.output
    files = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert [name for name in sorted(path.name for path in (tmp_path / "parts").iterdir()) if name != "parts"] == files
    for name in files:
        one, other = tmp_path / "whole" / name, tmp_path / "parts" / name
        if name.endswith(".npy"):
            np.testing.assert_allclose(np.load(other), np.load(one), rtol=1e-9, atol=1e-12)
        else:
            assert other.read_text() == one.read_text()


@pytest.mark.parametrize("options", [(), ("--normalise", "area"), ("--source",)])
def test_evaluation_in_parts_equals_the_whole_exactly(tmp_path, options):
    truth = scene(tmp_path / "truth.zarr", (150, 90, 12))
    noise = np.random.default_rng(1).normal(0, 0.1, (150, 90, 12)).astype(np.float32)
    write(read(truth).with_data(read(truth).numpy() + noise), tmp_path / "result.zarr")
    write(read(truth).with_data(read(truth).numpy() - 2 * noise), tmp_path / "noisy.zarr")
    given = ["--source", tmp_path / "noisy.zarr", "--normalise", "vector"] if options == ("--source",) else options
    words = ["evaluate", tmp_path / "result.zarr", truth, *given]
    whole = command(*words, "-o", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    for number in (2, 3, 1):
        result = command(*words, "-o", tmp_path / "parts", "--part", f"{number}/3")
        assert result.exit_code == 0, result.output
    one, other = Evaluation.load(tmp_path / "whole"), Evaluation.load(tmp_path / "parts")
    assert one.rows == other.rows
    assert one.to_json() == other.to_json()
    np.testing.assert_array_equal(one.maps["result"]["error"].numpy(), other.maps["result"]["error"].numpy())
    assert "mse" in result.output.lower()


@pytest.mark.parametrize("options", [(), ("--match",), ("--source",)])
def test_classes_counted_in_parts_equal_the_whole_exactly(tmp_path, options):
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 5, (40, 33))
    result = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(1, 7, truth.shape))
    write_labels(Labels(truth, {1: "soil", 2: "water", 3: "oak", 4: "road"}), tmp_path / "truth.zarr")
    write_labels(Labels(result, {1: "soil", 2: "river"}), tmp_path / "result.zarr")
    values = rng.random((40, 33, 6), dtype=np.float32)
    values[:5] = np.nan
    write(Cube(values), tmp_path / "x.zarr")
    given = ("--source", tmp_path / "x.zarr") if options == ("--source",) else options
    words = ["evaluate", tmp_path / "result.zarr", tmp_path / "truth.zarr", "--task", "segmentation", *given]
    whole = command(*words, "-o", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    for number in (2, 3, 1):
        found = command(*words, "-o", tmp_path / "parts", "--part", f"{number}/3")
        assert found.exit_code == 0, found.output
    one, other = Evaluation.load(tmp_path / "whole"), Evaluation.load(tmp_path / "parts")
    assert one.to_json() == other.to_json()
    for name, labels in one.maps["result"].items():
        np.testing.assert_array_equal(labels.data, other.maps["result"][name].data)
    write_labels(Labels(truth.T.copy()), tmp_path / "other.zarr")
    changed = command(*words[:2], tmp_path / "other.zarr", *words[3:], "-o", tmp_path / "parts", "--part", "1/3")
    assert changed.exit_code != 0


def test_a_part_that_was_killed_continues_and_the_result_is_that_of_the_whole(tmp_path):
    source, out = scene(tmp_path / "x.zarr", (128, 96, 12)), tmp_path / "y.zarr"
    words = ["predict", "whittaker", source, "-o", out, "--tile", "16", "--part"]
    record = PartRecord(out, 2)
    with subprocess.Popen([sys.executable, "-m", "napari_spectrai", *map(str, words), "1/2"], stderr=subprocess.DEVNULL) as process:
        while record.state(1).done < 2:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.001)
        process.kill()
    killed = record.state(1)
    assert 2 <= killed.done < killed.total
    assert command(*words, "2/2").exit_code == 0
    assert record.finished is None
    assert command(*words, "1/2").exit_code == 0
    with pytest.warns(SpectralWarning, match="hold no data"):
        np.testing.assert_array_equal(read(out).numpy(), predict("whittaker", read(source)).result.numpy())


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: path.write_bytes(b"PK\x03\x04 something else"), "a list": lambda path: path.write_text("[1, 2]"),
    "null": lambda path: path.write_text("null"), "no keys": lambda path: path.write_text("{}"),
    "deep": lambda path: path.write_text("[" * 100_000), "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path.name)),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}  # fmt: skip


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """A cube, a model, a store of which one of two parts is done, and the whole result."""
    folder = tmp_path_factory.mktemp("halves")
    cube = Cube(np.random.default_rng(0).random((130, 70, 8), np.float32) + 1)
    model = ready("whittaker", cube.axis)
    done(model, cube, folder / "half.zarr", "1/2")
    return cube, model, folder / "half.zarr", predict(model, cube).result.numpy()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are of POSIX")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("name", ["parts/plan.json", "parts/part-000001.json", "parts/codes.zarr/zarr.json", "zarr.json"])
def test_a_damaged_record_is_computed_again_or_is_one_line_with_a_remedy(halves, name, damage, tmp_path):
    cube, model, half, whole = halves
    out = tmp_path / "x.zarr"
    shutil.copytree(half, out)
    damage(out / name)
    complete, said = None, ""
    try:
        for part in ("2/2", "1/2"):
            complete, _ = done(model, cube, out, part)
    except ValueError as error:
        said = str(error)
    if said:
        assert re.fullmatch(r"[^\n]*x\.zarr[^\n]*(remove|Use) [^\n]*", said)
        assert "part-" not in name  # how far a part is can be found out
        return
    assert complete is not None
    np.testing.assert_array_equal(complete.result.numpy(), whole)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("photons", [False, True])
@pytest.mark.parametrize("shape", [(130, 70), (3, 65, 40), (500,)])
def test_empty_spectra_are_found_and_set_apart_in_blocks_as_at_once(shape, photons, times, monkeypatch):
    times = 1 if len(shape) == 1 else times
    monkeypatch.setattr(empty_spectra, "BYTES", 4096)
    rng = np.random.default_rng(0)
    codes = rng.choice([MISSING, EMPTY, ONE, MORE] if photons else [MISSING, EMPTY, MORE], shape).astype(np.uint8)
    each = codes if times == 1 else codes.repeat(times, -1).repeat(times, -2)
    expected, (held, empty) = decided(codes), Content(each, times).held()
    assert (held.count, held.missing, held.empty, held.complete) == (expected.count, expected.missing, expected.empty, expected.complete)
    known = empty_of(expected)
    assert empty.shape == known.shape
    result = np.ones((*each.shape, 5), np.float32)
    leave_out(SimpleNamespace(classes=(), times=times), result, empty)
    at_once = known if times == 1 else known.repeat(times, -1).repeat(times, -2)
    np.testing.assert_array_equal(result[..., 0] == 0, at_once)


def test_the_end_of_a_job_holds_no_mask_of_all_pixels(tmp_path):
    codes = zarr.create_array(tmp_path / "codes.zarr", shape=(8192, 4096), chunks=(64, 64 * 8), dtype=np.uint8, fill_value=MORE)
    codes[:64] = EMPTY
    tracemalloc.start()
    held, empty = Content(codes).held()
    assert tracemalloc.get_traced_memory()[1] < codes.size / 2
    tracemalloc.stop()
    assert held.empty == 64 * 4096
    assert empty[:64, :9].all()


def test_of_parts_that_finish_at_once_one_completes_the_job_and_the_others_wait(halves, tmp_path):
    cube, model, half, whole = halves
    out = tmp_path / "x.zarr"
    shutil.copytree(half, out)
    code = f"""
import sys
from pathlib import Path
from napari_spectrai.runs import lock
lock.hold(Path({str(out / "parts" / "finish.lock")!r}), alone=False)
print("held", flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(done, model, cube, out, "2/2")
            while not PartRecord(out, 2).state(2).finished:
                time.sleep(0.01)
            assert not found.done()
            other.communicate("\n")
            np.testing.assert_array_equal(found.result()[0].result.numpy(), whole)


def test_what_kills_leave_of_a_job_in_parts_is_removed_by_the_next_part(halves, tmp_path):
    cube, model, half, whole = halves
    out = tmp_path / "x.zarr"
    dead = f"{swap._machine()}-4194303-7-abcdef"
    for folder in (tmp_path, half / "parts"):
        (folder / f".0123456789ab.{dead}.partial.zarr").mkdir()
    shutil.copytree(half, out)
    shutil.rmtree(half / "parts" / f".0123456789ab.{dead}.partial.zarr")
    assert done(model, cube, out, "2/2")[0] is not None
    assert done(model, cube, tmp_path / "y.zarr", "1/2")[0] is None
    (out / "parts" / "codes.zarr").mkdir()  # killed after the last part
    np.testing.assert_array_equal(done(model, cube, out, "2/2")[0].result.numpy(), whole)
    assert [*tmp_path.glob(".*"), *(out / "parts").glob(".*"), *(out / "parts").glob("*.zarr")] == []


CHUNK_DAMAGES = {"gone": Path.unlink, "cut": DAMAGES["truncated"], "empty": DAMAGES["empty"]}


@pytest.mark.parametrize("damage", CHUNK_DAMAGES.values(), ids=CHUNK_DAMAGES)
def test_a_part_of_which_a_chunk_is_damaged_before_the_end_is_computed_again(halves, damage, tmp_path):
    cube, model, half, whole = halves
    out = tmp_path / "x.zarr"
    shutil.copytree(half, out)
    damage(out / "c/0/1/0")
    with pytest.raises(ValueError, match=r"x\.zarr: 1 chunks are not as part 1/2 has written them.*repeat the command"):
        done(model, cube, out, "2/2")
    assert PartRecord(out, 2).missing == [1]
    complete, _ = done(model, cube, out, "1/2")
    np.testing.assert_array_equal(complete.result.numpy(), whole)


@pytest.mark.parametrize("damage", CHUNK_DAMAGES.values(), ids=CHUNK_DAMAGES)
def test_a_chunk_that_is_damaged_after_the_end_is_said_by_a_part_that_is_repeated(halves, damage, tmp_path):
    cube, model, half, _ = halves
    out = tmp_path / "x.zarr"
    shutil.copytree(half, out)
    assert done(model, cube, out, "2/2")[0] is not None
    damage(out / "c/0/0/0")
    with pytest.raises(ValueError, match=r"1 chunks are not as part 1/2 has written them.*remove x\.zarr and compute its parts again"):
        done(model, cube, out, "1/2")


@pytest.mark.parametrize("damage", CHUNK_DAMAGES.values(), ids=CHUNK_DAMAGES)
def test_a_damaged_chunk_of_the_record_is_said(halves, damage, tmp_path):
    cube, model, half, _ = halves
    out = tmp_path / "x.zarr"
    shutil.copytree(half, out)
    damage(out / "parts/codes.zarr/c/0/0")
    with pytest.raises(ValueError, match=r"codes\.zarr is damaged or not there .*; remove x\.zarr and compute its parts again"):
        done(model, cube, out, "2/2")


def test_a_part_that_lost_power_starts_again_where_its_chunks_are_empty_files(halves, tmp_path):
    cube, model, half, whole = halves
    out = tmp_path / "x.zarr"
    shutil.copytree(half, out)
    DAMAGES["empty"](out / "c/0/0/0")
    PartRecord(out, 2).keep(1, State(1, 2))
    done(model, cube, out, "2/2")
    np.testing.assert_array_equal(done(model, cube, out, "1/2")[0].result.numpy(), whole)


def test_preprocessing_computes_a_part_again_whose_chunk_was_cut(tmp_path):
    source, chain, out = scene(tmp_path / "x.zarr"), tmp_path / "steps.yml", tmp_path / "y.zarr"
    chain.write_text("- {kind: savitzky_golay, window: 5}\n")
    assert command("preprocess", chain, source, "-o", out, "--part", "1/2").exit_code == 0
    DAMAGES["truncated"](out / "c/0/0/0")
    assert "repeat the command" in command("preprocess", chain, source, "-o", out, "--part", "2/2").output
    assert command("preprocess", chain, source, "-o", out, "--part", "1/2").exit_code == 0
    assert command("preprocess", chain, source, "-o", tmp_path / "whole.zarr").exit_code == 0
    np.testing.assert_array_equal(read(out).numpy(), read(tmp_path / "whole.zarr").numpy())


@pytest.mark.parametrize("state", [{"done": "x"}, {"done": -1, "total": 1}, {"done": 2, "total": 1}, {"done": True}, {"finished": 1},
                                   {"done": 0, "total": 3, "finished": True}, {"notes": "x"}, {"notes": [1]}, {"more": 1}])  # fmt: skip
def test_an_impossible_state_of_a_part_is_computed_again(halves, state):
    _, _, half, _ = halves
    record = PartRecord(half, 2)
    (record.folder / "part-000002.json").write_text(json.dumps(state))
    assert record.state(2) == State()
    assert record.progress().done == 1000  # per mille of each part
