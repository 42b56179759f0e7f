"""What was inferred of a layer's axis is shown in the window, once."""

from __future__ import annotations

import numpy as np
from napari.layers import Image
from napari.utils.notifications import notification_manager

from napari_spectrai import SpectralAxis
from napari_spectrai.widgets.layers import as_cube


def test_an_axis_inferred_from_the_names_of_channels_is_shown_once():
    names = [{"name": f"{wave} nm"} for wave in (410, 420, 430, 440)]
    layer = Image(np.zeros((4, 5, 6)), name="stack", metadata={"channels": names}, axis_labels=("c", "y", "x"))
    before = len(notification_manager.records)
    for _ in range(2):
        assert as_cube(layer).axis == SpectralAxis([410, 420, 430, 440], "nm")
    shown = [record.message for record in list(notification_manager.records)[before:]]
    assert len(shown) == 1
    assert "'410 nm' to '440 nm'; these wavelengths are taken" in shown[0]
    assert "layer.metadata['spectral_axis']" in shown[0]
