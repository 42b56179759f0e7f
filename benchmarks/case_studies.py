"""The examples on made-up data of the true shapes: ``python benchmarks/case_studies.py [--scale 0.1] [NAME …]``.

Each runs in a process of its own for a few steps, from files in a temporary folder. The table says what it takes before the first step
(reading, preparing, tuning the classical methods), in all (with validation and the last figures), and in memory: the most at any time, and
the most while the data were made. The data are noise with structure; a loss says only that training runs.

``--scale`` shrinks the sides of images and the number of spectra, never the bands. ``--steps`` and ``--batch`` shorten the training.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
SHAPES = {"aerorit": (1973, 3975, 51), "deeper": (172_312, 500), "helicoid": (439, 400, 826)}
IMAGES = 3
"""Of HELICoiD, so that one can be held out for validation and one for the test."""


def spectra(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return positive float32 values (…, bands): a few smooth spectra in smooth proportions."""
    *sides, bands = shape
    basis = np.abs(np.cumsum(rng.normal(size=(4, bands)), axis=1)).astype(np.float32)
    places = np.indices(sides, dtype=np.float32).reshape(len(sides), -1)
    waves = np.stack([1 + np.sin((places * rng.uniform(0.02, 0.2, (len(sides), 1))).sum(0)) for _ in basis], 1).astype(np.float32)
    return (waves @ basis).reshape(shape)


def make(study: str, folder: Path, scale: float) -> dict[str, list[str]]:
    """Write the files of a study; return them as `data.input` and `data.truth`."""
    rng = np.random.default_rng(0)
    shape = SHAPES[study]
    if study == "deeper":
        from scipy.io import savemat

        shape = (round(shape[0] * scale), shape[1])
        clean = spectra(shape, rng)
        noisy = clean + clean.std() * rng.standard_normal(shape, dtype=np.float32)
        savemat(folder / "Inputs.mat", {"Inputs": noisy})
        savemat(folder / "Outputs.mat", {"Outputs": clean})
        return {"input": [str(folder / "Inputs.mat")], "truth": [str(folder / "Outputs.mat")]}
    height, width, bands = round(shape[0] * scale), round(shape[1] * scale), shape[2]
    if study == "aerorit":
        import tifffile

        cube = spectra((height, width, bands), rng)
        # fields of each class all over the scene, and some pixels of none
        y, x = np.indices((height, width)) // max(8, round(40 * scale))
        labels = ((7 * y + 3 * x) % 6).astype(np.uint8)
        cube *= (1 + 0.1 * labels)[..., None]
        counts = np.moveaxis(cube / cube.max() * 16_000, -1, 0).astype(np.uint16)
        tifffile.imwrite(folder / "image_hsi_radiance.tif", counts, photometric="minisblack", bigtiff=True)
        np.savez_compressed(folder / "labels.npz", labels=labels, class_names=["", "building", "vegetation", "road", "water", "car"])
        return {"input": [str(folder / "image_hsi_radiance.tif")], "truth": [str(folder / "labels.npz")]}
    from napari_spectrai import Cube, SpectralAxis, write

    for number in range(IMAGES):
        cube = Cube(spectra((height, width, bands), rng), SpectralAxis(np.linspace(400, 1000, bands), "nm"))
        write(cube, folder / "images" / f"{number:03}.hdr")
    return {"input": [str(folder / "images")], "truth": []}


def shortened(name: str, files: dict[str, list[str]], scale: float, steps: int, batch: int | None) -> object:
    """Return the example for these files, one epoch of so many steps; sides of blocks and patches fit a shrunk image."""
    from napari_spectrai import Experiment

    experiment = Experiment.load(EXAMPLES / f"{name}.yml")
    batch = batch or experiment.training.batch
    settings = [f"data.{side}={json.dumps(paths)}" for side, paths in files.items()]
    settings += ["training.epochs=1", f"training.batch={batch}"]
    if experiment.looks_around:
        settings.append(f"data.samples={batch * steps}")
    if scale < 1 and name.startswith("aerorit"):
        settings += [f"split.block={max(32, round((experiment.split.block or 12) * scale))}"] if experiment.split.method == "blocks" else []
        settings += [f"data.patch={min(experiment.data.patch, max(16, round(1973 * scale * 0.12) // 16 * 16))}"]
        settings += ["split.gap=8"] if experiment.split.gap else []
    if scale < 1 and name.startswith("helicoid"):
        settings.append(f"data.patch={min(experiment.data.patch, round(400 * scale) // 8 * 8)}")
    return experiment.override(*settings)


def one(name: str, scale: float, steps: int, batch: int | None) -> None:
    """Run one example and print a line of JSON."""
    from napari_spectrai import fit
    from napari_spectrai.runs import Epoch, Finished, Started, Step

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = make(name.partition("_")[0], folder, scale)
        experiment = shortened(name, files, scale, steps, batch)
        made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun, told = time.perf_counter(), {}
        events = fit(experiment, run=folder / "run")
        for event in events:
            now = time.perf_counter() - begun
            if isinstance(event, Started):
                told |= {"before": now, "weights": event.parameters, "samples": event.training, "baselines": event.baselines}
            elif isinstance(event, Step) and not experiment.looks_around and event.step >= steps:
                told |= {"loss": event.loss, "steps": event.step}  # an epoch of all spectra is long
                events.close()
                break
            elif isinstance(event, Epoch):
                told |= {"loss": event.training, "score": event.validation, "steps": min(steps, told.get("steps", steps))}
            elif isinstance(event, Finished):
                break
            told["seconds"] = now
        told["seconds"] = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(told | {"peak": peak / 2**20, "making": made / 2**20}))


def main() -> None:
    """Print the table."""
    known = sorted(path.stem for path in EXAMPLES.glob("*.yml"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=known, help=f"known: {', '.join(known)}")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.names[0], arguments.scale, arguments.steps, arguments.batch)
        return
    print(f"{'':<34}{'weights':>12}{'before (s)':>12}{'steps':>7}{'all (s)':>10}{'loss':>9}{'memory (GiB)':>14}{'making it':>12}")
    for name in arguments.names:
        command = [sys.executable, __file__, name, "--one", "--scale", str(arguments.scale), "--steps", str(arguments.steps)]
        command += ["--batch", str(arguments.batch)] if arguments.batch else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name:<34}failed: {done.stderr.strip().splitlines()[-1][:200]}")
            continue
        told = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{name:<34}{told['weights']:>12,}{told['before']:>12.1f}{told['steps']:>7}{told['seconds']:>10.1f}{told['loss']:>9.4f}"
            f"{told['peak']:>14.2f}{told['making']:>12.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
