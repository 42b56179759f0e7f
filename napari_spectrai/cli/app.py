"""The command line itself: its commands, whose modules are imported when they run, exit codes and messages."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from napari_spectrai.files import is_of_the_disk, local
from napari_spectrai.parsing import printable
from napari_spectrai.remedies import advising_everywhere

DONE, FAILED, WRONG_USE, STOPPED = 0, 1, 2, 3

GIVEN: list[str] = []
"""The command and its arguments, as this process was given them."""
COMMANDS = {
    "train": ("train_command", "Train a network; stop with Ctrl-C, resume with --resume."),
    "sweep": (
        "sweep_command",
        "Train with every combination of some values, one run folder each; repeated, it resumes what is missing.",
    ),
    "predict": (
        "predict_command",
        "Apply a model to a file. Classes are written as a label image (or .csv), probabilities and components next to it.",
    ),
    "evaluate": (
        "evaluate_command",
        "Print the scores of results against the truth, with the raw source and classical methods for comparison.",
    ),
    "preprocess": ("preprocess_command", "Apply preparation steps to a file."),
    "map": (
        "map_command",
        "Compute maps from a file: band images, fitted peaks, components, abundances of given spectra, library matches.",
    ),
    "regions": ("regions_command", "Write the mean spectrum of each labelled region as .h5ad or .csv."),
    "info": ("info_command", "Describe a file."),
    "estimate": ("train_command", "Estimate the size of a training, its duration here and its memory, from a few steps on synthetic data."),
    "report": ("train_command", "Write the report of a run, one HTML file, from its run folder."),
    "curves": ("curves_command", "Write the curves of a run as CSV, one row per epoch, or for TensorBoard."),
    "export": (
        "export_command",
        "Write a model for other programs, with its preparation: ONNX, torch.export (.pt2) or BioImage Model Zoo (.bioimage.zip).",
    ),
    "schema": ("schema_command", "Print or write the JSON schema of experiments, with which editors complete and check YAML."),
    "sample": (
        "sample_command",
        "Write bundled data as files: NAME.h5, its truth NAME-truth.h5, its classes NAME-labels.tif; or the bundled model.",
    ),
    "demo": (
        "train_command",
        "Train a Raman denoiser on the bundled pairs, print its scores and those of the classical methods, and show it.",
    ),
}
"""Module of this package that registers each command, and its summary: the first paragraph of its docstring."""


class LazyCommands(TyperGroup):
    """Commands whose modules are imported when they are used, so that help and usage errors do not wait for what one of them needs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        known = self.commands
        self.commands = {name: known.get(name) or TyperCommand(name, help=summary) for name, (_, summary) in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of a command, the command and its arguments."""
        args[:] = [_as_path(word) for word in args]
        GIVEN[:] = args
        if args and args[0] in COMMANDS:
            import_module(f"napari_spectrai.cli.{COMMANDS[args[0]][0]}")
            built: Any = typer.main.get_command(app)  # again, with the command that the module has registered
            command = self.commands[args[0]] = built.commands[args[0]]
            for one in command.params:
                if one.param_type_name == "argument":
                    one.metavar = one.metavar or str(one.name).upper()
        return super().resolve_command(ctx, args)


def _as_path(word: str) -> str:
    """Return an argument, or the value of an option, that is an address of a file here (``file://…``) as its path."""
    name, joint, value = word.partition("=") if word.startswith("-") else ("", "", word)
    return f"{name}{joint}{local(value)}" if value.startswith("file:/") else word


app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    add_completion=False,
    help="Deep learning on spectral images.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _Terminal(Console):
    """A console that shows the control characters of what it prints, and does not obey them."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print texts, paths and what else rich draws."""
        super().print(*(printable(one) if isinstance(one, str) else one for one in objects), **options)


console = _Terminal(stderr=True)


def echo(what: object, *, nl: bool = True) -> None:
    """Print what a command was asked for to the standard output; control characters of texts of strangers are shown, not obeyed."""
    typer.echo(printable(str(what)), nl=nl)  # noqa: TID251


def _show_version(asked: bool) -> None:  # noqa: FBT001  # as typer calls it
    if asked:
        echo(f"napari-spectrai {version('napari-spectrai')}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    asked: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="say which version this is")] = False,
) -> None:
    """Deep learning on spectral images."""
    context.with_resource(advising_everywhere("command"))


@contextmanager
def exit_with(code: int) -> Iterator[None]:
    """Print errors that a user can fix as a message, with an exit code; anything else is a bug and keeps its traceback."""
    try:
        yield
    except typer.Exit:  # a RuntimeError, too, whose text is only the code
        raise
    except FileNotFoundError as error:  # a name that leads nowhere is the same mistake in every command
        say_error(error)
        raise typer.Exit(WRONG_USE) from error
    except (ValueError, OSError, RuntimeError, FloatingPointError, MemoryError, ImportError) as error:
        say_error(error)
        raise typer.Exit(FAILED if is_of_the_disk(error) else code) from error


def say_error(error: BaseException) -> None:
    """Print an error as a message."""
    console.print("error:", style="red", end=" ")
    console.print(in_words(error), highlight=False, soft_wrap=True, markup=False)


def in_words(error: BaseException) -> str:
    """Return the message of an error; of a full disk that names no file, which is that of the output, with the remedy."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        where = "on the disk that the output (log) of this command is written to; free some space there, or choose another disk"
        return f"{error.strerror} {where}; what was saved before is untouched"
    return str(error)


def say_notes(notes: Sequence[str]) -> None:
    """Print the notes on a result."""
    for note in notes:
        console.print("note:", style="yellow", end=" ")
        console.print(note, highlight=False, soft_wrap=True, markup=False)
