"""Write the reference pages from docstrings, specs, commands and error messages: called by Sphinx's configuration."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import napari_spectrai
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.data_settings import Data, Split
from napari_spectrai.experiment.schema import REGISTRIES
from napari_spectrai.experiment.training import Training
from napari_spectrai.mapping import kinds as maps

ROOT = Path(__file__).resolve().parents[1]
AREAS = {
    "io": "Opening and writing files", "conversion.py": "Arrays, layers and tables", "cube.py": "Cubes", "spectral_axis.py": "Axes",
    "units.py": "Units", "labels.py": "Labels", "marks.py": "Points and shapes as labels", "preparation": "Preprocessing",
    "mapping": "Maps", "experiment": "Experiments", "plan": "Splits and pairs", "networks": "Networks",
    "learn": "Training, prediction, evaluation and export", "runs": "Runs", "cli": "Command line", "widgets": "Docks",
    "parsing.py": "Documents", "spec.py": "Settings", "files.py": "Disks", "reports": "Reports",
}  # fmt: skip
"""Titles of the parts of the program whose errors are listed."""

ROOT_PAGES = ("ARCHITECTURE", "CONTRIBUTING", "SECURITY", "CHANGELOG")


def _root_page(name: str) -> Iterator[str]:
    """Yield a page of the project's folder, with links as they are from the reference."""
    text = (ROOT / f"{name}.md").read_text(encoding="utf-8")
    for other in ROOT_PAGES:
        text = text.replace(f"]({other}.md", f"]({other.lower()}.md")
    yield text.replace("](docs/", "](../").replace("](CITATION.cff)", "](https://doi.org/10.1255/jsi.2022.a7)")


def write(folder: Path) -> None:
    """Write all reference pages into a folder."""
    folder.mkdir(exist_ok=True)
    written = [("api", _api()), ("experiment", _experiment()), ("kinds", _kinds()), ("commands", _commands()), ("errors", _errors())]
    for name, lines in [*written, *((one.lower(), _root_page(one)) for one in ROOT_PAGES)]:
        page = folder / f"{name}.md"
        text = "\n".join(lines) + "\n"
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def _api() -> Iterator[str]:
    yield "# Python reference\n\nAll names of `napari_spectrai`; `import napari_spectrai as spectrai`.\n"
    public = [name for name in napari_spectrai.__all__ if name not in ("__version__", "widgets")]
    functions = [name for name in public if inspect.isfunction(getattr(napari_spectrai, name))]
    for title, names in (("Functions", functions), ("Classes", [name for name in public if name not in functions])):
        yield f"## {title}\n"
        for name in sorted(names):
            value = getattr(napari_spectrai, name)
            directive = "autofunction" if name in functions else "autoclass"
            members = "" if name in functions else "\n:members:"
            yield f"### {name}\n\n```{{eval-rst}}\n.. {directive}:: {value.__module__}.{value.__qualname__}"
            yield ("   " + members.strip() + "\n```\n") if members else "```\n"


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, list):
        return "[" + ", ".join(getattr(one, "kind", str(one)) for one in value) + "]"
    return str(getattr(value, "kind", "empty" if value in (None, "") else value))


def _limits(field: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [f"{signs[name]} {getattr(one, name)}" for one in field.metadata for name in signs if getattr(one, name, None) is not None]
    choices = [value for value in get_args(field.annotation) if isinstance(value, str)]
    return ", ".join(bounds or [f"`{value}`" for value in choices])


def _fields(spec: Any, leave: Iterable[str] = ("kind",)) -> Iterator[str]:
    rows = [(name, field) for name, field in spec.model_fields.items() if name not in leave and not _is_learnt(field)]
    if not rows:
        yield "No settings.\n"
        return
    yield "| setting | default | values | meaning |\n|---|---|---|---|"
    for name, field in rows:
        yield f"| `{name}` | {_cell(_default(field))} | {_cell(_limits(field))} | {_cell(field.description or field.title or '')} |"
    yield ""


def _is_learnt(field: Any) -> bool:
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("learnt"))


def _experiment() -> Iterator[str]:
    yield "# The experiment document\n"
    yield "One YAML mapping; what is omitted has its default. The schema for editors is `experiment.schema.json` at the root of this site"
    yield "and in the package; `napari-spectrai schema` prints it with the kinds of installed plug-ins."
    yield "Kinds and their settings: [kinds](kinds.md).\n"
    yield from _fields(Experiment, ("version",))
    for name, spec in (("data", Data), ("split", Split), ("training", Training)):
        yield f"## {name}\n"
        yield from _fields(spec)


def _kinds() -> Iterator[str]:
    yield "# Kinds\n\nWhat a field with several kinds accepts: the kind alone, or a mapping with `kind` and its settings.\n"
    for registry in (*REGISTRIES.values(), maps):
        yield f"## {registry.what.capitalize()}: kinds\n"
        for kind in registry:
            spec = registry[kind]
            if not spec.__module__.startswith("napari_spectrai."):
                continue
            summary = (inspect.getdoc(spec) or "").split("\n\n")[0].replace("\n", " ")
            yield f"### {registry.what}: {kind}\n\n{_cell(summary)}\n"
            yield from _fields(spec)


def _commands() -> Iterator[str]:
    import typer

    from napari_spectrai.cli.app import COMMANDS, app

    for module, _ in COMMANDS.values():
        import_module(f"napari_spectrai.cli.{module}")
    yield "# Commands\n\nThe options of all commands; [the command line](../command_line.md) shows their use.\n"
    for name, command in sorted(typer.main.get_command(app).commands.items()):  # type: ignore[attr-defined]
        yield f"## {name}\n\n{_cell(command.help)}\n"
        yield "| | meaning |\n|---|---|"
        for one in command.params:
            if getattr(one, "hidden", False) or one.name == "help":
                continue
            words = getattr(one, "help", "") or ""
            called = one.metavar or str(one.name).upper() if one.param_type_name == "argument" else ", ".join(one.opts)
            yield f"| `{called}` | {_cell(words)} |"
        yield ""


def _message(node: ast.expr, constants: Mapping[str, str]) -> str | None:
    """Return the text that an expression makes, with … for values; None if it is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        made = ""
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                made += constants.get(ast.unparse(part.value), "…")
            elif isinstance(part, ast.Constant):
                made += str(part.value)
        return made if re.search(r"[a-z]{3}", made) else None
    return None


def _errors() -> Iterator[str]:
    yield "# Troubleshooting\n"
    yield "Every message names what was found, the limit, and what to do; this list is made from the program, with … for values. Search it"
    yield "for the words of yours. A traceback on the terminal is a mistake of the program: please report it.\n"
    found: dict[str, set[str]] = {}
    package = ROOT / "napari_spectrai"
    for path in sorted(package.rglob("*.py")):
        part = path.relative_to(package).parts[0]
        with_remedy = {text for text in _errors_of(ast.parse(path.read_text(encoding="utf-8"))) if "; " in text or ", " in text}
        found.setdefault(part if part in AREAS else "", set()).update(with_remedy)
    for area, title in (AREAS | {"": "Other parts"}).items():
        yield f"## {title}\n"
        for text in sorted(found.get(area, ())):
            cause, semicolon, remedy = text.partition("; ")
            yield f"- `{_code(cause)}`" + (f"; *{_plain(remedy)}*" if semicolon else "")
        yield ""


def _errors_of(module: ast.Module) -> Iterator[str]:
    """Yield the messages of the errors that a module makes, also of those whose words have a name of their own."""
    constants = {
        line.targets[0].id: line.value.value
        for line in module.body
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name) and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    }  # fmt: skip
    for scope in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
        words: dict[str, list[str]] = {}
        for node in ast.walk(scope):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and (text := _message(node.value, constants)):
                words.setdefault(node.targets[0].id, []).append(text)
        for node in ast.walk(scope):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("Error", "Error.of", "type(error)", "Exit")):
                for argument in node.args:
                    text = _message(argument, constants)
                    yield from [text] if text else words.get(argument.id, []) if isinstance(argument, ast.Name) else []


def _code(text: str) -> str:
    return text.replace("`", "'").replace("\n", " ").strip()


def _plain(text: str) -> str:
    """Escape what Markdown would interpret."""
    return "".join(f"\\{one}" if one in "*_[]`<>\\$#|" else one for one in text.replace("\n", " ")).strip()
