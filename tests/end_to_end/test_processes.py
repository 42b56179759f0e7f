"""Runs in processes of their own: launch, pause, stop, kill, resume, and the command line."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import chdir, suppress
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment, Model, Run, launch, predict, read, write
from napari_spectrai.cli import app
from napari_spectrai.io.labels import write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.runs import Epoch, Failed, Finished, Paused, RunFolder, Started, prepare_prediction
from napari_spectrai.runs.job import Job

LONG = ("training.epochs=100000", "training.schedule=constant")


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "napari_spectrai", *map(str, arguments)], capture_output=True, text=True, timeout=900, check=False, **options
    )


def here(*arguments, cwd):
    """Run a command in this process, where its libraries are loaded already."""
    with chdir(cwd):
        return CliRunner().invoke(app, [str(one) for one in arguments])


def until(condition, seconds=900.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def test_a_process_that_ended_with_an_error_reports_it(tmp_path):
    folder = RunFolder(tmp_path)
    for before, printed, reported in (
        (b"", b"predicting\nerror: x.h5: no such file\n", "x.h5: no such file"),
        (b"error: of an earlier process\n", b"epoch 3\n", "The process ended with exit code 1 without reporting why"),
        (b"", b"error: one\nTraceback (most recent call last):\n", "The process ended with exit code 1 without reporting why"),
    ):
        folder.log.write_bytes(before + printed)
        job = Job(folder)
        job._logged, job._worker = len(before), SimpleNamespace(poll=lambda: 1, wait=lambda _: 1)
        (failed,) = job.poll()
        assert failed.message.startswith(reported)
    shutil.rmtree(tmp_path)
    job = Job(folder)
    job._worker = SimpleNamespace(poll=lambda: 1, wait=lambda _: 1)
    assert "was moved or removed" in job.poll()[0].message


def test_launch_pause_resume_stop_resume(pairs, quick, tmp_path):
    run = launch(quick(*LONG), *pairs, run=tmp_path / "run")
    seen = []

    def told(kind, **values):
        seen.extend(run.poll())
        return any(isinstance(e, kind) and all(getattr(e, k) == v for k, v in values.items()) for e in seen)

    until(lambda: told(Epoch, epoch=3))
    assert run.folder.state() == "running"
    run.pause()
    until(lambda: told(Paused, paused=True))
    run.resume()
    until(lambda: told(Paused, paused=False))
    paused, resumed = (next(n for n, e in enumerate(seen) if isinstance(e, Paused) and e.paused is state) for state in (True, False))
    assert not any(isinstance(e, Epoch) for e in seen[paused:resumed])
    run.stop()
    assert run.wait() == 3
    until(lambda: told(Finished, reason="stopped"))
    assert run.folder.state() == "stopped"
    last = max(e.epoch for e in seen if isinstance(e, Epoch))
    seen.clear()
    run.resume()
    until(lambda: any(isinstance(e, Epoch) and e.epoch > last for e in seen) or told(Failed))
    assert not any(isinstance(e, Failed) for e in seen)
    run.stop()
    epochs = [e.epoch for e in run.folder.events() if isinstance(e, Epoch)]
    assert epochs == list(range(1, len(epochs) + 1))
    assert isinstance(run.model(), Model)


def test_killed_at_a_random_moment_and_resumed_as_if_never(pairs, quick, tmp_path):
    experiment = quick("training.epochs=150", "augmentation=[noise]", "network.dropout=0.1")
    whole = launch(experiment, *pairs, run=tmp_path / "whole")
    assert whole.wait() == 0
    cut = launch(experiment, *pairs, run=tmp_path / "cut")
    until(lambda: any(isinstance(e, Epoch) for e in cut.poll()))
    time.sleep(random.uniform(0, 2))
    with suppress(ProcessLookupError):  # it may have been quicker
        os.kill(cut.pid, signal.SIGKILL)
    cut.wait()
    if cut.folder.state() == "interrupted":
        (failed,) = [e for e in cut.poll() if isinstance(e, Failed)]
        assert "killed (signal 9)" in failed.message
        cut.resume()
        assert cut.wait() == 0
    whole.close(), cut.close()
    curves = [[(e.epoch, e.validation) for e in run.folder.events() if isinstance(e, Epoch)] for run in (whole, cut)]
    assert curves[0] == curves[1]
    ends = [list(run.folder.events())[-1] for run in (whole, cut)]
    assert ends[0].scores == ends[1].scores
    assert not whole.folder.data.exists()


def test_the_job_ends_when_its_starter_is_killed(tmp_path, pairs, quick):
    for cube, name in zip(pairs, ("in", "out"), strict=True):
        write(cube, tmp_path / f"{name}.npz")
    quick(*LONG, f"data.input=[{tmp_path}/in.npz]", f"data.truth=[{tmp_path}/out.npz]").save(tmp_path / "e.yml")
    code = f"""
import sys
from napari_spectrai import Experiment, launch
run = launch(Experiment.load({str(tmp_path / "e.yml")!r}), run={str(tmp_path / "run")!r})
print(run.pid, flush=True)
sys.stdin.read()
"""
    starter = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    job = psutil.Process(int(starter.stdout.readline()))
    folder = RunFolder(tmp_path / "run")
    until(lambda: any(isinstance(e, Epoch) for e in folder.events()))
    starter.kill()
    starter.wait()
    starter.stdin.close()
    starter.stdout.close()
    until(lambda: not job.is_running() or job.status() == psutil.STATUS_ZOMBIE)
    assert folder.state() == "stopped"
    Model.load(folder.best)
    assert not list((tmp_path / "run").rglob("*.partial*"))


def test_a_detached_job_outlives_its_starter_and_obeys_whoever_attaches(tmp_path, pairs, quick):
    for cube, name in zip(pairs, ("in", "out"), strict=True):
        write(cube, tmp_path / f"{name}.npz")
    quick(*LONG, f"data.input=[{tmp_path}/in.npz]", f"data.truth=[{tmp_path}/out.npz]").save(tmp_path / "e.yml")
    code = f"""
import os
from napari_spectrai import Experiment, launch
run = launch(Experiment.load({str(tmp_path / "e.yml")!r}), run={str(tmp_path / "run")!r})
run.detach()
print(run.pid, flush=True)
os._exit(0)  # at once, long before the job has looked at its pipe
"""
    starter = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    job = psutil.Process(int(starter.stdout))
    try:
        folder = RunFolder(tmp_path / "run")
        until(lambda: any(isinstance(e, Epoch) for e in folder.events()))
        first, second = Run.attach(folder), Run.attach(folder.path)
        assert first.alive
        assert first.pid == second.pid == job.pid
        assert not first.tied
        first.pause()
        seen = []
        until(lambda: seen.extend(second.poll()) or Paused(True) in seen)
        second.resume()  # it goes on; it is not started again
        until(lambda: seen.extend(second.poll()) or Paused(False) in seen)
        first.close()
        assert next(e.epoch for e in seen if isinstance(e, Epoch)) == 1
        first.stop()
        assert first.wait(900) == second.wait(900) == 3
        *_, last = second.events()
        assert isinstance(last, Finished)
        assert last.reason == "stopped"
    finally:
        if job.is_running():
            job.kill()


def test_a_long_journal_is_taken_up_bit_by_bit(tmp_path):
    folder = RunFolder.create(Experiment(), tmp_path / "run")
    for number in range(500):
        folder.append(Failed("x" * (number % 7)))
    run, found = Run.attach(folder), []
    while len(part := run.poll(1000)) > 0:
        assert run.behind == (len(found) + len(part) < 500)
        found += part
    assert found == list(folder.events())


def test_an_attached_run_that_does_not_listen_is_ended(pairs, quick, tmp_path):
    run = launch(quick(*LONG), *pairs, run=tmp_path / "run")
    until(run.folder.checkpoint.exists)
    os.kill(run.pid, signal.SIGSTOP)
    attached = Run.attach(tmp_path / "run")
    attached.stop(grace=0.2)
    assert run.wait(900) == -signal.SIGKILL
    run.close()
    *_, last = attached.events()
    assert isinstance(last, Finished)
    assert last.reason == "stopped"
    assert "can be resumed" in last.notes[0]
    assert attached.wait() == 1  # its process was killed
    attached.resume()  # a new process, of its own
    until(lambda: sum(isinstance(e, Started) for e in attached.folder.events()) == 2)
    assert attached.tied
    assert attached.poll()
    attached.stop()


def test_a_session_with_other_work_is_not_ended(tmp_path):
    folder = RunFolder.create(Experiment(), tmp_path / "run")
    folder.claim()
    attached = Run.attach(folder)
    with pytest.raises(RuntimeError, match="does more than this run"):
        attached.stop(grace=0.05)
    assert folder.command() == "stop"
    folder.release()
    assert not attached.alive


def test_two_processes_do_not_work_in_one_folder(pairs, quick, tmp_path):
    run = launch(quick(*LONG), *pairs, run=tmp_path / "run")
    until(lambda: any(isinstance(e, Epoch) for e in run.poll()))
    second = command("train", tmp_path / "run", "--resume")
    assert second.returncode == 1
    assert "already working" in second.stderr
    run.stop()
    assert run.folder.state() == "stopped"


def test_a_failure_is_reported_with_its_cause(pairs, quick, tmp_path):
    noisy, clean = pairs
    noisy.data[:, 3] = np.nan
    run = launch(quick(), noisy, clean, run=tmp_path / "run")
    *_, last = run.events()
    assert isinstance(last, Failed)
    assert "missing everywhere (3)" in last.message
    assert run.wait() == 1
    run.close()


def test_a_forced_stop_works_before_training_has_started(pairs, quick, tmp_path):
    run = launch(quick(*LONG), *pairs, run=tmp_path / "run")
    run.stop(grace=0.1)
    assert not run.alive


def test_a_prediction_in_a_process_is_that_of_python(pairs, quick, tmp_path):
    from napari_spectrai import train

    model = train(quick("training.epochs=1"), *pairs, run=tmp_path / "run")
    job = prepare_prediction(tmp_path / "run" / "best.safetensors", pairs[0], folder=tmp_path / "job")
    job.start()
    *_, last = job.events()
    job.close()
    said = ["All spectra lie within the range of the training data (dissimilarity up to 1)."]
    assert last == Finished("done", model=str(tmp_path / "run" / "best.safetensors"), notes=said)
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "job" / "result.zarr").data), predict(model, pairs[0]).result.data)


# ---------------------------------------------------------------- the command line


@pytest.fixture
def files(pairs, quick, tmp_path):
    for cube, name in zip(pairs, ("in", "out"), strict=True):
        write(cube, tmp_path / f"{name}.npz")
    quick("training.epochs=2", "data.input=[in.npz]", "data.truth=[out.npz]").save(tmp_path / "e.yml")
    return tmp_path


def test_the_command_line_trains_predicts_evaluates_and_describes_files(files):
    done = command("train", "e.yml", "training.epochs=3", "--run", "run", cwd=files)
    assert done.returncode == 0, done.stderr
    assert "Denoising" in done.stdout
    assert RunFolder(files / "run").experiment().training.epochs == 3
    done = here("predict", "run/best.safetensors", "in.npz", "-o", "res.npz", cwd=files)
    assert done.exit_code == 0, done.stderr
    assert read(files / "res.npz").axis == read(files / "in.npz").axis
    done = here("evaluate", "res.npz", "out.npz", "--csv", "t.csv", cwd=files)
    assert done.exit_code == 0, done.stderr
    assert "MSE" in done.stdout
    assert (files / "t.csv").exists()
    for name, words in (("run/best.safetensors", "Network"), ("in.npz", "40 bands"), ("e.yml", "epochs: 2"), ("run", "run, finished")):
        done = here("info", name, cwd=files)
        assert done.exit_code == 0, done.stderr
        assert words in done.stdout


def test_the_command_line_applies_steps_to_a_file(files):
    (files / "steps.yml").write_text("- {kind: crop, low: 700, high: 1500}\n- normalise\n")
    done = here("preprocess", "steps.yml", "in.npz", "-o", "p.h5", cwd=files)
    assert done.exit_code == 0, done.stderr
    assert read(files / "p.h5").axis.values.min() >= 700


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "none.yml"], 2, "none.yml"),
        (["train", "e.yml", "training.epochs=0"], 2, "training.epochs"),
        (["train", "e.yml", "training.epoch=1"], 2, "did you mean training.epochs"),
        (["train"], 2, "Missing argument"),
        (["predict", "in.npz", "in.npz", "-o", "x.npz"], 1, "in.npz"),
        (["info", "none.npz"], 2, "no such file"),
        (["evaluate", "in.npz", "out.npz", "--task", "cooking"], 2, "denoising"),
        (["train", "run-that-is-not", "--resume"], 2, "run-that-is-not"),
    ],
)
def test_a_failing_command_says_why_with_its_exit_code_and_no_traceback(files, arguments, code, words):
    done = command(*arguments, cwd=files)
    assert done.returncode == code, done.stderr
    assert words.split("training.")[-1] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_training_that_a_signal_stops_can_be_resumed(files, which):
    with (files / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "napari_spectrai", "train", "e.yml", *LONG, "--run", "run"], cwd=files, stderr=log, stdout=log,
            preexec_fn=lambda: signal.signal(which, signal.SIG_DFL),  # noqa: PLW1509  # under nohup it is inherited as ignored
        )  # fmt: skip
    folder = RunFolder(files / "run")
    until(lambda: any(isinstance(e, Epoch) for e in folder.events()))
    process.send_signal(which)
    assert process.wait(900) == 3
    assert folder.state() == "stopped"
    assert "--resume" in (files / "log").read_text()
    run = Run(folder)
    run.resume()
    until(lambda: sum(isinstance(e, Started) for e in folder.events()) == 2 or not run.alive)
    run.stop()
    assert run.wait() == 3


def test_nothing_is_overwritten_and_no_folder_made_without_consent(tmp_path, pairs):
    write(pairs[0], tmp_path / "a.npz")
    write(pairs[1], tmp_path / "b.npz")
    (tmp_path / "steps.yml").write_text("- kind: normalise\n")
    taken = tmp_path / "taken.npz"
    commands = {
        "predict": ("predict", "wavelet", "a.npz", "-o"), "preprocess": ("preprocess", "steps.yml", "a.npz", "-o"),
        "csv": ("evaluate", "a.npz", "b.npz", "--csv"), "html": ("evaluate", "a.npz", "b.npz", "--html"),
    }  # fmt: skip
    for name, arguments in commands.items():
        place = taken.with_suffix({"csv": ".csv", "html": ".html"}.get(name, ".npz"))
        place.write_text("precious")
        done = here(*arguments, place, cwd=tmp_path)
        assert (done.exit_code, place.read_text()) == (2, "precious"), done.stderr
        assert f"{place.name} exists; add --overwrite" in done.stderr
        done = here(*arguments, tmp_path / "none" / place.name, cwd=tmp_path)
        assert done.exit_code == 2
        assert "no such folder" in done.stderr
        assert not (tmp_path / "none").exists()
    assert here(*commands["preprocess"], taken, "--overwrite", cwd=tmp_path).exit_code == 0
    assert read(taken).shape == pairs[0].shape


@pytest.mark.parametrize("arguments", [
    ("predict", "wavelet", "none.npz", "-o", "x.npz"), ("predict", "none.safetensors", "a.npz", "-o", "x.npz"), ("info", "none"),
    ("evaluate", "none.npz", "a.npz"), ("report", "none"), ("train", "none.yml"), ("preprocess", "none.yml", "a.npz", "-o", "x.npz"),
])  # fmt: skip
def test_a_missing_file_is_wrong_use_in_every_command(arguments, tmp_path, pairs):
    write(pairs[0], tmp_path / "a.npz")
    done = here(*arguments, cwd=tmp_path)
    assert done.exit_code == 2, done.stderr
    assert "none" in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_the_version_is_printed_and_a_deleted_working_directory_reported(tmp_path):
    assert command("--version").stdout.startswith("napari-spectrai ")
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        f"import os, sys; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); sys.argv = ['x', 'info', 'a.npz']; "
        "from napari_spectrai.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "does not exist any more; change into another one" in done.stderr
    assert "Traceback" not in done.stderr


def test_classes_from_the_command_line(tmp_path):
    rng = np.random.default_rng(0)
    classes = np.repeat([1, 2, 3], 8)[None].repeat(24, 0)
    scene = Cube((np.eye(4, 12)[classes] * 2 + rng.normal(0, 0.2, (24, 24, 12))).astype(np.float32))
    write(scene, tmp_path / "scene.h5")
    write_labels(Labels(classes, {1: "fat", 2: "water", 3: "bone"}), tmp_path / "truth.npz")
    write_labels(Labels(classes), tmp_path / "truth.png")
    (tmp_path / "seg.yml").write_text(
        "task: segmentation\ndata: {input: [scene.h5], truth: [truth.npz]}\nnetwork: logistic_regression\n"
        "preparation: [scale]\nsplit: {block: 4, validation: 0.2}\n"
    )
    trained = here("train", "seg.yml", "--run", "run", cwd=tmp_path)
    assert trained.exit_code == 0, trained.stderr
    assert "fat, water, bone" in trained.stdout
    for output in ("classes.tif", "classes.csv"):
        done = here("predict", "run/best.safetensors", "scene.h5", "-o", output, cwd=tmp_path)
        assert done.exit_code == 0, done.stderr
    lines = (tmp_path / "classes.csv").read_text().splitlines()
    assert lines[0] == "y,x,label,class,p(fat),p(water),p(bone)"
    assert lines[1].startswith("0,0,1,fat,")
    assert len(lines) == 1 + 24 * 24
    assert read(tmp_path / "classes-probabilities.zarr").shape == (24, 24, 3)
    judged = here("evaluate", "classes.tif", "truth.png", "--task", "segmentation", "--csv", "report.csv", cwd=tmp_path)
    assert judged.exit_code == 0, judged.stderr
    assert "Kappa" in judged.stdout
    assert "support" in (tmp_path / "report.csv").read_text()
    refused = here("predict", "run/best.safetensors", "scene.h5", "-o", "classes.h5", cwd=tmp_path)
    assert refused.exit_code == 2
    assert "classes cannot be written in this format" in refused.stderr
    assert here("predict", "bicubic", "scene.h5", "-o", "large.npz", "--factor", "3", cwd=tmp_path).exit_code == 0
    assert read(tmp_path / "large.npz").shape == (72, 72, 12)


def test_labels_are_handed_over_to_another_process(tmp_path):
    rng = np.random.default_rng(0)
    names = ["cell", "medium"] * 40
    cube = Cube((rng.normal(0, 0.2, (80, 10)) + np.eye(2, 10)[np.arange(80) % 2] * 3).astype(np.float32))
    experiment = Experiment.default("classification", cube, names).override("network=pca_lda")
    run = launch(experiment, cube, names, run=tmp_path / "run")
    assert run.wait(900) == 0, run.folder.log.read_text()
    model = run.model()
    assert [one.name for one in model.card().classes] == ["cell", "medium"]
    assert not run.folder.data.exists()
    run.close()


@pytest.mark.parametrize("stop", ["close", "detach"])
def test_nothing_stays_of_a_job_that_nobody_follows(tmp_path, monkeypatch, stop):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cube = Cube(np.random.default_rng(0).random((40, 40, 20), np.float32))
    job = prepare_prediction("savitzky_golay", cube)
    assert job.folder.path.parent == tmp_path
    job.start()
    getattr(job, stop)()
    job.wait(900)
    assert not job.folder.path.exists()
    with pytest.raises(ValueError, match="holds no values"):
        prepare_prediction("savitzky_golay", np.zeros((0, 3, 4)))
    assert not list(tmp_path.iterdir())
