"""Choice of the device and its precision."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from napari_spectrai.experiment.network_spec import NetworkSpec
from napari_spectrai.experiment.training import Training


def choose_device(wanted: str = "auto") -> torch.device:
    """Return the requested device, or the best available one.

    Raises
    ------
    ValueError
        If it is not available.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(wanted):
        raise ValueError(
            f"device {wanted!r} is not available on this machine; choose {', '.join(d for d, there in present.items() if there)} or auto"
        )
    return torch.device(wanted)


def is_fast_at_bf16(device: torch.device) -> bool:
    """Whether the hardware supports bf16 natively: AMX or AVX512-BF16 processors, Ampere and later GPUs."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    return False


_LAUNCHED = (
    "WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE",
    "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_FSDP", "ACCELERATE_USE_MEGATRON_LM",
)  # fmt: skip
"""Environment variables from which Accelerate concludes that there are several processes."""

_NO_MEMORY = ("not enough memory", "can't allocate memory", "cannot allocate memory", "out of memory", "failed to allocate")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: each device has its own, and on a CPU it is a `RuntimeError` like any other."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_MEMORY)


def choose_precision(training: Training, device: torch.device, network: NetworkSpec) -> str:
    """Return ``"bf16"`` or ``"fp32"``; fully connected networks are small and keep fp32 unless bf16 is requested.

    On the CPU, torch 2.13 computes wrong gradients in bf16 for the weights of 3-D convolutions, and of strided ones, if a side becomes
    very short; networks with such convolutions keep fp32 there.
    """
    if training.precision != "auto":
        return training.precision
    risky = device.type == "cpu" and (network.strided or network.dimensionality == 3)
    return "bf16" if network.convolutional and not risky and is_fast_at_bf16(device) else "fp32"


@contextmanager
def environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables in this context; None: unset."""
    before = {name: os.environ.get(name) for name in changes}

    def apply(values: Mapping[str, str | None]) -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    apply(changes)
    try:
        yield
    finally:
        apply(before)


def accelerator(device: torch.device, precision: str) -> Accelerator:
    """Return Accelerate's objects for one training in this process: device placement, autocast, backward.

    Processes that train together are connected by `learn.parallel`: the gradients are those of a loss over the whole batch, where
    Accelerate's would be means of the processes' own losses.
    """
    # Accelerate keeps device and precision for the lifetime of the process; a script may train twice with different ones
    AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
    with environment(dict.fromkeys(_LAUNCHED)):
        return Accelerator(cpu=device.type == "cpu", mixed_precision="bf16" if precision == "bf16" else "no")
