"""The command line before any work: what it lists, and what it imports for that."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_spectrai.cli import app
from napari_spectrai.cli.app import COMMANDS
from napari_spectrai.samples import sample_model

HEAVY = ("torch", "dask.array", "zarr", "xarray", "pandas", "scipy", "napari", "qtpy")
CODE = """
import json, sys
from napari_spectrai.cli import main
commands, heavy = json.loads(sys.argv[1])
seen = []
for arguments in commands:
    sys.argv = ["napari-spectrai", *arguments]
    try:
        main()
    except SystemExit as end:
        seen.append([end.code, [name for name in heavy if name in sys.modules]])
print(json.dumps(seen))
"""


def test_help_wrong_options_and_info_import_no_large_package(tmp_path):
    np.save(tmp_path / "cube.npy", np.ones((3, 4, 5), np.float32))
    commands = {
        "": 2, "--help": 0, "--version": 0, "--wrong": 2, "predct": 2, "info --help": 0, f"info {tmp_path / 'cube.npy'}": 0,
        f"info {sample_model()}": 0, "map --wrong": 2, "predict --wrong": 2, "predict --help": 0, "evaluate --wrong": 2, "train --wrong": 2,
    }  # fmt: skip
    wanted = json.dumps([[command.split() for command in commands], HEAVY])
    run = subprocess.run([sys.executable, "-c", CODE, wanted], capture_output=True, text=True, check=True)
    seen = json.loads(run.stdout.splitlines()[-1])
    assert dict(zip(commands, seen, strict=True)) == {command: [code, []] for command, code in commands.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_begins_its_docstring(name):
    module, summary = COMMANDS[name]
    loaded = import_module(f"napari_spectrai.cli.{module}")
    function = getattr(loaded, f"{name}_command", None) or getattr(loaded, name)
    assert " ".join(inspect.getdoc(function).split("\n\n")[0].split()) == summary


def test_every_registered_command_is_listed():
    for module, _ in COMMANDS.values():
        import_module(f"napari_spectrai.cli.{module}")
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert sorted(names) == sorted(COMMANDS)
    listed = CliRunner().invoke(app, ["--help"]).output
    assert all(f" {name} " in listed for name in COMMANDS)


def test_a_misspelt_command_names_the_nearest():
    result = CliRunner().invoke(app, ["predct"])
    assert result.exit_code == 2
    assert "'predict'" in result.output


def test_a_usage_error_is_said_once_and_in_words(tmp_path):
    result = CliRunner().invoke(app, ["predict", "none.safetensors", str(tmp_path / "x.h5"), "-o", str(tmp_path / "y.h5")])
    assert result.exit_code == 2
    assert result.output.count("error:") == 1
    assert "no such file" in result.output
