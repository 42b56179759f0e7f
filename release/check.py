"""Check a release: ``make release-check`` builds wheel and sdist into ``dist`` and prints what is wrong; the exit code is 1 then."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 15_000_000
"""Bytes of a wheel."""


def version() -> str:
    """Return the version of the package."""
    found = re.search(
        r'^__version__ = "(\d+\.\d+\.\d+)"$', (ROOT / "napari_spectrai" / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    if found is None:
        raise ValueError("napari_spectrai/__init__.py: __version__ is not MAJOR.MINOR.PATCH")
    return found[1]


def texts() -> Iterator[str]:
    """Yield what is wrong with the texts of a release."""
    now = version()
    if yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] != now:
        yield f"CITATION.cff: its version is not {now}"
    if f"## {now}" not in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        yield f"CHANGELOG.md: no section {now}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for group, needs in {"dependencies": project["dependencies"], **project["optional-dependencies"]}.items():
        yield from (f"pyproject.toml, {group}: {one} has no lower bound" for one in needs if ">=" not in one)
    for data in sorted((ROOT / "sample_data").iterdir()):
        if data.is_dir() and not (list(data.glob("LICENSE*")) and (data / "README.md").exists()):
            yield f"{data.name}: a licence or a README is missing"


def for_publication() -> Iterator[str]:
    """Yield what a page on a package index needs in addition."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if "urls" not in project:
        yield "pyproject.toml: [project.urls] is missing; enter the repository, the documentation and the changelog"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    yield from (
        f"README.md: {one} is relative, and not shown on a package index" for one in re.findall(r"!\[[^]]*\]\((?!https?:)([^)]+)\)", readme)
    )
    if "unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()[2]:
        yield "CHANGELOG.md: the newest section is unreleased; enter its date"


def files(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the wheel and the sdist in a folder."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    wanted = (
        "napari_spectrai/napari.yaml",
        "napari_spectrai/py.typed",
        "napari_spectrai/experiment/experiment.schema.json",
        "/licenses/LICENSE",
    )
    yield from (f"{wheel.name}: no {one}" for one in wanted if not any(name.endswith(one) for name in names))
    yield from (f"{wheel.name}: {one} does not belong there" for one in names if one.startswith(("tests/", "docs/")) or ".partial" in one)
    if wheel.stat().st_size > LARGEST:
        yield f"{wheel.name}: {wheel.stat().st_size:,} bytes; at most {LARGEST:,}"
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    yield from (
        f"{sdist.name}: no {one}" for one in ("tests/conftest.py", "CITATION.cff", "docs/run_blocks.py", "LICENSE") if one not in inside
    )
    for path in (wheel, sdist):
        done = subprocess.run([sys.executable, "-m", "twine", "check", "--strict", path], capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"twine: {done.stdout.strip()} {done.stderr.strip()}"


def main() -> int:
    """Build and check; with ``--publish`` also what a package index needs."""
    dist = ROOT / "dist"
    for old in dist.glob("napari_spectrai-*"):
        old.unlink()
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", dist], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    wrong = [*texts(), *files(dist), *(for_publication() if "--publish" in sys.argv else ())]
    print("\n".join(wrong) or f"{version()} is ready: {', '.join(path.name for path in sorted(dist.iterdir()))}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
