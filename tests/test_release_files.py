"""Workflow files name commands, files and extras that exist; the conda recipe and the citation follow the package."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import itertools
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import napari_spectrai

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
EXTERNAL = {"sudo", "uv"}
"""Programs that a runner has, or that an action of the workflow installs."""


def steps():
    """Yield the file, the place and the command of each step that runs one, also those that an action runs."""
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            for number, step in enumerate(job["steps"]):
                command = step.get("run") or step.get("with", {}).get("run")
                if command is not None:
                    yield f"{path.name}-{name}-{number}", command


def wrong(command):
    """Return what a command of a step names that does not exist."""
    found = []
    for part in re.split(r"\n|&&|;", re.sub(r"\$\{\{.*?\}\}", "pyqt6", command)):
        words = shlex.split(part)
        program = Path(words[0]).name
        if program == "make":
            found += [f"make {word}" for word in words[1:] if word not in TARGETS]
        elif program == "python" and words[1] != "-m":
            found += [words[1]] if not (ROOT / words[1]).is_file() else []
        elif program == "python":
            found += [words[2]] if importlib.util.find_spec(words[2]) is None else []
        elif program not in EXTERNAL:
            found.append(program)
        found += [word for word in words[1:] if word.endswith((".py", ".sh", ".txt", ".toml")) and not (ROOT / word).exists()]
        groups = [word for before, word in itertools.pairwise(words) if before == "--group"]
        found += [f"--group {group}" for group in groups if group not in PROJECT["dependency-groups"]]
        extras = [extra for word in words if word.startswith(".[") for extra in word[2:-1].split(",")]
        found += [f".[{extra}]" for extra in extras if extra not in PROJECT["project"]["optional-dependencies"]]
    return found


STEPS = dict(steps())


@pytest.mark.parametrize("place", STEPS)
def test_a_step_of_a_workflow_names_what_exists(place):
    assert not wrong(STEPS[place])


def test_what_does_not_exist_is_found():
    assert wrong("make nothing") == ["make nothing"]
    assert wrong("python release/none.py && python -m no_such_module") == ["release/none.py", "release/none.py", "no_such_module"]
    assert wrong('python -m pip install -e ".[wrong]" --group absent') == ["--group absent", ".[wrong]"]


def test_the_conda_recipe_needs_what_the_package_needs():
    specification = importlib.util.spec_from_file_location("recipe", ROOT / "release" / "conda" / "recipe.py")
    recipe = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(recipe)
    made = recipe.recipe()
    names = {conda: name for name, conda in recipe.RENAMED.items()}
    needs = {" ".join([names.get(one.split()[0], one.split()[0]), *one.split()[1:]]) for one in made["requirements"]["run"][1:]}
    assert needs == {re.sub(r"(?=>=)", " ", one, count=1) for one in PROJECT["project"]["dependencies"]}
    assert [one.replace(" ", "") for one in made["requirements"]["host"][2:]] == PROJECT["build-system"]["requires"]
    assert made["requirements"]["host"][0] == made["requirements"]["run"][0] == f"python {PROJECT['project']['requires-python']}"
    assert made["package"]["version"] == napari_spectrai.__version__


def test_the_citation_is_of_this_version_and_the_changelog_has_it():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == napari_spectrai.__version__
    assert f"## {napari_spectrai.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_python_versions_of_the_workflows_are_those_of_the_package():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    listed = [one.rpartition(" ")[2] for one in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", one)]
    assert workflow["jobs"]["suite"]["strategy"]["matrix"]["python"] == listed


def brought(needs):
    """Return the distributions that an installer brings for requirements, and what these need in turn."""
    found, left = set(), [Requirement(need) for need in needs]
    while left:
        need = left.pop()
        key = (re.sub(r"[-_.]+", "-", need.name).lower(), frozenset(need.extras))
        if key in found:
            continue
        found.add(key)
        environments = [{"extra": extra} for extra in ("", *need.extras)]
        try:
            further = [Requirement(text) for text in importlib.metadata.requires(need.name) or ()]
        except importlib.metadata.PackageNotFoundError:
            continue
        left += [one for one in further if one.marker is None or any(one.marker.evaluate(values) for values in environments)]
    return {name for name, _ in found}


def modules_of_tests():
    """Yield the modules that tests import, and those that they run by ``python -m``."""
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.parent.name != "browser" else ():
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
            elif isinstance(node, ast.List):
                words = [one.value if isinstance(one, ast.Constant) else None for one in node.elts]
                yield from (str(word).partition(".")[0] for before, word in itertools.pairwise(words) if before == "-m")


def test_the_group_test_brings_what_the_tests_import_and_run():
    """A workflow installs that group and no other before it runs them."""
    present = brought([*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["test"]])
    owners = importlib.metadata.packages_distributions()
    ours = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {"tests", "napari_spectrai"}
    missing = {
        module
        for module in set(modules_of_tests()) - ours - set(sys.stdlib_module_names)
        if not any(re.sub(r"[-_.]+", "-", owner).lower() in present for owner in owners.get(module, ()))
    }
    assert missing == set()
