"""Every default against every simple method: ``python benchmarks/defaults.py [strokes|gap|spectra|sets|jasper|lambda|calibration ...]``.

Options: ``--seeds 3`` (paintings, splits or drawings of noise), ``--seconds S`` (time of each comparison; default: the default's own),
``--jasper FILE`` (jasperRidge2_R198.mat, for `jasper`), ``--few 5,15,30`` (strokes of each class), ``--halves LRT``. Each row is one
setting: the mean over the seeds and its range, for the default and for each candidate alone, fitted on the same samples and scored on
the same held-out ones. Nothing was chosen on these seeds.

- strokes: pixels of each class painted in one half of Indian Pines (six classes with 30 pixels or more on both sides), scored from six
  columns or rows beyond the middle on: mean recall, and whether the accuracy that the model foretells for the map holds it.
- gap: 12-pixel blocks of Indian Pines, a quarter for the test, no training pixel within 5 of it: overall accuracy and mean recall.
- spectra: labelled pixels as a set, 10 % learnt from: overall accuracy and mean recall.
- sets: 20, 60 and 200 spectra of three classes of Indian Pines: mean recall on 300 others.
- jasper: Jasper Ridge with Gaussian noise (50/255), Poisson counts (peak 20), and Gaussian noise that pixels of a column or neighbours
  share: MPSNR in dB.
- lambda: counts drawn from the smoothed lambda stack at peaks 5, 20, 100: mean squared error.
- calibration: a second instrument made of the bundled pairs, 10, 30 and 100 transfer spectra: mean squared error.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from napari_spectrai import Cube, Experiment, Model, predict, sample, train
from napari_spectrai.labels import Labels
from napari_spectrai.learn.classical import Method

Scores = dict[str, float]


def recall(predicted: Any, truth: Any) -> float:
    """Return the mean over the classes of the truth of the share found."""
    return float(np.mean([(predicted[truth == one] == one).mean() for one in np.unique(truth)]))


def trained(experiment: Experiment, cube: Cube, truth: Any, seconds: float | None) -> Model:
    """Train a default, within another time if one is given."""
    if seconds is not None and experiment.network.kind == "automatic":
        experiment = experiment.override(f"network.seconds={seconds}")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return train(experiment, cube, truth, run=f"{folder}/run")


def alone(model: Model, cube: Cube) -> Iterator[tuple[str, Any]]:
    """Yield the result of each classical candidate that a model keeps, alone."""
    from dataclasses import replace

    for name, method in model.classical.items():
        assert isinstance(method, Method)
        card = replace(
            model.description, experiment=model.description.experiment.model_copy(update={"network": method.spec}), temperature=1.0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield name, predict(Model(method.eval(), card, {}), cube).result


def strokes(options: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """Yield a row for each painting."""
    scene = sample("indian_pines")
    labels, cube = scene.labels.astype(int), Cube(scene.cube.numpy(), scene.cube.axis)
    rows, columns = np.mgrid[:145, :145]
    halves = {
        "L": (columns < 72, columns >= 78), "R": (columns >= 72, columns < 66), "T": (rows < 72, rows >= 78), "B": (rows >= 72, rows < 66),
    }  # fmt: skip
    for half in options.halves:
        learn, judge = halves[half]
        classes = [c for c in range(1, 17) if min(((labels == c) & learn).sum(), ((labels == c) & judge).sum()) >= 30]
        wanted = judge & np.isin(labels, classes)
        for few in options.few:
            for seed in range(options.first, options.first + options.seeds):
                rng, painted = np.random.default_rng(seed), np.zeros_like(labels)
                for c in classes:
                    places = np.argwhere((labels == c) & learn)
                    painted[tuple(places[rng.permutation(len(places))[:few]].T)] = c
                truth = Labels(painted)
                model = trained(Experiment.default("segmentation", cube, truth), cube, truth, options.seconds)
                found = {name: recall(result[wanted], labels[wanted]) for name, result in alone(model, cube)}
                own = recall(predict(model, cube).result[wanted], labels[wanted])
                low, high = model.card().intervals["map"]["network"]["average_accuracy"]
                yield f"strokes, {half}, {few} of each class", {"default": own, **found, "foretold rightly": float(low <= own <= high)}


def _both(setting: str, rows: dict[str, Scores]) -> Iterator[tuple[str, Scores]]:
    """Yield overall accuracies and mean recalls, each as a row."""
    for metric, title in (("overall_accuracy", "overall accuracy"), ("average_accuracy", "mean recall")):
        yield f"{setting}, {title}", {name if name != "network" else "default": row[metric] for name, row in rows.items()}


def gap(options: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """Yield a row for each drawing of blocks."""
    scene = sample("indian_pines")
    labels = Labels(scene.labels, scene.class_names)
    split = "split={method: blocks, block: 12, validation: 0.03, test: 0.25, gap: 5, context: shared}"
    for seed in range(20 + options.first, 20 + options.first + options.seeds):
        experiment = Experiment.default("segmentation", scene.cube, labels).override(split, f"split.seed={seed}")
        rows = trained(experiment, scene.cube, labels, options.seconds).card().scores["test"]
        yield from _both("blocks, gap of 5", rows)


def spectra(options: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """Yield a row for each split of single spectra."""
    scene = sample("indian_pines")
    known = scene.labels > 0
    cube, labels = Cube(scene.cube.numpy()[known], scene.cube.axis), Labels(scene.labels[known], scene.class_names)
    for seed in range(20, 20 + options.seeds):
        experiment = Experiment.default("classification", cube, labels)
        experiment = experiment.override("split={method: stratified, validation: 0.02, test: 0.88}", f"split.seed={seed}")
        rows = trained(experiment, cube, labels, options.seconds).card().scores["test"]
        yield from _both("single spectra, 10 %", rows)


def sets(options: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """Yield a row for each small set."""
    scene = sample("indian_pines")
    known = np.isin(scene.labels, (2, 10, 11))
    values, labels = scene.cube.numpy()[known], scene.labels[known].astype(int)
    for count in (20, 60, 200):
        for seed in range(options.seeds):
            order = np.random.default_rng(seed).permutation(len(labels))
            learn, judge = order[:count], order[-300:]
            cube, truth = Cube(values[learn], scene.cube.axis), Labels(labels[learn])
            model = trained(Experiment.default("classification", cube, truth), cube, truth, options.seconds)
            other = Cube(values[judge], scene.cube.axis)
            found = {name: recall(result, labels[judge]) for name, result in alone(model, other)}
            yield f"{count} spectra, 3 classes", {"default": recall(predict(model, other).result, labels[judge]), **found}


def jasper(options: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """Yield a row for each drawing of noise on Jasper Ridge."""
    from scipy.io import loadmat

    clean = loadmat(options.jasper)["Y"].astype(float).T.reshape(100, 100, 198, order="F")
    clean /= clean.max()
    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        white = rng.normal(0, 50 / 255, clean.shape)
        stripes, near = rng.normal(0, 50 / 255, (1, *clean.shape[1:])), gaussian_filter(rng.normal(0, 1, clean.shape), (1, 1, 0))
        noises = {
            "Gaussian": clean + white,
            "Poisson": rng.poisson(clean * 20) / 20,
            "stripes": clean + 0.5 * white + 0.75**0.5 * stripes,
            "smoothed": clean + 50 / 255 * near / near.std(),
        }
        for name, noisy in noises.items():
            yield f"Jasper, {name}, MPSNR", _denoised(noisy, clean, options, lambda error: float(np.mean(-10 * np.log10(error))))


def lambdas(options: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """Yield a row for each drawing of counts."""
    smooth = gaussian_filter(sample("lambda_stack").cube.numpy().astype(float), (1.5, 1.5, 0.7))
    smooth /= smooth.max()
    for peak in (5, 20, 100):
        for seed in range(options.seeds):
            noisy = np.random.default_rng(seed).poisson(smooth * peak)
            yield f"lambda stack, peak {peak}, MSE", _denoised(noisy, smooth * peak, options, lambda error: float(np.mean(error)))


def _denoised(noisy: Any, clean: Any, options: argparse.Namespace, score: Any) -> Scores:
    cube = Cube(noisy.astype(np.float32))
    model = trained(Experiment.default("denoising", cube), cube, None, options.seconds)

    def of(result: Any) -> float:
        return score(np.square(result - clean).reshape(-1, clean.shape[-1]).mean(0))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = {
            "savitzky_golay": "Savitzky–Golay",
            "whittaker": "Whittaker",
            "wavelet": "wavelet",
            "svd_nlm": "SVD+NLM",
            "nl_bayes": "NL-Bayes",
        }
        found = {label: of(predict(kind, cube).result.numpy()) for kind, label in names.items()}
        return {"default": of(predict(model, cube).result.numpy()), "raw": of(noisy), **found}


def calibration(options: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """Yield a row for each drawing of transfer spectra."""
    truth = sample("raman_pairs").truth
    assert truth is not None
    target = truth.numpy().reshape(1000, -1).astype(float)
    target /= target.max(1, keepdims=True)
    bands = target.shape[1]
    x = np.arange(bands)
    for count in (10, 30, 100):
        for seed in range(options.seeds):
            rng = np.random.default_rng(seed)
            blurred = gaussian_filter1d(target, 2.0, axis=1)
            shifted = np.stack([np.interp(x + 3 + 1.5 * np.sin(x / bands * 3), x, row) for row in blurred])
            source = shifted * (1 + 0.3 * np.cos(x / bands * 5)) + 0.05 + 0.05 * x / bands + rng.normal(0, 0.01, target.shape)
            chosen, judged = rng.permutation(800)[:count], slice(800, None)
            cube, known = Cube(source[chosen].astype(np.float32)), Cube(target[chosen].astype(np.float32))
            model = trained(Experiment.default("calibration", cube, known), cube, known, options.seconds)
            other = Cube(source[judged].astype(np.float32))
            found = {name: float(np.square(result.numpy() - target[judged]).mean()) for name, result in alone(model, other)}
            own = float(np.square(predict(model, other).result.numpy() - target[judged]).mean())
            yield f"calibration, {count} transfer spectra, MSE", {"default": own, **found}


SECTIONS = {
    "strokes": strokes, "gap": gap, "spectra": spectra, "sets": sets, "jasper": jasper, "lambda": lambdas, "calibration": calibration,
}  # fmt: skip


def main() -> None:
    """Print a table for each section, a row for each setting."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sections", nargs="*", default=["calibration", "sets", "spectra", "gap", "strokes", "lambda"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first painting of strokes or drawing of blocks")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--jasper")
    parser.add_argument("--halves", default="LRT")
    parser.add_argument("--few", type=lambda text: [int(part) for part in text.split(",")], default=[5, 15, 30])
    options = parser.parse_args()
    for section in options.sections:
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        began = time.perf_counter()
        for setting, scores in SECTIONS[section](options):
            for name, value in scores.items():
                found[setting][name].append(value)
            print(f"  {setting}: " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()), flush=True)
        print(f"\n## {section}, {time.perf_counter() - began:.0f} s")
        for setting, rows in found.items():
            told = (f"{name} {np.mean(v):.4g} ({min(v):.4g} to {max(v):.4g})" for name, v in rows.items())
            print(f"{setting}: " + " | ".join(told), flush=True)


if __name__ == "__main__":
    main()
