"""Make the bundled model anew: the default recipe on rows 0-799 of the Raman pairs, rows 800-999 for the test."""

from __future__ import annotations

import tempfile

from napari_spectrai import Experiment, sample, train
from napari_spectrai.samples import sample_model


def main() -> None:
    """Train and write the model."""
    pairs = sample("raman_pairs")
    experiment = Experiment.default("denoising", pairs.cube, pairs.truth).override(
        "split.test=0.2", "split.validation=0.04", "training.device=cpu"
    )
    with tempfile.TemporaryDirectory() as folder:
        model = train(experiment, pairs.cube, pairs.truth, run=f"{folder}/run")
    print(model.save(sample_model()))
    print(model.card())


if __name__ == "__main__":
    main()
