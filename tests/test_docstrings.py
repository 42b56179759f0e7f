"""The documentation of public objects: complete, and its examples run."""

import doctest
import inspect
import re

import pytest

import napari_spectrai as spectrai

CLASSES = [name for name in spectrai.__all__ if inspect.isclass(getattr(spectrai, name))]
FUNCTIONS = [name for name in spectrai.__all__ if inspect.isfunction(getattr(spectrai, name))]
METHODS = [
    f"{name}.{attribute}"
    for name in CLASSES
    for attribute, value in vars(getattr(spectrai, name)).items()
    if not attribute.startswith("_") and (inspect.isfunction(value) or isinstance(value, classmethod | staticmethod | property))
]
NO_EXAMPLE = {"SpectralWarning"}


def resolved(name):
    found = spectrai
    for part in name.split("."):
        found = inspect.getattr_static(found, part) if inspect.isclass(found) else getattr(found, part)
    return found.__func__ if isinstance(found, classmethod | staticmethod) else found.fget if isinstance(found, property) else found


def sections(text):
    """Return the sections of a numpydoc docstring by their titles."""
    parts = re.split(r"\n[ ]*([A-Z][A-Za-z ]+)\n[ ]*-{4,}\n", f"\n{inspect.cleandoc(text)}\n")
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented(section):
    """Return the names that a section of parameters describes."""
    names = re.findall(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: :|$)", section, re.MULTILINE)
    return {one.strip().lstrip("*") for line in names for one in line.split(",")}


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES, *METHODS])
def test_a_public_object_has_a_docstring_of_sentences(name):
    text = inspect.getdoc(resolved(name))
    assert text
    assert text.split("\n\n")[0].rstrip().endswith((".", "`"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_describes_each_parameter_and_what_it_returns(name):
    function = resolved(name)
    found = sections(function.__doc__)
    parameters = {one for one, kind in inspect.signature(function).parameters.items() if kind.kind is not kind.VAR_KEYWORD}
    assert name in {"compare", "judge"} or parameters <= documented(found["Parameters"])
    assert name in {"compare", "judge"} or {"Returns", "Yields"} & set(found)


@pytest.mark.parametrize("name", METHODS)
def test_a_public_method_describes_each_parameter_and_what_it_returns(name):
    method = resolved(name)
    signature = inspect.signature(method)
    parameters = {one for one, kind in signature.parameters.items() if kind.kind is not kind.VAR_KEYWORD} - {"self", "cls"}
    found = sections(method.__doc__)
    assert parameters <= documented(found.get("Parameters", ""))
    assert not parameters or {"Returns", "Yields"} & set(found) or signature.return_annotation in ("None", None)


@pytest.mark.parametrize("name", ["Cube", "SpectralAxis", "Labels", "Sample", "Preparation", "Run"])
def test_a_public_class_describes_each_parameter_of_its_constructor(name):
    found = sections(resolved(name).__doc__)
    parameters = set(inspect.signature(resolved(name)).parameters)
    assert parameters <= documented(found["Parameters"])


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, *CLASSES} - NO_EXAMPLE - {"compare", "judge"}))
def test_the_example_of_a_public_object_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = [test for test in doctest.DocTestFinder(recurse=True).find(resolved(name), name) if test.examples]
    assert any(test.name == name for test in examples), "no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in examples:
        report: list[str] = []
        assert runner.run(test, out=report.append).failed == 0, "".join(report)
