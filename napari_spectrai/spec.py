"""Named settings objects, and the registries of their kinds."""

from __future__ import annotations

import difflib
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, model_validator
from pydantic.config import JsonDict
from pydantic_core import CoreSchema, core_schema

from napari_spectrai.parsing import brief

_NAMED = 6
"""Names in a list in words, at most."""


def some_of(names: Sequence[str]) -> str:
    """Return names as a list in words, the first ones of many."""
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMED])} and {more:,} others"


def listed(known: Any, given: str = "") -> str:
    """Return ``"known: a, b, c"``, with a suggestion if a name is similar to `given`."""
    names = sorted(known)
    near = similar(given, names)
    return f"known: {', '.join(names)}" + (f" (did you mean {near}?)" if near else "")


def similar(given: str, names: Sequence[str]) -> str:
    """Return the name that `given` may stand for: the only one that starts with it, or the most similar one; empty if there is none."""
    longer = [name for name in names if name.startswith(given)] if given else []
    return longer[0] if len(longer) == 1 else next(iter(difflib.get_close_matches(given, names, n=1)), "")


class Spec(BaseModel):
    """Settings as plain data: frozen, validated, and converted to YAML or JSON without loss.

    A setting is declared once, as a field with its bounds and a description; forms, the command line,
    documents and model files all use this field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    title: ClassVar[str] = ""
    """Display name, in addition to the code `kind`."""

    if not TYPE_CHECKING:  # type checkers see the signature that the fields make

        def __init__(self, **settings: Any) -> None:
            try:
                super().__init__(**settings)
            except ValidationError as error:
                raise SettingsError(problems(error), type(self).__name__) from None

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, value: Any) -> Any:
        unknown = [name for name in value if name not in cls.model_fields] if isinstance(value, Mapping) else []
        if not unknown:
            return value
        known = cls.model_fields
        words = (f"there is no setting {brief(name)} here; {listed(known, brief(name).strip(chr(39)))}" for name in unknown)
        found = [Problem("", one) for one in words]
        try:  # a document is mended in one go: the values of the known settings are checked, too
            cls.model_validate({name: one for name, one in value.items() if name not in unknown})
        except ValidationError as error:
            found += problems(error)
        if len(found) == 1:
            raise ValueError(found[0].message)
        raise SettingsError(found)


class Named(Spec):
    """A spec that is one of several kinds, identified by its ``kind``; it names its implementation as text.

    `implementation` is ``"module:attribute"`` (or, in a notebook, the object itself). It is imported only when
    something is built, so that forms and files can use every kind without loading torch.
    """

    kind: str
    implementation: ClassVar[Any] = ""
    tasks: ClassVar[frozenset[str] | None] = None
    """Kinds of the tasks that it suits; None: all of them."""

    @classmethod
    def load(cls) -> Any:
        """Import the implementation of this spec."""
        return resolve(cls.implementation) if isinstance(cls.implementation, str) else cls.implementation


def resolve(text: str) -> Any:
    """Import ``"module:attribute"``."""
    module, _, attribute = text.partition(":")
    return getattr(import_module(module), attribute)


OURS = "napari-spectrai"


def _package_of(entry: EntryPoint) -> str:
    """Return the name of the package that declares an entry point."""
    return _name_of(entry.dist) if entry.dist is not None else ""


@cache
def _name_of(package: Distribution) -> str:
    """Return the name of an installed package; its metadata are parsed whenever it is asked, so it is asked once."""
    return str(package.name)


@cache
def _declared() -> Any:
    """Return all entry points; the metadata of every installed package are read."""
    return entry_points()


class PluginWarning(UserWarning):
    """A contribution of an installed package cannot be used; all others can."""


S = TypeVar("S", bound=Named)


def in_words(**choices: str) -> JsonDict:
    """Give the choices of a field the words that forms show for them; documents hold the choices themselves."""
    return {"words": dict(choices)}


class Registry(Generic[S]):
    """The kinds of one thing, from an entry-point group or registered in this process.

    Use it as the annotation of a field, ``Annotated[SerializeAsAny[NetworkSpec], networks]``: the field then
    accepts a spec, a mapping with a ``kind``, or the kind alone.

    Parameters
    ----------
    renamed : kinds of earlier versions, which documents may still contain, and the kinds that replace them
    """

    def __init__(self, what: str, renamed: Mapping[str, str] | None = None) -> None:
        self.what = what
        self._renamed = dict(renamed or {})
        self.group = f"napari_spectrai.{what}{'es' if what.endswith('s') else 's'}"
        self._kinds: dict[str, type[S]] = {}
        self._loaded = False
        self._loading: set[int] = set()
        """Threads that are loading the kinds."""
        self._local: set[str] = set()

    def add(self, cls: type[S]) -> type[S]:
        """Register `cls` in this process; use it as a decorator. Another process needs the entry point."""
        kind = self._kind_of(cls)
        self._kinds[kind] = cls
        self._local.add(kind)
        return cls

    @staticmethod
    def _kind_of(kind: type[S]) -> str:
        name = kind.model_fields["kind"].default
        if not isinstance(name, str) or not name:
            raise ValueError(f"{kind.__name__} has no kind; write kind: Literal['name'] = 'name'")
        return name

    def _all(self) -> dict[str, type[S]]:
        # a module of a kind may ask for others while it is imported; another thread waits for none, since imports wait for each other
        if not self._loaded and (thread := threading.get_ident()) not in self._loading:
            self._loading.add(thread)
            # our own first, so that no other package replaces a kind used in documents and models
            entries = sorted(_declared().select(group=self.group), key=lambda entry: (_package_of(entry) != OURS, _package_of(entry)))
            left_out = [(entry, why) for entry in entries if (why := self._take(entry))]
            first, self._loaded = not self._loaded, True
            for entry, why in left_out if first else ():  # after all others, since a warning may be turned into an error
                package = _package_of(entry) or "an installed package"
                warnings.warn(f"{self.what} {entry.name!r} of {package} is left out: {why}", PluginWarning, stacklevel=3)
        return self._kinds

    def _take(self, entry: EntryPoint) -> str:
        """Add the kind of an entry point; return why it cannot be used, or an empty text."""
        try:
            loaded = entry.load()
            if not (isinstance(loaded, type) and issubclass(loaded, Named)):
                raise TypeError(f"{entry.value} is not a settings class (a subclass of napari_spectrai.spec.Named)")
            cls = cast("type[S]", loaded)
            kind = self._kind_of(cls)
        except Exception as error:  # noqa: BLE001  # of a stranger's module: whatever it raises while it is imported
            return f"{type(error).__name__}: {error}"
        known = self._kinds.setdefault(kind, cls)
        if known is cls or kind in self._local:
            return ""
        return f"its kind {kind!r} is that of {known.__module__}.{known.__qualname__}; it needs another kind"

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._all()))

    def __getitem__(self, kind: str) -> type[S]:
        known = self._all()
        if kind not in known:
            raise ValueError(f"there is no {self.what} {kind[:200]!r}; {listed(known, kind[:200])}")
        return known[kind]

    def knows(self, kind: str) -> bool:
        """Whether there is this kind, under its present or a former name."""
        return self._renamed.get(kind, kind) in self._all()

    def is_local(self, kind: str) -> bool:
        """Whether `kind` was registered in this process only, so that another process cannot know it."""
        return kind in self._local

    def parse(self, value: Any) -> Any:
        """Return the spec for a kind, a mapping with a kind, or a spec."""
        if isinstance(value, str):
            value = {"kind": value}
        if isinstance(value, Named):
            return value
        if not isinstance(value, Mapping):
            raise ValueError(f"{brief(value)} is not a {self.what}; pass its kind, or a mapping with a kind; {listed(self._all())}")
        if "kind" not in value:
            raise ValueError(f"the 'kind' of the {self.what} is missing; {listed(self._all())}")
        kind = value["kind"] if isinstance(value["kind"], str) else brief(value["kind"])
        kind = self._renamed.get(kind, kind)
        try:
            parsed = self[kind].model_validate({**value, "kind": kind})
        except ValidationError as error:
            raise SettingsError(problems(error)) from None
        return parsed

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.parse, handler(source))


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem in a document: its path, and a message (value, limit, remedy)."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def problems(error: ValidationError) -> list[Problem]:
    """Return the errors of pydantic, each with its dotted path, through nested specs."""
    collected: list[Problem] = []
    for line in error.errors():
        path = ".".join(str(part) for part in line["loc"])
        cause = (line.get("ctx") or {}).get("error")
        if isinstance(cause, ValidationError):
            collected += [Problem(".".join(filter(None, [path, p.path])), p.message) for p in problems(cause)]
        elif isinstance(cause, SettingsError):
            collected += [Problem(".".join(filter(None, [path, p.path])), p.message) for p in cause.problems]
        elif isinstance(cause, ValueError):
            collected.append(Problem(path, str(cause)))
        elif line["type"] == "missing":
            collected.append(Problem(path, "it is missing"))
        else:
            message = line["msg"][0].lower() + line["msg"][1:]
            given = "empty" if line["input"] is None else f"{brief(line['input'])} does not fit"
            collected.append(Problem(path, f"{given}: {message}"))
    return collected


class SettingsError(ValueError):
    """A document that cannot be used, with all of its problems."""

    def __init__(self, found: list[Problem], where: str = "") -> None:
        self.problems = found
        super().__init__("\n".join(f"{where}: {problem}" if where else str(problem) for problem in found))
