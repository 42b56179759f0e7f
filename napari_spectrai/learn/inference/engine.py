"""Networks computed the way that is fastest on this machine, which is measured on the first data, remembered and reported."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from napari_spectrai.learn.device import is_fast_at_bf16, is_out_of_memory
from napari_spectrai.learn.model import Model
from napari_spectrai.networks.inference import for_inference
from napari_spectrai.parsing import parse_yaml
from napari_spectrai.runs import measured
from napari_spectrai.spec import listed

VARIABLE = "NAPARI_SPECTRAI_INFERENCE"
"""Environment variable that fixes some or all of a `Way`, such as ``batch=64 folded=false precision=fp32``; nothing is measured then."""
BATCH = 4096
"""Number of spectra at once, for networks without convolutions and on a GPU; halved when memory runs out."""
BATCHES = (32, 16, 64, 128)
"""The same that are tried for convolutional networks on a CPU: larger ones leave its cache, in smaller ones weights are read too often."""
TIMES = 2
"""How often each way is timed; the shorter time counts, since the first one includes preparations."""
SAVED = 0.1
"""Fraction of the time that folding presumably saves, before it is measured."""
TOLERANCE = 0.005
"""Largest deviation of bfloat16 from float32, as RMS over the standard deviation of the output; above, float32 is used."""
GAIN = 1.5
"""How many times as fast as float32 bfloat16 has to be: results are less exact, and differ a little from those of other machines."""
PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True, slots=True)
class Way:
    """How a network is computed.

    Attributes
    ----------
    batch : int
        Number of spectra, or of images, at once.
    folded : bool
        Whether the network is prepared by `for_inference`.
    precision : str
        Of convolutions: ``"fp32"`` or ``"bf16"``.
    """

    batch: int
    folded: bool = True
    precision: str = "fp32"


class TooLargeError(MemoryError):
    """A single spectrum or image does not fit into memory, or a batch that was fixed does not."""


def ways(device: torch.device, *, convolutional: bool, single: bool) -> list[Way]:
    """Return the ways that are worth measuring, the network as it is first; `single`: for batches of single spectra."""
    if not convolutional:
        return [Way(BATCH, folded=False)]
    batches = BATCHES if device.type == "cpu" else (BATCH,)
    found = [Way(batch) for batch in (batches if single else (1,))]
    plain = replace(found[0], folded=False)
    return [plain, *found, replace(found[0], precision="bf16")] if is_fast_at_bf16(device) else [plain, *found]


def fixed(text: str) -> dict[str, Any]:
    """Return the settings that an environment variable fixes, as a mapping.

    Raises
    ------
    ValueError
        If it names anything else.
    """
    settings: dict[str, Any] = {}
    for pair in text.split():
        name, _, value = pair.partition("=")
        settings[name] = parse_yaml(value, VARIABLE)
    checks: dict[str, Callable[[Any], bool]] = {
        "batch": lambda value: type(value) is int and value > 0,
        "folded": lambda value: isinstance(value, bool),
        "precision": lambda value: value in PRECISIONS,
    }
    for name, value in settings.items():
        if name not in checks or not checks[name](value):
            raise ValueError(
                f"{VARIABLE}={text!r}: {name}={value} is not a setting; {listed(checks)}, such as batch=64 folded=false precision=fp32"
            )
    return settings


class Engine:
    """Computes the network of one model, the way that is fastest here.

    While ways are measured, their results are used: nothing is computed twice, except for bfloat16, which is first compared with float32.

    Parameters
    ----------
    model : Model
        Its network is on `device`, in evaluation mode apart from dropout that is to draw.
    device : torch.device
    single : bool
        Whether batches are single spectra.
    apply : callable
        Applies a network to a batch ``(N, y, x, λ)`` on the device.
    """

    def __init__(self, model: Model, device: torch.device, *, single: bool, apply: Callable[[nn.Module, Tensor], Tensor]) -> None:
        self.network, self.device, self.single, self.apply = model.network, device, single, apply
        spec = model.description.experiment.network
        self.candidates = ways(device, convolutional=spec.convolutional and not spec.classical, single=single)
        self.fixed = fixed(os.environ.get(VARIABLE, ""))
        if self.fixed:
            self.candidates = [replace(self.candidates[0], **self.fixed)]
        self.text = f"{spec.model_dump_json()} {len(model.axis)} {model.description.out}"
        self.key = ""
        self.seconds: dict[Way, list[float]] = {}
        self.chosen: Way | None = self.candidates[0] if len(self.candidates) == 1 else None
        self.most: int | None = None
        """Samples at once that memory allows, once it ran out."""
        self.said: list[str] = []
        if self.fixed:
            self.said.append(f"Computed as {VARIABLE} has it: {self._words(self.candidates[0])}.")
        self._copies: dict[str, nn.Module] = {}
        self._saves = 0.0
        """Seconds that the chosen way saves for one spectrum or pixel."""
        self._spent = 0.0
        """Seconds, or spectra and pixels once a way is chosen, that were computed with the network as it is."""

    def release(self) -> None:
        """Drop the copies of the network."""
        self._copies = {}

    def outputs(self, batch: Tensor) -> Tensor:
        """Return the outputs for a batch, float32, on the CPU.

        Raises
        ------
        TooLargeError
            If memory does not suffice for one sample.
        """
        self._recall(batch)
        parts, start = [], 0
        while start < len(batch):
            way = self._next(len(batch) - start, batch[0].numel() // batch.shape[-1])
            part = batch[start : start + way.batch]
            try:
                parts.append(self._timed(way, part))
                start += len(part)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._less(len(part), error)
        return torch.cat(parts)

    def _recall(self, batch: Tensor) -> None:
        """Recall the way that was measured for this network, shape and machine."""
        if self.chosen is not None or self.key:
            return
        shape = tuple(batch.shape[1:])
        where = (
            torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else f"{measured.processor()} {torch.get_num_threads()}"
        )
        key = f"{where} {self.device.type} {torch.__version__} {self.text} {shape} {self.candidates}"
        self.key = hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()[:16]
        known = measured.recalled(self.key)
        if isinstance(known, dict):
            self.chosen = next((way for way in self.candidates if asdict(way) == known.get("way")), None)
            self._saves = float(known.get("saves", 0.0))

    def _next(self, left: int, pixels: int) -> Way:
        """Return the way for the next samples: the chosen one, or the next to be measured for which there are enough."""
        plain = self.candidates[0]
        if self.chosen is not None:
            repaid = self._copies or not self.chosen.folded or self.fixed or (self._spent + left * pixels) * self._saves >= measured.WORTH
            way = self.chosen if repaid else plain
        else:
            waiting = [one for one in self.candidates if len(self.seconds.get(one, ())) < TIMES and one.batch <= left]
            took = min(self.seconds.get(plain, [0.0]))
            way = waiting[0] if waiting and self._spent + left * pixels * took >= measured.WORTH / SAVED else plain
        return way if self.most is None else replace(way, batch=min(way.batch, self.most))

    def _timed(self, way: Way, part: Tensor) -> Tensor:
        began = time.perf_counter()
        output = self._computed(way, part)
        count = part.numel() // part.shape[-1]
        seconds = time.perf_counter() - began
        if way == self.candidates[0]:
            self._spent += seconds if self.chosen is None else count
        if self.chosen is None and way in self.candidates and len(part) == way.batch:
            self.seconds.setdefault(way, []).append(seconds / count)
            if way.precision == "bf16":
                output = self._compared(way, part, output)
            if all(len(self.seconds.get(one, ())) >= TIMES for one in self.candidates):
                self._choose()
        return output

    def _compared(self, way: Way, part: Tensor, output: Tensor) -> Tensor:
        """Return the output in float32, and drop the way of `output` if it deviates by more than the tolerance."""
        exact = self._computed(replace(way, precision="fp32"), part)
        if not float((output - exact).square().mean().sqrt()) <= TOLERANCE * float(exact.std()):
            self.candidates.remove(way)
        return exact

    def _choose(self) -> None:
        best = {way: min(self.seconds[way]) for way in self.candidates}
        self.chosen = min(best, key=lambda way: best[way] * (GAIN if way.precision == "bf16" else 1))
        self._saves = best[self.candidates[0]] - best[self.chosen]
        measured.keep(self.key, {"way": asdict(self.chosen), "saves": self._saves})
        rate, slowest = 1 / best[self.chosen], 1 / max(best.values())
        self.said.append(
            f"Computed as was measured to be fastest here: {self._words(self.chosen)} ({rate:,.0f} spectra a second; "
            f"of {len(best)} ways the slowest {slowest:,.0f})."
        )

    def _words(self, way: Way) -> str:
        batch = f"{way.batch} spectra at once, " if self.single else ""
        folded = ", normalisations and activations folded into convolutions" if way.folded else ""
        return f"{batch}{'bfloat16' if way.precision == 'bf16' else 'float32'}{folded}"

    def _computed(self, way: Way, part: Tensor) -> Tensor:
        half = way.precision == "bf16"
        network = self.network
        if way.folded:
            if way.precision not in self._copies:
                self._copies[way.precision] = for_inference(self.network, packed=not half)  # what is packed is float32
            network = self._copies[way.precision]
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            return self.apply(network, part.to(self.device)).float().cpu()

    def _less(self, count: int, error: BaseException) -> None:
        """Halve the number of samples at once after memory ran out with `count`."""
        if count == 1:
            raise TooLargeError(str(error)) from error
        half = count // 2
        if "batch" in self.fixed:
            raise TooLargeError(
                f"batch={self.fixed['batch']} in {VARIABLE} does not fit into the memory of {self.device}; choose batch={half}, or omit it"
            ) from error
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.most is None:
            self.said.append(f"Memory of {self.device} did not suffice for {count} spectra at once; they were computed in smaller batches.")
        self.most = half
