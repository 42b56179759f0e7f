"""Write a folder of this directory with the present version: ``python tests/golden/write.py NAME``; see README.md."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from napari_spectrai import Cube, Experiment, Labels, SpectralAxis, train

HERE = Path(__file__).parent
FILES = ("best.safetensors", "events.jsonl", "experiment.yml", "split.npz", "environment.json")
"""Files of a finished run that are kept: what a person may copy to another machine, without logs and checkpoints."""


def main(name: str) -> None:
    """Train a denoiser and a classifier on the input of the first version, and write them with their predictions."""
    folder = HERE / name
    folder.mkdir()
    with np.load(HERE / "0.1.0" / "pairs.npz") as pairs, np.load(HERE / "0.1.0" / "classes.npz") as classes:
        noisy, clean, axis, labels = pairs["noisy"], pairs["clean"], pairs["axis"], classes["labels"]
    cube = Cube(noisy, SpectralAxis(axis, "1/cm"), name="noisy")
    truth = Cube(clean, cube.axis, name="clean")
    settings = ("network.width=8", "training.epochs=3", "training.batch=32", "training.device=cpu", "split.test=0.2")
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        model = train(Experiment.default("denoising", cube, truth).override(*settings), cube, truth, run=run)
        (folder / "run").mkdir()
        for file in sorted(run.iterdir()):
            if file.name in FILES or file.suffix == ".npz":
                shutil.copy(file, folder / "run" / file.name)
        chosen = "network={kind: automatic, candidates: [logistic_regression, pca_lda]}"
        document = Experiment.default("classification", cube, labels).override(chosen)
        classifier = train(document, cube, Labels(labels), run=Path(place) / "classes")
    classifier.save(folder / "classes.safetensors")
    np.savez_compressed(folder / "pairs.npz", noisy=noisy, clean=clean, axis=axis, denoised=model.predict(cube).result.numpy())
    np.savez_compressed(folder / "classes.npz", labels=labels, predicted=np.asarray(classifier.predict(cube).result))


if __name__ == "__main__":
    main(sys.argv[1])
