"""How the processes of a training find one another: started by a launcher, or by process 0 itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]  # documented, but not listed for type checkers
from torch.distributed.rendezvous import rendezvous

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.device import choose_device, environment
from napari_spectrai.learn.parallel.group import ALONE, Order, ProcessGroup, ProcessLostError
from napari_spectrai.learn.stages import Say
from napari_spectrai.runs import RunFolder
from napari_spectrai.runs.launcher import Rank, rank_here, rendezvous_variables
from napari_spectrai.runs.workers import TIED, processors, share_of_processors

JOIN_SECONDS = 600.0
"""Seconds within which all processes have to be there."""
GRACE = 20.0
"""Seconds that processes get to end."""
LOGS = "processes"
"""Folder in the run folder with the output of the processes that process 0 has started."""
_PATIENCE = timedelta(days=30)
"""How long a process waits for another: a training may be paused. A process that ends is noticed at once."""
_LOOK = 0.05
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}


def count_of_devices(experiment: Experiment) -> int:
    """Return the number of processes that `training.devices` asks for.

    Raises
    ------
    ValueError
        If there are fewer devices, or the training cannot be divided, with the remedy.
    """
    training = experiment.training
    device = choose_device(training.device)
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if training.devices == "auto":
        return 1 if experiment.network.classical else max(1, min(there, training.batch))
    wanted = int(training.devices)
    if wanted > there and device.type != "cpu":
        remedy = f"training.devices={there}" if device.type == "mps" else f"training.devices={there}, or training.device=cpu"
        raise ValueError(f"training.devices={wanted}, but this machine has {there} GPU{'s' if there > 1 else ''}; set {remedy}")
    return wanted


def refuse_indivisible(experiment: Experiment, count: int, *, single: bool) -> None:
    """Refuse several processes for a training that one process computes, or with fewer samples a step than processes.

    Raises
    ------
    ValueError
    """
    if count == 1:
        return
    if single:
        raise ValueError(
            f"{count} processes for {experiment.network.title or experiment.network.kind}: classical methods, the automatic choice and "
            "cross-validation are computed by one process; set training.devices=1 and start one process, or choose a network"
        )
    if experiment.training.batch < count:
        raise ValueError(
            f"training.batch={experiment.training.batch} cannot be divided among {count} processes; set training.batch={count} or more"
        )


@dataclass(slots=True)
class Started:
    """Processes that process 0 has started on its machine."""

    logs: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, folder: RunFolder, size: int, port: int) -> None:
        """Start processes 1 … `size` - 1; they end when this one does."""
        self.logs.mkdir(exist_ok=True)
        for number in range(1, size):
            meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            variables = share_of_processors(os.environ, size) | rendezvous_variables(Rank(number, size, number, size), meeting)
            variables |= {TIED: "1", "PYTHONUNBUFFERED": "1", **_near()}
            with (self.logs / f"{number}.txt").open("wb") as log:
                self.processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "napari_spectrai", "train", str(folder.path)],
                        stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=variables,
                    )
                )  # fmt: skip

    def lost(self) -> str:
        """Return which process has ended without being asked to, and how; empty if none has."""
        for number, process in enumerate(self.processes, 1):
            code = process.poll()
            if code:
                how = f"was killed (signal {-code})" if code < 0 else f"ended with exit code {code}{self._message(number)}"
                return f"process {number} {how}"
        return ""

    def wait_for_the_lost(self) -> str:
        """Return which process was lost, where one is known to be: its exit may be reported a moment after its connection is closed."""
        until = time.monotonic() + 2
        while self.processes and not self.lost() and time.monotonic() < until:
            time.sleep(_LOOK)
        return self.lost()

    def _message(self, number: int) -> str:
        lines = (self.logs / f"{number}.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = [line.removeprefix("error:").strip() for line in lines if line.startswith("error:")] or lines[-1:]
        return f" ({said[-1]})" if said else ""

    def end(self) -> None:
        """Wait until they have ended, as they were asked to; end those that have not."""
        for process in self.processes:
            if process.stdin is not None:
                process.stdin.close()
        until = time.monotonic() + GRACE
        for process in self.processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _near() -> dict[str, str]:
    """Return the variable that keeps the connections of processes on one machine within it."""
    known = sys.platform in _LOOPBACK and "GLOO_SOCKET_IFNAME" not in os.environ
    return {"GLOO_SOCKET_IFNAME": _LOOPBACK[sys.platform]} if known else {}


class Joining:
    """The processes of one training: those that a launcher has started, or that this one starts.

    Parameters
    ----------
    folder : RunFolder
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.group = ALONE
        self._started = Started(folder.path / LOGS)
        self._threads = torch.get_num_threads()

    def join(self, size: int, say: Say) -> ProcessGroup:
        """Return the group once all processes are there; with `size` of 1 that of this process alone."""
        rank = rank_here()
        if rank.size == 1 and size == 1:
            return ALONE
        if rank.size > 1:
            self.group = joined(rank)
            return self.group
        store = TCPStore("127.0.0.1", 0, size, is_master=True, wait_for_workers=False)
        self._started.start(self.folder, size, store.port)
        torch.set_num_threads(max(1, min(self._threads, processors() // size)))
        with environment(_near()):
            _meet(store, Rank(0, size, 0, size), self._started, say)
        self.group = ProcessGroup(Rank(0, size, 0, size), self._started.wait_for_the_lost)
        return self.group

    def dismiss(self) -> None:
        """Send the other processes home: they wait for an order."""
        try:
            self.group.announce(Order.END)
        except ProcessLostError:  # they are gone
            self.abandon()

    def abandon(self) -> None:
        """Leave the other processes, which may be in the middle of a step: they end when the connection does."""
        if self.group.size > 1:
            dist.destroy_process_group()

    def end(self) -> None:
        """Wait for the processes that were started here."""
        if self._started.processes:
            self._started.end()
            if dist.is_initialized():
                dist.destroy_process_group()
            torch.set_num_threads(self._threads)


@contextmanager
def joining(folder: RunFolder) -> Iterator[Joining]:
    """Yield a training's means to have several processes; at its end they are dismissed, or left after an error within a step."""
    found = Joining(folder)
    try:
        yield found
    except BaseException:
        if found.group.busy:
            found.abandon()
        else:
            found.dismiss()
        raise
    else:
        found.dismiss()
    finally:
        found.end()


def joined(rank: Rank) -> ProcessGroup:
    """Return the group that a launcher has made, once all processes are there."""
    if not dist.is_initialized():
        with environment(rendezvous_variables(rank)):
            store, _, _ = next(iter(rendezvous("env://", rank.number, rank.size, timeout=timedelta(seconds=JOIN_SECONDS))))
            _meet(store, rank)
    return ProcessGroup(rank)


def _meet(store: Any, rank: Rank, started: Started | None = None, say: Say | None = None) -> None:
    """Wait until all processes are there, and connect them.

    Raises
    ------
    ProcessLostError
        If one ends before, or does not come.
    """
    store.set(f"here {rank.number}", "1")
    until = time.monotonic() + JOIN_SECONDS
    missing = list(range(rank.size))
    while missing := [number for number in missing if not store.check([f"here {number}"])]:
        if say is not None:
            say(f"Starting {rank.size} processes", rank.size - len(missing), rank.size)
        lost = "" if started is None else started.lost()
        if lost:
            raise ProcessLostError(f"this training could not be started on {rank.size} devices: {lost}")
        if time.monotonic() > until:
            raise ProcessLostError(
                f"of {rank.size} processes, {', '.join(map(str, missing))} did not come within {JOIN_SECONDS:.0f} s; start all of them at "
                "the same time, with the same MASTER_ADDR and MASTER_PORT, which has to be reachable from each"
            )
        time.sleep(_LOOK)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=PrefixStore("training", store), rank=rank.number, world_size=rank.size, timeout=_PATIENCE)


def take_device(rank: Rank, wanted: str) -> None:
    """Let this process compute on its own GPU, if the training uses GPUs.

    Raises
    ------
    ValueError
        If there are fewer GPUs than processes on this machine.
    """
    if rank.size == 1 or choose_device(wanted).type != "cuda":
        return
    there = torch.cuda.device_count()
    if rank.local >= there:
        raise ValueError(
            f"process {rank.number} is number {rank.local + 1} on its machine, which has {there} GPU{'s' if there > 1 else ''}; start "
            f"{there} process{'es' if there > 1 else ''} a machine, or set training.device=cpu"
        )
    torch.cuda.set_device(rank.local)
