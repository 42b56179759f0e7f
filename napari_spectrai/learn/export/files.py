"""Exported files: written, computed again, and compared with the model's own prediction."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.card import KEY
from napari_spectrai.experiment.package import SUFFIX, export_suffix
from napari_spectrai.files import replacing
from napari_spectrai.io.found import one_line
from napari_spectrai.learn.export.bioimage import package
from napari_spectrai.learn.export.graph import Graph

if TYPE_CHECKING:
    from napari_spectrai.learn.model import Model

TRACED = (2, 11, 13)
"""Size that a graph is traced with: not a multiple of what networks pad to, so that the padding is in the graph."""
DIFFERENCE = 1e-5
"""Largest difference between an exported file and the model, relative to the largest result."""


def export(model: Model, path: str | Path) -> Path:
    """Write `model` in the format of the suffix of `path`; see `Model.export`."""
    path = Path(path)
    suffix = export_suffix(path)
    # a copy without gradients: the model stays as it is, and nobody has to detach what the file computes
    graph, batch = deepcopy(Graph(model)).eval().requires_grad_(False).cpu(), _probe(model, *TRACED)
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # one operation for a whole encoder, which no format has
        with _silent_exporter(), torch.no_grad():
            size = torch.export.Dim.DYNAMIC
            program = torch.export.export(graph, (batch,), dynamic_shapes=({0: size, 1: size, 2: size},), strict=False)
            content = _pt2(program, model) if suffix == ".pt2" else _onnx(program, batch, model)
    except (RuntimeError, ValueError, TypeError, NotImplementedError, AttributeError, AssertionError) as error:
        raise ValueError(
            f"{model.description.experiment.network.title} cannot be exported: its computation depends on the size of the image, or uses "
            f"what the format does not have ({one_line(error)}); train a network of single spectra, or keep the .safetensors file"
        ) from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    _refuse_difference(model, content, suffix)
    if suffix == SUFFIX:
        content = _packaged(model, content)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


@contextmanager
def _silent_exporter() -> Iterator[None]:
    """Hide what torch's exporter says about itself: operations of torchvision, which no model uses, and Triton, which it does not find."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.utils.flop_counter")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _probe(model: Model, *shape: int) -> torch.Tensor:
    low, _, high = model.description.intensities or [0.0, 0.5, 1.0]
    random = np.random.default_rng(0)
    return torch.from_numpy(random.uniform(low, max(high, low + 1e-6), (*shape, len(model.axis))).astype(np.float32))


def _onnx(program: Any, batch: torch.Tensor, model: Model) -> bytes:
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError('ONNX needs a package that is not installed: pip install "napari-spectrai[export]"') from error
    made = torch.onnx.export(program, (batch,), dynamo=True, input_names=["spectra"], output_names=["result"], verbose=False)
    assert made is not None  # noqa: S101
    proto = made.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = KEY, model.description.to_json()
    content: bytes = proto.SerializeToString()
    return content


def _pt2(program: Any, model: Model) -> bytes:
    stream = io.BytesIO()
    torch.export.save(program, stream, extra_files={KEY: model.description.to_json()})
    return stream.getvalue()


def _packaged(model: Model, graph: bytes) -> bytes:
    import onnx

    opset = next(one.version for one in onnx.load_model_from_string(graph).opset_import if not one.domain)
    image = _probe(model, 1, 16, 17)
    return package(model, graph, opset, image.numpy(), _predicted(model, image))


def _predicted(model: Model, batch: torch.Tensor) -> npt.NDArray[np.float32]:
    predictions = [model.predict(Cube(image.numpy(), model.axis)) for image in batch]
    return np.stack([(one.result if one.probabilities is None else one.probabilities).numpy() for one in predictions])


@torch.no_grad()
def _refuse_difference(model: Model, content: bytes, suffix: str) -> None:
    """Compute an exported file on images of other sizes, and refuse it if it differs from the predictions of the model."""
    for shape in ((1, 16, 17), (3, 6, 5)):
        batch = _probe(model, *shape)
        wanted = _predicted(model, batch)
        if suffix == ".pt2":
            got = torch.export.load(io.BytesIO(content)).module()(batch).numpy()
        else:
            import onnxruntime

            session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
            got = session.run(None, {"spectra": batch.numpy()})[0]
        if got.shape != wanted.shape or not np.abs(got - wanted).max() <= DIFFERENCE * np.abs(wanted).max():
            raise ValueError(f"the exported {suffix} file does not give the model's results for {shape}; keep the .safetensors file")
