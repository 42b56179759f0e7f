"""What the steps of a list find in a layer, such as spikes: counted on a thread, shown under the steps, accepted or rejected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtWidgets import QWidget

from napari_spectrai.preparation import Despike, Step, read_steps
from napari_spectrai.spec import SettingsError
from napari_spectrai.widgets.layers import as_cube
from napari_spectrai.widgets.preprocess_dock.spike_review import SpikeReview
from napari_spectrai.widgets.preprocess_dock.step_findings import Counting, Found
from napari_spectrai.widgets.step_item import Item
from napari_spectrai.widgets.step_list import OrderedForm


class FoundInSteps:
    """Rows under the steps of a list that say what they find.

    Parameters
    ----------
    parent : QWidget
        Findings are counted for as long as it exists.
    look_at : called with a pixel that a person asks for
    arrived : called when findings have arrived
    """

    def __init__(
        self, viewer: Viewer, parent: QWidget, form: OrderedForm, look_at: Callable[[tuple[int, ...]], None], arrived: Callable[[], None]
    ) -> None:  # fmt: skip
        self._viewer, self._form, self._look_at, self._arrived = viewer, form, look_at, arrived
        self._layer: Image | None = None
        self._counting = Counting(parent, self._on_counted)

    @property
    def busy(self) -> bool:
        """Whether findings are being counted."""
        return self._counting.busy

    def leave(self) -> None:
        """End the thread."""
        self._counting.leave()

    def forget(self) -> None:
        """Forget what was found: the data have changed."""
        self._counting.forget()

    def count(self, layer: Image | None, wanted: Sequence[Step] | None) -> None:
        """Count what these steps, the enabled ones of the list, find in a layer."""
        self._layer = layer
        for item in self._form.items:
            item.extra.visible = False
        cube = as_cube(layer) if layer is not None else None
        if self._counting.ask(cube, wanted or [], layer):
            for item, step in zip(self._active, wanted or [], strict=True):
                if type(step).findings is not Step.findings:
                    self._review(item).say("counting …")

    def shown(self) -> list[SpikeReview]:
        """Return the rows that are shown."""
        return [cast("SpikeReview", item.extra[0]) for item in self._active if len(item.extra) and not item.extra.native.isHidden()]

    @property
    def _active(self) -> list[Item]:
        return [item for item in self._form.items if item.on.value]

    def _review(self, item: Item) -> SpikeReview:
        """Return the row of a step."""
        if not len(item.extra):
            item.extra.append(review := SpikeReview(self._viewer))
            review.show_button.changed.connect(review.mark)
            review.asked.connect(self._look_at)
            review.changed_keep.connect(lambda keep: item.form.fill({"keep": keep}))
        item.extra.visible = True
        return cast("SpikeReview", item.extra[0])

    def _on_counted(self, found: Found, begin: tuple[int, ...]) -> None:
        active = self._active
        try:
            wanted = read_steps(self._form.read())
        except SettingsError:  # shown next to its field; counting starts again when it is mended
            return
        for number, outcome in found.items():
            step, review = wanted[number], self._review(active[number])
            if isinstance(outcome, str):
                review.say(f"not counted: {outcome}")
            elif isinstance(step, Despike) and self._layer is not None:
                review.show_found(outcome, step, begin, self._layer)
        self._arrived()
