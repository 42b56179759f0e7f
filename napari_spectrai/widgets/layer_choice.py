"""A choice among layers that only a person changes, and the rules by which layers count as truths."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from magicgui.widgets import ComboBox
from napari.layers import Labels, Layer
from napari.viewer import Viewer

from napari_spectrai.plan.subsets import PARTS

EVALUATED = "spectrai_evaluation"
"""Metadata key of layers made by an evaluation, which are not offered for evaluation."""
PREPARED = "prepared"
"""Metadata key of layers made from others by preparation steps."""
_TRUTH = re.compile(r"(?i)(^|[^a-z])(truth|gt|ground[ _-]?truth)([^a-z]|$)")
_LABELS = re.compile(r"(?i)(^|[^a-z])(truth|gt|annotations?|strokes|classes)([^a-z]|$)")
_MARKS = {"ground", "truth", "gt", "annotation", "annotations", "strokes", "classes", "of", "for", "the"}
"""Words in the names of truths that do not say whose they are."""
_RESULT = re.compile(
    r"(?i) · (denoised|calibrated|predicted|classes|probabilities|uncertainty|(probability|uncertainty) of .+|\d+ × enlarged) by"
    r"| · (prepared|resampled|cropped|denoised|calibrated|predicted|uncertainty|applicability|\d+ × enlarged)( \(part\))?( \[\d+\])?$"
)
"""Ends of the names of layers made here: a file may have lost all other information."""


class LayerChoice(ComboBox):
    """A choice of a layer that survives adding and renaming of layers, and becomes empty when the chosen layer is removed.

    Parameters
    ----------
    layers : function that returns the layers to choose from

    Attributes
    ----------
    gone : str
        Name of the chosen layer after its removal; empty otherwise.
    """

    def __init__(self, viewer: Viewer, layers: Callable[[], Sequence[Layer]], **options: Any) -> None:
        self._viewer_of = viewer
        self._chosen: Any = None
        self._last_name = self.gone = ""
        super().__init__(choices=lambda _: list(layers()), nullable=True, **options)
        self.changed.connect(self._remember)

    def _remember(self, layer: Any) -> None:
        self._chosen = layer
        if layer is not None:
            self._last_name, self.gone = str(layer.name), ""

    def choose(self, layer: Any) -> None:
        """Choose a layer, or none, without emitting a signal."""
        with self.changed.blocked():
            self.value = layer
        self.gone = ""
        self._remember(layer)

    def reset_choices(self, *_: Any) -> None:
        """Rebuild the list; napari asks for it whenever layers are added, removed or renamed, and identifies choices by name alone."""
        before = self._chosen
        with self.changed.blocked():
            super().reset_choices()
            there = before is not None and before in self.choices
            if before is not None or self.value is not None:
                self.value = before if there else None
        if before is not None and not there:
            self._chosen, self.gone = None, "" if before in self._viewer_of.layers else self._last_name
            self.changed.emit(None)
        elif before is not None:
            self._last_name = str(before.name)


def own_truth(truths: Sequence[Layer], layer: Layer, others: Sequence[Layer]) -> Layer | None:
    """Return the truth of a layer, by name; without a name that says so, the only truth that belongs to no other layer; else None.

    ``cells truth`` is that of ``cells`` and of ``cells · denoised``, not that of ``leaves``.

    Parameters
    ----------
    truths : layers marked as truths, of the layer's size
    others : other layers that truths may belong to
    """
    rest = {truth: _words(truth.name) - _MARKS for truth in truths}
    mine = [truth for truth in truths if rest[truth] <= _words(layer.name)]
    if mine:
        most = max(len(rest[truth]) for truth in mine)
        found = [truth for truth in mine if len(rest[truth]) == most]
    else:
        found = [truth for truth in truths if not any(rest[truth] <= _words(other.name) for other in others)]
    return found[0] if len(found) == 1 else None


def _words(name: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", str(name).lower()))


def is_made(layer: Layer) -> bool:
    """Whether a layer was made here from another one: a result of a model or method, a prepared layer, the parts of a split."""
    made = isinstance(layer.metadata.get("prediction"), Mapping) or PREPARED in layer.metadata or EVALUATED in layer.metadata
    split = isinstance(layer, Labels) and (layer.metadata.get("class_names") == PARTS or str(layer.name).endswith(" · split"))
    return bool(made or split or _RESULT.search(str(layer.name)))


def is_named_truth(layer: Layer) -> bool:
    """Whether a layer is marked as a truth: by its name or, for labels, by the names of its classes."""
    if is_made(layer):
        return False
    names = layer.metadata.get("class_names")
    if isinstance(layer, Labels):
        return bool((isinstance(names, Mapping) and names) or _LABELS.search(str(layer.name)))
    return bool(_TRUTH.search(str(layer.name)))
