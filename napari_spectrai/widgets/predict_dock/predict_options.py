"""Settings of a prediction: tiles, device, uncertainty, test-time augmentation, and models to average with or to apply next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container
from psygnal import Signal

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.experiment.card import ModelCard, has_applicability, read_card
from napari_spectrai.experiment.obstacles import Applied, Obstacle, Onto, differs, obstacles
from napari_spectrai.experiment.untrained import ready_card, ready_spec
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.widgets.dock import rows, text
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.predict_dock.model_list import Entry, Ticks, as_model, named
from napari_spectrai.widgets.preferences import preferences

_TILES = (16, 32, 64, 128, 256, 512, 1024, 2048)
ALONE = "no second model"
AS_TRAINED = -1
"""Choice of the radius that the training has found."""
_RADII = (1, 2, 3, 4, 6, 8, 12, 16)
_DEVICES = [("automatic", "auto"), ("processor (CPU)", "cpu"), ("graphics card (CUDA)", "cuda"), ("graphics chip (Apple)", "mps")]


class PredictOptionsForm(Container[Any]):
    """The settings under the fold.

    Signals
    -------
    updated : a setting has changed
    """

    updated = Signal()

    def __init__(self) -> None:
        self._followers: list[Entry] = []
        self.tile = ComboBox(
            choices=[("automatic", 0), *((f"{side} × {side} pixels", side) for side in _TILES)], value=0, label="Tile", name="tile",
            tooltip="how much of an image is processed at a time: smaller tiles take less memory, larger ones are faster",
        )  # fmt: skip
        self.device = ComboBox(choices=_DEVICES, value=preferences().device, label="Device", name="device", tooltip="where to compute")
        self.uncertain = CheckBox(
            value=False, text="Uncertainty", name="uncertainty",
            tooltip="standard deviation as a second layer: over several passes with dropout, or over the averaged models",
        )  # fmt: skip
        self.views = CheckBox(
            value=False, text="Test-time augmentation", name="views",
            tooltip="test-time augmentation: average over rotations and reflections of each image; slower, a little better",
        )  # fmt: skip
        self._trained_radius = 0
        self.smoothing = ComboBox(
            choices=self._radii, label="Smoothing", name="smoothing", visible=False,
            tooltip="class probabilities of an image are smoothed along its edges (guided filter); a larger radius removes larger specks, "
            "none shows what is said of each pixel",
        )  # fmt: skip
        self.applicability = CheckBox(
            value=True, text="Applicability map", name="applicability",
            tooltip="how far each spectrum is from the training spectra, as a hidden layer: above 1, the scores of the model do not hold",
        )  # fmt: skip
        self._unlike = text("applicability_note")
        self.then = ComboBox(
            choices=lambda _: [(ALONE, ""), *self._followers], label="Apply next", name="then",
            tooltip="a second model, applied to the result of the first: for example, denoise, then enlarge",
        )  # fmt: skip
        self._about = text("averages")
        self.ensemble = Ticks("average_with", "average the results with those of this model")
        first = rows(self.smoothing, self.tile, self.device, self.uncertain, self.views, self.applicability, self.then)
        inside = [first, self._unlike, self._about, self.ensemble]
        super().__init__(widgets=[FoldBox("Tiles, device, uncertainty, several models", inside)], labels=False, name="predict_options")
        self.margins = (0, 0, 0, 0)
        for editor in (self.smoothing, self.tile, self.device, self.uncertain, self.views, self.applicability, self.then):
            editor.changed.connect(lambda _: self.updated.emit())
        self.ensemble.updated.connect(self.updated)

    def _radii(self, _: Any = None) -> list[tuple[str, int]]:
        others = [(f"radius {radius} pixel{'s' if radius > 1 else ''}", radius) for radius in _RADII if radius != self._trained_radius]
        return [(f"as trained: radius {self._trained_radius}", AS_TRAINED), ("none", 0), *others]

    def _offer_smoothing(self, card: ModelCard | None) -> None:
        """Offer another radius where the training has found one: then the model knows which channels guide the smoothing."""
        radius = smoothing_of(card)
        if radius != self._trained_radius:
            self._trained_radius = radius
            with self.smoothing.changed.blocked():
                self.smoothing.reset_choices()
                self.smoothing.value = AS_TRAINED
        self.smoothing.visible = radius > 0

    @property
    def radius(self) -> int | None:
        """The radius that replaces that of the training; None: it stays."""
        return None if not self._trained_radius or self.smoothing.value in (None, AS_TRAINED) else int(self.smoothing.value)

    def smoothed(self, card: ModelCard) -> ModelCard:
        """Return the card of the model with the chosen radius, which decides how far it looks."""
        if self.radius is None:
            return card
        network = card.experiment.network.model_copy(update={"radius": self.radius})
        return replace(card, experiment=card.experiment.model_copy(update={"network": network}))

    def offer(self, found: list[Entry], model: Path | str | None, card: ModelCard | None) -> None:
        """Offer the models that can be combined with the one chosen."""
        self._offer_smoothing(card)
        kept = self.then.value
        with self.then.changed.blocked():
            self._followers = []
            self.then.reset_choices()
            self._followers = [entry for entry in found if entry[1] != str(model)]
            self.then.reset_choices()
            self.then.value = kept if kept in [value for _, value in self._followers] else ""
        like: list[Entry] = []
        if card is not None and isinstance(model, Path):
            for label, value in found:
                other = as_model(value)
                if isinstance(other, Path) and other != model and (read := _card(other)) is not None and not differs(card, read):
                    like.append((label, value))
        self.ensemble.offer(like)
        self.applicability.enabled = isinstance(model, Path) and has_applicability(model)
        self._unlike.value = "This model file contains no training spectra for comparison: no applicability map is available."
        self._unlike.visible = card is not None and isinstance(model, Path) and not self.applicability.enabled
        self._about.value = (
            "Average with" if like else "Average with: no other model in the list has the same task, axis and classes."
            if isinstance(model, Path) else "Average with: available for trained models, not for methods."
        )  # fmt: skip

    def suit(self, card: ModelCard | None) -> None:
        """Disable what does not apply to the chosen models."""
        cards = [] if card is None else [card]
        if self.then.value and (follower := self.follower(card.axis if card else SpectralAxis.bands(1))) is not None:
            cards.append(follower)
        self.views.enabled = bool(cards) and all(one.experiment.looks_around for one in cards)
        last = cards[-1] if cards else None
        drops = last is not None and last.experiment.network.has_dropout
        averaged = bool(self.ensemble.ticked) and len(cards) == 1
        self.uncertain.enabled = drops or averaged

    @property
    def averaged_with(self) -> list[ModelCard]:
        """The cards of the models to average with the one chosen."""
        return [card for path in self.ensemble.ticked if (card := _card(Path(path))) is not None]

    def follower(self, axis: SpectralAxis) -> ModelCard | None:
        """Return the card of the second model, if there is one.

        Raises
        ------
        ValueError
            If its file cannot be read.
        """
        model = as_model(self.then.value or None)
        if model is None:
            return None
        return ready_card(ready_spec(model), axis) if isinstance(model, str) else read_card(model)

    def obstacles(self, name: str, card: ModelCard, onto: Onto, *, resample: bool = False) -> list[Obstacle]:
        """Return what keeps a model, with these settings, from a cube; nothing if it can be applied."""
        try:
            follower = self.follower(card.truth_axis)
        except (ValueError, OSError) as error:
            return [Obstacle(str(error))]
        others = [Applied(Path(path).name, other) for path in self.ensemble.ticked if (other := _card(Path(path))) is not None]
        then = [] if follower is None else [Applied(named(self.then.value), follower)]
        chosen = self.chosen()
        return obstacles(
            [Applied(name, card), *others],
            then,
            onto,
            tile=chosen.tile,
            views=chosen.views,
            uncertainty=chosen.uncertainty,
            resample=resample,
        )

    def chosen(self) -> PredictOptions:
        """Return how the model is to be applied."""
        return PredictOptions(
            tile=self.tile.value or None, device=self.device.value, uncertainty=bool(self.uncertain.value and self.uncertain.enabled),
            views=bool(self.views.value and self.views.enabled), ensemble=tuple(self.ensemble.ticked),
            then=(self.then.value,) if self.then.value else (),
            applicability=bool(self.applicability.value) if self.applicability.enabled else None,
            settings={} if self.radius is None else {"radius": self.radius},
        )  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values, for the metadata of results."""
        options = self.chosen()
        return {
            "tile": options.tile, "device": options.device, "uncertainty": options.uncertainty, "views": options.views,
            "ensemble": list(options.ensemble), "then": self.then.value or None,
            **options.settings,
        }  # fmt: skip


def smoothing_of(card: ModelCard | None) -> int:
    """Return the radius, in pixels, with which a model smooths class maps; 0 if it does not."""
    network = None if card is None or not card.classes else card.experiment.network
    return network.radius if isinstance(network, Automatic) else 0


def _card(path: Path) -> ModelCard | None:
    try:
        return read_card(path)
    except (ValueError, OSError):  # reported when it is chosen itself
        return None
