"""Packages of the BioImage Model Zoo: a model as ONNX, test tensors, a cover and a description in one ``.bioimage.zip``.

References
----------
https://bioimage.io/docs/#/developers_guide/bioimageio_spec, format 0.5
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import yaml
from PIL import Image

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.package import WEIGHTS

if TYPE_CHECKING:
    from napari_spectrai.learn.model import Model

FORMAT = "0.5.4"
"""Version of the description; later versions of 0.5 read it."""
_CITED = (("spectrai: a deep learning framework for spectral data, J. Spectral Imaging 11, a7 (2022)", "10.1255/jsi.2022.a7"),)


def package(model: Model, graph: bytes, opset: int, image: npt.NDArray[np.float32], result: npt.NDArray[np.float32]) -> bytes:
    """Return the content of a package.

    Parameters
    ----------
    model : Model
    graph : bytes
        The model as ONNX.
    opset : int
        Version of its operations.
    image, result : array of shape (1, y, x, λ)
        An input and what the model predicts for it, by which readers test the package.
    """
    files: dict[str, bytes] = {
        "model.onnx": graph,
        WEIGHTS: model.to_bytes(),
        "spectra.npy": _npy(image),
        "result.npy": _npy(result),
        "cover.png": _cover(image, result),
        "README.md": _documentation(model).encode(),
    }
    description = _description(model, {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}, opset)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf.yaml", yaml.safe_dump(description, sort_keys=False, allow_unicode=True))
        for name, content in files.items():
            archive.writestr(name, content, zipfile.ZIP_STORED if name == WEIGHTS else zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _description(model: Model, digests: Mapping[str, str], opset: int) -> dict[str, Any]:
    card = model.description

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": digests[name]}

    times = card.experiment.task.enlarges
    outputs = [one.name for one in card.classes] or None
    return {
        "format_version": FORMAT,
        "type": "model",
        "name": _name(card.name),
        "description": f"{card.experiment.task.title}: {card.experiment.network.title}, for spectra with {len(card.axis)} bands",
        "cite": [{"text": text, "doi": doi} for text, doi in _CITED],
        "tags": ["napari-spectrai", "hyperspectral", card.experiment.task.kind],
        "documentation": file("README.md"),
        "covers": [file("cover.png")],
        "attachments": [file(WEIGHTS)],
        "timestamp": datetime.now().astimezone().isoformat(timespec="seconds"),
        "inputs": [
            {
                "id": "spectra",
                "description": "intensities as measured; preprocessing is part of the model",
                "axes": [{"type": "batch"}, *(_space(side) for side in "yx"), _bands("bands", card.axis)],
                "data": {"type": "float32"},
                "test_tensor": file("spectra.npy"),
            }
        ],
        "outputs": [
            {
                "id": "result",
                "description": "probabilities of the classes" if outputs else "intensities in the units of the input",
                "axes": [
                    {"type": "batch"},
                    *(
                        {"type": "space", "id": side, "size": {"tensor_id": "spectra", "axis_id": side}, "scale": 1.0 / times}
                        for side in "yx"
                    ),
                    {"type": "channel", "id": "channel", "channel_names": outputs} if outputs else _bands("bands", card.truth_axis),
                ],
                "data": {"type": "float32"},
                "test_tensor": file("result.npy"),
            }
        ],
        "weights": {"onnx": file("model.onnx") | {"opset_version": opset}},
        "config": {
            "napari_spectrai": {
                "axis": card.axis.to_json(),
                "result_axis": None if outputs else card.truth_axis.to_json(),
                "model": WEIGHTS,
            }
        },
    }


def _name(name: str) -> str:
    """Return a name of the characters and the length that the format allows."""
    kept = "".join(character if character.isalnum() or character in "_+- ()" else " " for character in name)
    return kept.strip()[:128] or "model"


def _space(side: str) -> dict[str, Any]:
    return {"type": "space", "id": side, "size": {"min": 1, "step": 1}}


def _bands(name: str, axis: SpectralAxis) -> dict[str, Any]:
    """Return an axis of bands; its positions are numbers, which stand in ``config``."""
    ends = f"{axis.values[0]:g} to {axis.values[-1]:g} {axis.unit}".strip()
    return {"type": "index", "id": name, "size": len(axis), "description": f"{axis.label}, {ends}"[:128]}


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def _cover(image: npt.NDArray[np.float32], result: npt.NDArray[np.float32]) -> bytes:
    """Return a picture, 512 × 256 pixels, of the test image and its result: means over the bands."""
    tiles = []
    for values in (np.nanmean(image[0], -1), np.nanmax(result[0], -1)):
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        grey = np.nan_to_num((values - low) / (high - low or 1.0)) * 255
        tiles.append(np.asarray(Image.fromarray(grey.astype(np.uint8)).resize((256, 256), Image.Resampling.NEAREST)))
    stream = io.BytesIO()
    Image.fromarray(np.hstack(tiles)).save(stream, "PNG")
    return stream.getvalue()


def _on_holes(model: Model) -> str:
    """Say what has to be done with pixels without data, if neighbours see them."""
    if not model.description.experiment.looks_around or not model.description.continues_empty:
        return ""
    return (
        "Replace pixels without data (NaN, or all zero) by the nearest ones with data before you apply the graph to an image, as "
        "napari-spectrai does in training and prediction: neighbouring pixels are computed from them, too.\n\n"
    )


def _documentation(model: Model) -> str:
    return (
        f"# {model.description.name}\n\n{model.description.brief}\n\n"
        "## How to use\n\nThe graph takes intensities as measured, of shape (batch, y, x, bands), on the axis that is given under "
        "`config.napari_spectrai.axis` in `rdf.yaml`. With napari-spectrai: `Model.load` of this package.\n\n"
        f"{_on_holes(model)}"
        "Before you publish it, add `authors` and `license` to `rdf.yaml`: they are yours to choose.\n\n"
        f"## Validation\n\n```text\n{model.description}\n```\n"
    )
