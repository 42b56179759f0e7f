"""What is seen of one spectrum and its fit, and of the data as a whole, before the maps are made."""

from __future__ import annotations

import numpy as np
from napari.viewer import Viewer

from napari_spectrai.widgets.dock import say, text
from napari_spectrai.widgets.maps_dock.live_view import Inspector, Look
from napari_spectrai.widgets.plot import CLASSICAL, SOURCE, Plot
from napari_spectrai.widgets.row_table import RowTable


class LookView:
    """The widgets that show a look; the dock places them.

    Attributes
    ----------
    spectrum, fit, scree : Plot
    note : text
        Where the spectrum is, and what is fitted to it.
    remarks, similar : text, RowTable
        About the data as a whole.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.spectrum = Plot(viewer, x="Band number", y="Intensity", height=145, name="spectrum")
        self.fit = Plot(viewer, x="Band number", y="Intensity", height=115, name="fit")
        self.scree = Plot(viewer, x="Principal component", y="Share", height=120, name="scree", logarithmic=True, counts=True)
        self.note, self.remarks = text("note"), text("remarks")
        self.similar = RowTable("similarity of the references")
        self.similar.visible = False

    def begin(self) -> None:
        """Hide what is not known for other settings."""
        self.scree.visible = self.fit.visible = self.similar.visible = False

    def show_data(self, inspector: Inspector) -> None:
        """Show what is known of the data as a whole."""
        say(self.remarks, inspector.words)
        self.scree.visible = inspector.scree is not None
        self.similar.visible = bool(inspector.table)
        self.similar.show_rows(list(inspector.table))
        if inspector.scree is not None:
            self.scree.curve("share", np.arange(1, len(inspector.scree) + 1), inspector.scree, SOURCE, legend=False, points=True)
        if inspector.residuals is not None:
            numbers = np.arange(1, len(inspector.residuals) + 1)
            self.scree.curve("residual", numbers, inspector.residuals, CLASSICAL, legend=False, dashed=True)

    def show_look(self, look: Look, place: tuple[int, ...] | None) -> None:
        """Show the spectrum of a pixel, or the mean spectrum, and what is fitted to it."""
        self.spectrum.curve("spectrum", look.spectrum.x, look.spectrum.y, SOURCE, legend=False)
        for name in ("fit", "baseline"):
            if name in look.fits:
                colour = self.spectrum.accent if name == "fit" else CLASSICAL
                self.spectrum.curve(name, look.fits[name].x, look.fits[name].y, colour, legend=False, dashed=name == "baseline", width=2)
            else:
                self.spectrum.remove_curve(name)
        self.fit.visible = look.measured is not None
        if look.measured is not None:
            self.fit.curve("measured", look.measured.x, look.measured.y, SOURCE, legend=False, points=True)
            self.fit.curve("fit", look.fits["fit"].x, look.fits["fit"].y, self.fit.accent, legend=False, width=2)
        where = "Mean spectrum" if place is None else f"Pixel {', '.join(map(str, place))}"
        say(self.note, f"{where}\n{look.words}" if look.words else where)

    def clear_fits(self) -> None:
        """Show no fit, where the settings are wrong."""
        for name in ("fit", "baseline"):
            self.spectrum.remove_curve(name)
        say(self.note, "")
