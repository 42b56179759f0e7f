"""The command line before any work: what it lists, and what it imports for that."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_spectrai.cli import app
from napari_spectrai.cli.app import COMMANDS
from napari_spectrai.experiment.card import read_card
from napari_spectrai.remedies import shell
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


def test_a_usage_error_is_said_once_and_in_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("cube.npy", np.ones((3, 4, 5), np.float32))
    Path("e.yml").write_text("data: {input: [cube.npy]}")
    model = str(sample_model())
    for command, words in {
        ("predict", "none.safetensors", "x.h5", "-o", "y.h5"): "no such file",
        ("predict", "cube.npy", model, "-o", "y.h5"): "the model comes first",
        ("predict", "savitzky_golay", "cube.npy", "-o", "y.h5", "--set", "window=10"): "window of 10 bands is even; choose 9 or 11",
        ("predict", "savitzky_golay", "cube.npy", "-o", "y.h5", "--set", "window=5", "--set", "order=5"): "order 5 needs a window of more",
        ("estimate", "e.yml", "epochs=3"): "write training.epochs",
        ("train", "e.yml", "epochs=3"): "write training.epochs",
        ("export", model, "-o", "x.pth"): "known: .bioimage.zip, .onnx, .pt2",
        ("curves", "cube.npy", "-o", "x.csv"): "contains no run",
        ("report", "cube.npy"): "contains no run",
    }.items():
        result = CliRunner().invoke(app, list(command))
        assert (result.exit_code, result.output.count("error:")) == (2, 1), command
        assert words in result.output
    with pytest.raises(ValueError, match="cube.npy is not a model file"):
        read_card("cube.npy")


def test_help_names_arguments_in_capitals_once():
    for name in COMMANDS:
        usage = CliRunner().invoke(app, [name, "-h"]).output.split("Usage:")[1].split("\n\n")[0]
        assert "]...]" not in usage, usage
        assert all(word == word.upper() for word in re.findall(r"[{][^}]*[}]", usage)), usage


def test_a_command_that_is_printed_can_be_pasted(tmp_path):
    words = ["train", tmp_path / "a run's $HOME; é", "--resume"]
    printed = subprocess.run(
        ["bash", "-c", f"napari-spectrai() {{ printf '%s\\n' \"$@\"; }}; {shell(*words)}"], capture_output=True, check=True
    )
    assert printed.stdout.decode().splitlines() == [str(word) for word in words]
