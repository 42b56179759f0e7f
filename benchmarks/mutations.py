"""Small faults that the tests must notice: ``python benchmarks/mutations.py``.

Each mutation is one replacement in a copy of the package, against which the tests of that module run. Prints whether the tests noticed it,
and exits with 1 if one survived.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import get_context, set_forkserver_preload
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CUBE = ("cube.py", "tests/test_cube.py", "")
INDEXING = ("cube_indexing.py", "tests/test_cube.py", "")
METADATA = ("cube_metadata.py", "tests/test_cube.py", "")
TILES = ("learn/inference/tiles.py", "tests/test_properties.py", "tile")
SPLIT = ("plan/split_methods.py", "tests/test_learn.py tests/test_properties.py", "split or gap or group or stratified or parts")
METRICS = ("learn/scoring/metrics.py", "tests/test_metrics.py", "")
CHAIN = ("preparation/chain.py", "tests/test_preparation.py tests/test_properties.py", "restore or chain or target")
BLOCKS = ("preparation/blocks.py", "tests/test_preparation.py tests/test_valid.py", "block or empty_spectra_empty or left_empty")
MODEL = ("learn/model.py", "tests/test_hostile.py tests/test_golden.py", "weights or predicts or classical")
MUTATIONS = [
    (*CUBE, "self.data[..., bands], axis=self.axis.take(bands)", "self.data[..., bands], axis=self.axis.take(bands[::-1])"),
    (*INDEXING, "slice(number % length, number % length + 1)", "slice(number % length, number % length + 2)"),
    (*INDEXING, "if not -length <= number < length:", "if not -length < number < length:"),
    (*CUBE, "whole = bands[-1] - bands[0] + 1 == bands.size", "whole = True"),
    (*METADATA, "[place for place, band in enumerate(", "[band for place, band in enumerate("),
    (*CUBE, "return len(self.shape) > 2", "return len(self.shape) > 1"),
    (*INDEXING, "if taken > len(shape):", "if taken > len(shape) + 1:"),
    (*TILES, "blind = min(context, (shared - 1) // 2)", "blind = 0"),
    (*TILES, "(np.arange(inner) + 0.5)", "(np.arange(inner) + 0.4)"),
    (*TILES, "weights[-shared:] *= ramp[::-1]", "weights[-shared:] *= ramp"),
    (*TILES, "step = (tile - overlap) // grid * grid", "step = tile - overlap"),
    (*TILES, "range(0, length - overlap, step)", "range(0, length - tile, step)"),
    (*TILES, "before=0 if number == 0 else", "before=0 if number <= 1 else"),
    (*SPLIT, "return 0 if is_set else patch", "return 0"),
    (*SPLIT, "labels[order[validation : validation + test]] = TEST\n    cuts", "labels[order[:test]] = TEST\n    cuts"),
    (*SPLIT, "labels[np.isin(group, order[:validation])] = VALIDATION", "labels[np.isin(group, order[: validation + 1])] = VALIDATION"),
    (*SPLIT, "axis = 1 if shape[1] >= shape[2] else 2", "axis = 1"),
    (*SPLIT, "parts[files[-test:]] = TEST", "parts[files[:test]] = TEST"),
    (*SPLIT, "test = max(0, min(test, len(order) - validation - 1))", "test = max(0, test)"),
    (*METRICS, "return 10 * math.log10(span**2 / error)", "return 10 * math.log10(span / error)"),
    (*METRICS, "valid = lengths > 0", "valid = lengths >= 0"),
    (*METRICS, "shift = min(0.0, low)", "shift = 0.0"),
    (*METRICS, "_tensor(truth).long() * count + _tensor(classes).long()", "_tensor(classes).long() * count + _tensor(truth).long()"),
    (*METRICS, "(overall - chance) / (1 - chance)", "(overall - chance) / (1 + chance)"),
    (*METRICS, "inside = slice(WINDOW // 2, -(WINDOW // 2))", "inside = slice(None)"),
    (*METRICS, 'averaged = held if class_mean == "truth" else', 'averaged = held if class_mean == "union" else'),
    (*CHAIN, "for undone in reversed(removed):", "for undone in removed:"),
    (*CHAIN, "spectra * undone[1] + undone[0]", "(spectra + undone[0]) * undone[1]"),
    (*CHAIN, "if any(not later.is_fitted for later in self.steps[number + 1 :]):", "if False:"),
    (*CHAIN, "gain *= float(removed[1].item() / back[1].item())", "gain *= float(back[1].item() / removed[1].item())"),
    (*BLOCKS, "return done if empty is None else np.where(empty[place][..., None], np.float32(0), done)", "return done"),
    (*BLOCKS, "slice(second, second + step)))", "slice(0, step)))"),
    (*MODEL, "refuse_misfit(path, shapes_in(path, _NETWORK), build)", "pass"),
    (*MODEL, "return cls(network.eval(), card, kept,", "return cls(network, card, {},"),
]  # fmt: skip


PRELOADED = ["torch", "accelerate", "scipy.stats", "scipy.signal", "sklearn.metrics", "skimage.metrics", "dask.array", "pandas"]
"""Imported once, in the process from which those of the tests are forked: importing them takes longer than most of the tests."""


PASSED, FAILED = 0, 10
"""Exit codes of the processes of the tests."""


def _tests_end_with(package: str, arguments: list[str]) -> None:
    """Run tests on the copied package in this process, and end it with the exit code of pytest."""
    os.chdir(package)
    sys.path.insert(0, package)
    os.environ |= {"PYTHONPATH": package, "QT_QPA_PLATFORM": "offscreen"}
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", *arguments])
    sys.exit({pytest.ExitCode.OK: PASSED, pytest.ExitCode.TESTS_FAILED: FAILED}.get(code, 1))  # 1 is also that of an exception


def passes(package: Path, tests: str, only: str) -> bool:
    """Whether the tests pass on the copied package as it is."""
    arguments = [*tests.split(), *(["-k", only] if only else [])]
    process = get_context("forkserver").Process(target=_tests_end_with, args=(str(package), arguments))
    process.start()
    process.join()
    if process.exitcode not in (PASSED, FAILED):
        raise RuntimeError(f"the tests {tests} -k {only!r} could not be run")
    return process.exitcode == PASSED


def noticed(package: Path, module: str, tests: str, only: str, old: str, new: str) -> bool:
    """Whether the tests fail with a replacement in a module of the copied package."""
    path = package / "napari_spectrai" / module
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise ValueError(f"{module} does not contain {old!r} any more; change the mutation")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        return not passes(package, tests, only)
    finally:
        path.write_text(text, encoding="utf-8")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="part of the name of a module")
    arguments = parser.parse_args()
    survivors = 0
    os.environ["OMP_NUM_THREADS"] = "1"
    set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as place:
        package = Path(place)
        for name in ("napari_spectrai", "tests", "docs", "pyproject.toml", "sample_data"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, package / name)
        for tests, only in dict.fromkeys((m[1], m[2]) for m in MUTATIONS if arguments.only in m[0]):
            if not passes(package, tests, only):
                raise RuntimeError(f"the tests {tests} -k {only!r} fail without a mutation")
        for module, tests, only, old, new in MUTATIONS:
            if arguments.only not in module:
                continue
            start = time.monotonic()
            found = noticed(package, module, tests, only, old, new)
            survivors += not found
            print(f"{'noticed' if found else 'SURVIVED':<9} {module}: {old!r} -> {new!r} ({time.monotonic() - start:.0f} s)", flush=True)
    print(f"{survivors} survived")
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main())
