"""Training by several processes: the losses of one, one writer, pause, stop, a process that is killed, two machines."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest
import torch

from napari_spectrai import fit, write
from napari_spectrai.learn.parallel.group import ProcessGroup
from napari_spectrai.learn.parallel.joining import count_of_devices, refuse_indivisible
from napari_spectrai.runs import Epoch, Failed, Finished, Paused, RunFolder, Started
from napari_spectrai.runs.launcher import Rank, rank_here, rendezvous_variables

UNET = (
    "network=unet", "network.dims=2", "network.width=8", "network.depth=2", "network.norm=batch", "data.patch=8", "training.batch=7",
    "training.schedule=plateau", "training.precision=fp32", "augmentation=[flip, mixup]", "split.beside=false",
)  # fmt: skip
"""Batch normalisation, batches that two processes do not share evenly, random numbers, and a schedule that follows the scores."""


@pytest.fixture(scope="module")
def alone(request, tmp_path_factory):
    """Return the epochs of one process."""
    known = {}

    def epochs(experiment, pairs):
        if not known:
            run = tmp_path_factory.mktemp("alone") / "run"
            known.update({event.epoch: event for event in fit(experiment, *pairs, run=run) if isinstance(event, Epoch)})
        return known

    return epochs


def same(found, expected):
    assert found
    for event in found:
        one = expected[event.epoch]
        assert event.training == pytest.approx(one.training, rel=1e-5)
        assert event.validation == pytest.approx(one.validation, rel=1e-5)
        assert event.metrics == pytest.approx(one.metrics, rel=1e-5)


def test_two_devices_learn_what_one_does_and_are_paused_and_stopped(image_pairs, quick, tmp_path, alone):
    experiment, run = quick(*UNET), tmp_path / "run"
    folder, seen = RunFolder(run), []
    for event in fit(experiment.override("training.devices=2"), *image_pairs, run=run):
        seen.append(event)
        if isinstance(event, Epoch) and event.epoch < 3:
            folder.say("pause" if event.epoch == 1 else "stop")
        elif event == Paused(True):
            folder.say("resume")
    assert seen[-1].reason == "stopped"
    assert [event.paused for event in seen if isinstance(event, Paused)] == [True, False]
    started = next(event for event in seen if isinstance(event, Started))
    assert "2 processes train together; each computes its share of every batch of 7." in started.notes
    epochs = [event for event in seen if isinstance(event, Epoch)]
    assert [event.epoch for event in epochs] == [1, 2]  # one writer: each of them once
    assert [event for event in folder.events() if isinstance(event, Epoch)] == epochs
    same(epochs, alone(experiment, image_pairs))


def test_two_machines_of_which_one_is_lost_and_the_other_resumes(image_pairs, quick, tmp_path, alone):
    experiment, run = quick(*UNET), tmp_path / "run"
    files = [write(cube, tmp_path / f"{name}.zarr") for name, cube in zip(("input", "truth"), image_pairs, strict=True)]
    settings = [f"data.input=[{files[0]}]", f"data.truth=[{files[1]}]", "training.epochs=4000"]
    experiment.override(*settings).save(tmp_path / "experiment.yml")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # two launchers, each with one process of its machine
    meeting = {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    command = [sys.executable, "-m", "napari_spectrai", "train", "experiment.yml", "--run", str(run)]
    machines = [
        subprocess.Popen(command, cwd=tmp_path, env=os.environ | meeting | {"RANK": str(number)}, stderr=subprocess.PIPE, text=True)
        for number in (0, 1)
    ]
    folder = RunFolder(run)
    while not any(isinstance(event, Epoch) for event in folder.events()):
        assert all(machine.poll() is None for machine in machines), [machine.communicate()[1] for machine in machines]
        time.sleep(0.1)
    machines[1].kill()
    words = machines[0].communicate()[1]
    machines[1].communicate()
    assert machines[0].returncode == 1
    last = folder.last_event()
    assert isinstance(last, Failed)
    assert "lost one of its 2 processes" in last.message
    assert "resume the run" in words.replace("\n", " ")
    folder.document.write_text(folder.document.read_text().replace("epochs: 4000", "epochs: 4"))
    ended = list(fit(run=run, resume=True))[-1]  # on one device, from the last checkpoint
    assert isinstance(ended, Finished)
    assert ended.reason == "done"
    epochs = [event for event in folder.events() if isinstance(event, Epoch)][:4]
    assert [event.epoch for event in epochs] == [1, 2, 3, 4]
    same(epochs, alone(experiment, image_pairs))


def test_places_of_launchers():
    assert rank_here({}) == Rank()
    torchrun = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node0", "MASTER_PORT": "1234"}
    assert rank_here(torchrun) == Rank(3, 4, 1, 2)
    slurm = {"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "1", "SLURM_STEP_TASKS_PER_NODE": "2(x2)"}
    assert rank_here(slurm) == Rank()  # each task is a training of its own
    slurm |= {"MASTER_ADDR": "node0", "SLURM_JOB_ID": "61234"}
    assert rank_here(slurm) == Rank(3, 4, 1, 2)
    assert rendezvous_variables(Rank(3, 4, 1, 2), slurm)["MASTER_PORT"] == "16234"
    for wrong, words in (
        ({"WORLD_SIZE": "2"}, "torchrun or accelerate launch"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two'"),
        (torchrun | {"RANK": "4"}, "numbered from 0 to 3"),
    ):
        with pytest.raises(ValueError, match=words):
            rank_here(wrong)


def test_devices_that_are_not_there_are_refused(quick, monkeypatch):
    assert count_of_devices(quick("training.devices=3")) == 3  # on the CPU, processes share its cores
    assert count_of_devices(quick("training.devices=auto")) == 1
    with pytest.raises(ValueError, match="auto"):
        quick("training.devices=all")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert count_of_devices(quick("training.device=cuda", "training.devices=auto")) == 2
    with pytest.raises(ValueError, match=r"training.devices=3, but this machine has 2 GPUs; set training.devices=2"):
        count_of_devices(quick("training.device=cuda", "training.devices=3"))
    with pytest.raises(ValueError, match="set training.batch=32 or more"):
        refuse_indivisible(quick(), 32, single=False)
    with pytest.raises(ValueError, match="computed by one process"):
        refuse_indivisible(quick("network=wavelet"), 2, single=True)


def test_a_single_process_computes_all():
    group, x = ProcessGroup(), torch.rand(5, 2)
    assert torch.equal(group.divided(lambda some: 2 * some, x), 2 * x)
    assert group.gathered("word") == ["word"]
    assert group.shared(b"word") == b"word"
