"""Values of a document of spectrai (Horgan & Bergholt 2022), key by key, with missing and unknown ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from napari_spectrai.spec import Problem, listed

NONE = "None"
"""How spectrai writes an absent value."""

KEYS: dict[str, tuple[str, ...]] = {
    "Task_Options": ("task", "classes"),
    "Training_Options": ("training_option", "pretrained_network", "pretrained_classes"),
    "Network_Hyperparameters": ("network", "dimension", "activation", "normalization"),
    "Training_Hyperparameters": (
        "epochs", "batch_size", "learning_rate", "input_image_size", "target_image_size", "spectrum_length", "optimizer", "scheduler",
        "criterion",
    ),
    "Preprocessing": ("spectral_crop_start", "spectral_crop_end", "background_subtraction", "data_normalization"),
    "Data_Augmentation": (
        "horizontal_flip", "vertical_flip", "rotation", "random_crop", "spectral_shift", "spectral_flip", "spectral_background", "mixup",
    ),
    "DataManager_Options": (
        "data_format", "data_directory", "train_input_data", "val_input_data", "test_input_data", "train_target_data", "val_target_data",
        "test_target_data", "shuffle", "seed", "train_split", "val_split", "test_split",
    ),
    "State_Dicts": ("net_state_dict", "optimizer_state_dict", "scheduler_state_dict"),
}  # fmt: skip
SECTION = {key: section for section, keys in KEYS.items() for key in keys}


class Old:
    """The values of a document by key; missing and unknown ones are recorded when they are read."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.problems: list[Problem] = []
        self.missing: list[str] = []
        self.changes: list[str] = []
        self._values: dict[str, Any] = {}
        for section, content in document.items():
            if section not in KEYS:
                self.problems.append(Problem("", f"there is no section {section!r}; {listed(KEYS, str(section))}"))
            elif not isinstance(content, Mapping):
                self.problems.append(Problem(section, f"{content!r} is not a section; its settings are {', '.join(KEYS[section])}"))
            else:
                self._take(section, content)

    def _take(self, section: str, content: Mapping[str, Any]) -> None:
        for key, value in content.items():
            if key in KEYS[section]:
                self._values[key] = NONE if value is None else value
            else:
                self.problems.append(Problem(f"{section}.{key}", f"there is no such setting; {listed(KEYS[section], str(key))}"))

    def _refuse(self, key: str, why: str) -> None:
        self.problems.append(Problem(f"{SECTION[key]}.{key}", f"{self._values.get(key)!r} {why}"))

    def note(self, *notes: str) -> None:
        """Record changes."""
        self.changes += notes

    def value(self, key: str, default: Any = NONE) -> Any:
        """Return the value in the document, or that of the published documents."""
        if key not in self._values:
            shown = default if isinstance(default, str) else f"{default:g}"
            if key not in ("val_input_data", "test_input_data", "val_target_data", "test_target_data", *KEYS["State_Dicts"]):
                self.missing.append(f"{key} {shown}")
            self._values[key] = default
        return self._values[key]

    def choice(self, key: str, known: Iterable[str], default: str = "") -> str:
        """Return one of the known words."""
        known = list(known)
        if not default and key not in self._values:
            self.problems.append(Problem(f"{SECTION[key]}.{key}", f"is missing; {listed(known)}"))
            return known[0]
        value = str(self.value(key, default))
        if value not in known:
            self._refuse(key, f"is not understood; {listed(known, value)}")
            return known[0]
        return value

    def number(self, key: str, default: float, *, least: float = 0, whole: bool = True) -> Any:
        """Return a number of at least `least`."""
        value = self.value(key, default)
        kind = int if whole else float
        try:
            number = kind(value)  # YAML reads 1e-4, without a point, as text
            if isinstance(value, bool) or number != float(value) or not least <= number < float("inf"):
                raise ValueError(value)
        except (TypeError, ValueError, OverflowError):
            self._refuse(key, f"is not {'an integer' if whole else 'a number'} of at least {least:g}")
            return kind(default)
        return number

    def share(self, key: str) -> float | None:
        """Return a percentage, or None."""
        if self.value(key) == NONE:
            return None
        share = float(self.number(key, 10, whole=False))
        if share > 100:
            self._refuse(key, "is more than 100 %")
        return min(share, 100.0)

    def flag(self, key: str, default: int) -> bool:
        """Return whether a flag is set."""
        value = self.value(key, default)
        is_number = isinstance(value, int | float) and isfinite(value)
        if str(value) not in ("0", "1", "0.0", "1.0", "True", "False", NONE) and not is_number:
            self._refuse(key, "is neither on (1) nor off (0)")
        return str(value) not in ("0", "0.0", "False", NONE)

    @property
    def seed(self) -> int:
        """The seed, 0 if none is given."""
        return 0 if self.value("seed") == NONE else int(self.number("seed", 0))

    def given(self, key: str) -> str:
        """Return a path, or an empty text."""
        value = self.value(key)
        if not isinstance(value, str):
            self._refuse(key, "is not the path of a file or folder; write it in quotes, or 'None'")
            return ""
        return "" if value == NONE else value
