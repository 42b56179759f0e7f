"""The place of this process among those of one training, as `torchrun`, `accelerate launch` or SLURM give it in the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

PORTS = 15_000, 20_000
"""First port, and number of ports, from which the number of a SLURM job chooses one where no MASTER_PORT is set."""


@dataclass(frozen=True, slots=True)
class Rank:
    """Number of a process among those of one training.

    Attributes
    ----------
    number, size : int
        Its number from 0, and how many there are. Process 0 leads: it alone writes files.
    local, nearby : int
        The same among the processes on its machine.
    """

    number: int = 0
    size: int = 1
    local: int = 0
    nearby: int = 1


def rank_here(environment: Mapping[str, str] = os.environ) -> Rank:
    """Return the place of this process; of one that no launcher has started, that of a single one.

    The tasks of a step of SLURM form one training where ``MASTER_ADDR`` is set; otherwise each is a training of its own.

    Raises
    ------
    ValueError
        If the variables contradict one another.
    """
    if environment.get("MASTER_ADDR") and _number(environment, "SLURM_STEP_NUM_TASKS", 1) > 1 and "RANK" not in environment:
        size = _number(environment, "SLURM_STEP_NUM_TASKS", 1)
        tasks = re.match(r"\d+", environment.get("SLURM_STEP_TASKS_PER_NODE", ""))
        nearby = int(tasks[0]) if tasks else 1
        found = Rank(_number(environment, "SLURM_PROCID", 0), size, _number(environment, "SLURM_LOCALID", 0), nearby)
    else:
        size = _number(environment, "WORLD_SIZE", 1)
        if size == 1:
            return Rank()
        if "RANK" not in environment or not environment.get("MASTER_ADDR"):
            raise ValueError(
                f"WORLD_SIZE={size} announces {size} processes of one training, but RANK or MASTER_ADDR is not set; start it with "
                "torchrun or accelerate launch, or unset WORLD_SIZE"
            )
        found = Rank(
            _number(environment, "RANK", 0), size, _number(environment, "LOCAL_RANK", 0), _number(environment, "LOCAL_WORLD_SIZE", 1)
        )
    if not 0 <= found.number < found.size:
        raise ValueError(f"process {found.number} of {found.size}: processes are numbered from 0 to {found.size - 1}")
    return found


def rendezvous_variables(rank: Rank, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables from which torch knows where the processes meet."""
    first, count = PORTS
    port = environment.get("MASTER_PORT") or str(first + _number(environment, "SLURM_JOB_ID", 0) % count)
    place = {"RANK": rank.number, "WORLD_SIZE": rank.size, "LOCAL_RANK": rank.local, "LOCAL_WORLD_SIZE": rank.nearby}
    return {name: str(value) for name, value in place.items()} | {"MASTER_ADDR": environment["MASTER_ADDR"], "MASTER_PORT": port}


def _number(environment: Mapping[str, str], name: str, otherwise: int) -> int:
    text = environment.get(name, "")
    if not text:
        return otherwise
    if not text.isdigit():
        raise ValueError(f"the environment variable {name} is {text!r}, not a number; unset it, or start the training with torchrun")
    return int(text)
