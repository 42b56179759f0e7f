"""Maps: what is in each pixel. Band images, peak fits, components, abundances of given spectra, library matches.

The public function is `napari_spectrai.maps`; a kind of map is a subclass of `MapKind`, registered by an entry point in the group
``napari_spectrai.maps``.
"""

from napari_spectrai.mapping.band import BandMaps
from napari_spectrai.mapping.kind import MapKind, Maps, kinds
from napari_spectrai.mapping.peaks import PeakMaps

__all__ = ["BandMaps", "MapKind", "Maps", "PeakMaps", "kinds"]

for _kind in (BandMaps, PeakMaps):
    kinds.add(_kind)
