"""Maps: what each pixel contains. Band images, peak fits, components, abundances of given spectra, library matches.

The public function is `napari_spectrai.maps`; a kind of map is a subclass of `MapKind`, registered by an entry point in the group
``napari_spectrai.maps``.
"""

from napari_spectrai.mapping.band import BandMaps
from napari_spectrai.mapping.components import ComponentMaps
from napari_spectrai.mapping.kind import MapKind, Maps, kinds
from napari_spectrai.mapping.library import LibraryMaps
from napari_spectrai.mapping.peaks import PeakMaps
from napari_spectrai.mapping.unmix import UnmixMaps

__all__ = ["BandMaps", "ComponentMaps", "LibraryMaps", "MapKind", "Maps", "PeakMaps", "UnmixMaps", "kinds"]

for _kind in (BandMaps, PeakMaps, ComponentMaps, UnmixMaps, LibraryMaps):
    kinds.add(_kind)
