"""A choice among layers that only a person changes, and which layers can be taken for a truth without asking."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from magicgui.widgets import ComboBox
from napari.layers import Labels, Layer
from napari.viewer import Viewer

from napari_spectrai.plan.subsets import PARTS

EVALUATED = "spectrai_evaluation"
"""In the metadata of layers that an evaluation made, and that are nothing to judge."""
PREPARED = "prepared"
"""In the metadata of layers that were made of others by preparation steps."""
_TRUTH = re.compile(r"(?i)(^|[^a-z])(truth|gt|ground[ _-]?truth)([^a-z]|$)")
_LABELS = re.compile(r"(?i)(^|[^a-z])(truth|gt|annotations?|strokes|classes)([^a-z]|$)")
_RESULT = re.compile(
    r"(?i) · (denoised|calibrated|predicted|classes|probabilities|uncertainty|\d+ × enlarged) by"
    r"| · (prepared|resampled|cropped|denoised|calibrated)( \[\d+\])?$"
)
"""Ends of the names that layers made here have: a file may have lost everything else."""


class LayerChoice(ComboBox):
    """A list of layers whose choice stays when layers come or are renamed, and becomes empty when the chosen one is removed.

    Parameters
    ----------
    layers : gives the layers to choose from

    Attributes
    ----------
    gone : str
        The name of the layer that was chosen and has been removed; empty otherwise.
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
        """Choose a layer, or none, without a word to those who listen."""
        with self.changed.blocked():
            self.value = layer
        self.gone = ""
        self._remember(layer)

    def reset_choices(self, *_: Any) -> None:
        """Make the list anew; napari does so whenever a layer comes, goes or is renamed, and knows choices by their names alone."""
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


def is_made(layer: Layer) -> bool:
    """Whether a layer was made here of another one: a result of a model or a method, a prepared layer, the parts of a split."""
    made = isinstance(layer.metadata.get("prediction"), Mapping) or PREPARED in layer.metadata or EVALUATED in layer.metadata
    split = isinstance(layer, Labels) and (layer.metadata.get("class_names") == PARTS or str(layer.name).endswith(" · split"))
    return bool(made or split or _RESULT.search(str(layer.name)))


def is_named_truth(layer: Layer) -> bool:
    """Whether somebody has said that a layer is a truth: by its name or, of labels, by the names of its classes."""
    if is_made(layer):
        return False
    names = layer.metadata.get("class_names")
    if isinstance(layer, Labels):
        return bool((isinstance(names, Mapping) and names) or _LABELS.search(str(layer.name)))
    return bool(_TRUTH.search(str(layer.name)))
