"""Choice of the device and its precision."""

from __future__ import annotations

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


def accelerator(device: torch.device, precision: str) -> Accelerator:
    """Return Accelerate's objects for one training: device placement, autocast, backward.

    Raises
    ------
    RuntimeError
        Under a distributed launcher: several processes for one run folder are not supported yet.
    """
    # Accelerate keeps device and precision for the lifetime of the process; a script may train twice with different ones
    AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
    made = Accelerator(cpu=device.type == "cpu", mixed_precision="bf16" if precision == "bf16" else "no")
    if made.num_processes > 1:
        raise RuntimeError(f"{made.num_processes} processes were started for one run; distributed training is not supported, start one")
    return made
