"""Write the conda recipe from pyproject.toml: ``python release/conda/recipe.py > recipe.yaml`` (for conda-forge, with rattler-build)."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
RENAMED = {"torch": "pytorch", "dask[array]": "dask-core"}
"""Packages with other names on conda-forge."""


def conda(need: str) -> str:
    """Return a requirement as conda writes it."""
    name, bound = re.fullmatch(r"([\w.-]+(?:\[\w+\])?)(.*)", need).groups()
    return f"{RENAMED.get(name, name)} {bound}"


def recipe() -> dict[str, Any]:
    """Return the recipe as a mapping."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    version = re.search(r'__version__ = "(.+)"', (ROOT / "napari_spectrai" / "__init__.py").read_text(encoding="utf-8"))
    if version is None:
        raise ValueError("napari_spectrai/__init__.py has no __version__")
    python = f"python {project['requires-python']}"
    return {
        "package": {"name": project["name"], "version": version[1]},
        "source": {"sha256": "OF THE SDIST", "url": f"https://pypi.org/packages/source/n/{project['name']}/napari_spectrai-{version[1]}.tar.gz"},
        "build": {
            "number": 0, "noarch": "python", "script": "python -m pip install . -vv --no-deps --no-build-isolation",
            "python": {"entry_points": [f"{name} = {target}" for name, target in project["scripts"].items()]},
        },
        "requirements": {
            "host": [python, "pip", *map(conda, document["build-system"]["requires"])],
            "run": [python, *map(conda, project["dependencies"])],
        },
        "tests": [{"python": {"imports": ["napari_spectrai"]}}, {"script": ["napari-spectrai --version"]}],
        "about": {"license": project["license"], "license_file": "LICENSE", "summary": project["description"]},
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(yaml.safe_dump(recipe(), sort_keys=False, width=1000))
