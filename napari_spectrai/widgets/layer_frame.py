"""Placing results exactly over their source, whatever its pixels, and also when it has been removed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from napari_spectrai.cube import Cube
from napari_spectrai.labels import Labels as SpectralLabels
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import units_of
from napari_spectrai.widgets.band_numbers import share_slider
from napari_spectrai.widgets.first_look import band_contrast
from napari_spectrai.widgets.layers import add_labels, as_cube, layer_data, spectral_position
from napari_spectrai.widgets.shared_units import along_bands, remember

Span = tuple[int, int]
Region = tuple[Span, Span]
"""First pixel and the one after the last, of y and of x."""

_AFFINE_PARTS = ("scale", "translate", "rotate", "shear")


@dataclass(frozen=True, slots=True, eq=False)
class LayerFrame:
    """Placement and appearance of a source, kept in case it is removed.

    Parameters
    ----------
    layer : the source
    region : the processed part of it, in pixels; None: all of it
    """

    layer: Image
    name: str
    spatial: tuple[int, ...]
    bands: int
    kept: tuple[int, ...]
    place: dict[str, npt.NDArray[np.float64]]
    affine: npt.NDArray[np.float64]
    units: tuple[Any, ...]
    own_units: tuple[str, ...]
    colormap: str
    contrast: tuple[float, float]
    region: Region | None = None

    @classmethod
    def of(cls, layer: Image, region: Region | None = None) -> Self:
        """Return the frame of a layer at its present position."""
        kept = tuple(d for d in range(layer.ndim) if d != spectral_position(layer))
        return cls(
            layer=layer,
            name=str(layer.name),
            spatial=tuple(layer.data.shape[d] for d in kept),
            bands=int(layer.data.shape[spectral_position(layer)]),
            kept=kept,
            place={part: np.array(getattr(layer, part), np.float64) for part in _AFFINE_PARTS},
            affine=np.array(layer.affine.affine_matrix, np.float64),
            units=tuple(layer.units),
            own_units=tuple(units_of(layer)),
            colormap=layer.colormap.name,
            contrast=tuple(layer.contrast_limits),
            region=region,
        )

    def now(self, viewer: ViewerModel) -> LayerFrame:
        """Return the frame as it is now; unchanged, if the layer was removed or holds other data."""
        if self.layer not in viewer.layers:
            return self
        latest = LayerFrame.of(self.layer, self.region)
        return latest if latest.spatial == self.spatial else self

    @property
    def cut(self) -> tuple[int, ...]:
        """Lengths of the processed spatial dimensions."""
        if self.region is None:
            return self.spatial
        return (*self.spatial[:-2], *(stop - start for start, stop in self.region))

    def align(self, layer: Image | Labels) -> None:
        """Place a λ-leading layer, or labels, over the processed part; it may have an integer multiple of the pixels per side.

        The spectral dimension keeps its own scale, except in the picture of a set of spectra.
        """
        lead = layer.ndim - len(self.kept)
        lengths = layer.data.shape[lead:]
        if lead not in (0, 1) or any(length % own for length, own in zip(lengths, self.cut, strict=True)):
            return
        times = np.array(lengths) / self.cut
        kept = list(self.kept)
        if not np.allclose(layer.affine.affine_matrix, np.eye(layer.ndim + 1)):  # its file defines its position
            layer.affine = np.eye(layer.ndim + 1)
        _set(layer, "scale", [*layer.scale[:lead], *(self.place["scale"][kept] / times)])
        _set(layer, "translate", [*layer.translate[:lead], *self.place["translate"][kept]])
        if (units := (*layer.units[:lead], *(self.units[d] for d in kept))) != tuple(layer.units):
            layer.units = units
        if lead == 1 and len(kept) == 1:
            self._stretch(layer)
        self._turn(layer, lead)
        # the first pixel covers one corner of the first processed pixel
        first = np.zeros(len(kept))
        if self.region is not None:
            first[-2:] = [start for start, _ in self.region]
        here = np.zeros(layer.ndim)
        there = self._world(first - 0.5 + 0.5 / times)
        missed = there - np.asarray(layer.data_to_world(here))[lead:]
        linear = np.asarray(layer.affine.linear_matrix)[lead:, lead:]
        _set(layer, "translate", [*layer.translate[:lead], *(layer.translate[lead:] + np.linalg.solve(linear, missed))])
        if self.own_units != tuple(map(str, self.units)):
            remember(layer, [*map(str, layer.units[:lead]), *(self.own_units[d] for d in kept)], list(layer.units))

    def _stretch(self, layer: Image | Labels) -> None:
        """Give the picture of a set of spectra the height and the units of its source, whatever the number of its bands."""
        (spectral,) = set(range(len(self.place["scale"]))) - set(self.kept)
        bands, own = self.bands, layer.data.shape[0]
        layer.scale = [self.place["scale"][spectral] * bands / own, *layer.scale[1:]]
        start = self.place["translate"][spectral] + self.place["scale"][spectral] * (bands / own - 1) / 2
        layer.translate = [start, *layer.translate[1:]]
        layer.units = [self.units[spectral], *layer.units[1:]]

    def _turn(self, layer: Image | Labels, lead: int) -> None:
        """Rotate, shear and transform a layer as the source is, at its position."""
        kept, count, own = np.ix_(self.kept, self.kept), len(self.place["scale"]), layer.ndim
        rotate, affine = np.eye(own), np.eye(own + 1)
        rotate[lead:, lead:] = self.place["rotate"][kept]
        linear, shift = self.affine[:-1, :-1], self.affine[:-1, -1]
        affine[lead:-1, lead:-1], affine[lead:-1, -1] = linear[kept], shift[list(self.kept)]
        full, shear = np.eye(count), np.eye(own)
        full[np.triu_indices(count, 1)] = self.place["shear"]
        shear[lead:, lead:] = full[kept]
        if not np.allclose(rotate, np.eye(own)) or not np.allclose(shear, np.eye(own)):
            layer.rotate = rotate
            layer.shear = shear[np.triu_indices(own, 1)]
        if not np.allclose(affine, np.eye(own + 1)):
            layer.affine = affine

    def _world(self, place: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the world coordinates of a position in the source's pixels, by the spatial dimensions."""
        kept = np.ix_(self.kept, self.kept)
        count = len(self.place["scale"])
        shear = np.eye(count)
        shear[np.triu_indices(count, 1)] = self.place["shear"]
        linear = (self.place["rotate"] @ shear @ np.diag(self.place["scale"]))[kept]
        physical = linear @ place + self.place["translate"][list(self.kept)]
        world: npt.NDArray[np.float64] = self.affine[:-1, :-1][kept] @ physical + self.affine[:-1, -1][list(self.kept)]
        return world


def _set(layer: Image | Labels, name: str, values: Sequence[float]) -> None:
    """Give a layer another scale or translation; napari draws it again even where nothing changes."""
    if not np.allclose(getattr(layer, name), values, rtol=1e-12, atol=0):
        setattr(layer, name, values)


def add_above(viewer: ViewerModel, cube: Cube, frame: LayerFrame, name: str, *, alike: bool = True, **more: Any) -> Image:
    """Add a cube above its source; `alike`: with the source's contrast limits, also when these change."""
    data, options, _ = layer_data(cube, name=name, **more)
    if len(options["units"]) == 1 + len(frame.kept):  # from the beginning: napari draws no layers of different units
        options["units"] = [options["units"][0], *(frame.units[d] for d in frame.kept)]
    if cube.is_image:
        share_slider(viewer, frame.layer, options)
    if len(options["units"]) > 2:
        options["units"] = [along_bands(viewer, len(options["units"]), str(options["units"][0])), *options["units"][1:]]
    layer = cast("Image", viewer.add_image(data, **options))
    layer.colormap = frame.colormap
    frame.align(layer)
    if alike:
        layer.contrast_limits = frame.contrast
    if layer.ndim > 2:
        follows = alike and frame.layer in viewer.layers and frame.layer.data.ndim == layer.ndim
        band_contrast(viewer).follow(layer, frame.layer if follows else None)
    _raise(viewer, layer, frame)
    return layer


def add_map_above(viewer: ViewerModel, values: npt.NDArray[Any], frame: LayerFrame, name: str, **more: Any) -> Image:
    """Add an image without a spectral dimension above its source, with its units; it leaves the sliders as they are."""
    # the units come first: layers of different units would be drawn without any
    units = [frame.units[d] for d in frame.kept]
    layer = cast("Image", viewer.add_image(values, name=name, units=units, **more))
    frame.align(layer)
    _raise(viewer, layer, frame)
    return layer


def add_classes_above(viewer: ViewerModel, labels: SpectralLabels, frame: LayerFrame, name: str, **more: Any) -> Labels:
    """Add labels above their source; classes of whole images become labels of all their pixels."""
    cut = frame.cut
    if len(cut) > 1 and labels.shape == (cut[:-2] or (1,)):
        labels = replace(labels, data=np.broadcast_to(labels.data.reshape(*cut[:-2], 1, 1), cut).copy())
    layer = add_labels(viewer, labels, frame.layer, name=name, opacity=0.6)
    layer.metadata.update(more.get("metadata", {}))
    frame.align(layer)
    _raise(viewer, layer, frame)
    return layer


def _raise(viewer: ViewerModel, layer: Layer, frame: LayerFrame) -> None:
    """Move a layer above its source and above earlier results of that: the newest is visible, and evaluated by default."""
    if frame.layer not in viewer.layers:
        return
    place = viewer.layers.index(frame.layer) + 1
    for other in viewer.layers[place:]:
        if other is layer or not _is_made_of(other, frame.name):
            break
        place += 1
    viewer.layers.move(viewer.layers.index(layer), place)


def _is_made_of(layer: Layer, name: str) -> bool:
    made = layer.metadata.get("prediction")
    return isinstance(made, Mapping) and made.get("source") == name


def lie_over(layer: Image | Labels, source: Image) -> None:
    """Place a λ-leading layer, or labels, over its source; it may have an integer multiple of the pixels per side.

    The spectral dimension keeps its own scale.
    """
    LayerFrame.of(source).align(layer)


def show_parts(viewer: ViewerModel, labels: SpectralLabels, source: Image | None, name: str = "", cube: Cube | None = None) -> None:
    """Show the parts of a split over the image they are of, or over a part of it (`cube`); a layer of that name is brought up to date."""
    name = name or f"{source.name if source is not None else 'data'} · split"
    known = next((layer for layer in viewer.layers if isinstance(layer, Labels) and layer.name == name), None)
    data = labels.data.astype(np.uint8)
    part = cube is not None and source is not None and cube.spatial_shape != as_cube(source).spatial_shape
    if part and cube is not None:
        data = data.reshape(cube.spatial_shape)
        labels = replace(labels, metadata={**labels.metadata, PLACEMENT: cube.metadata.get(PLACEMENT)})
    elif source is not None:
        place = spectral_position(source)
        lengths = tuple(length for d, length in enumerate(source.data.shape) if d != place)
        if data.size == np.prod(lengths):  # of a series of volumes, the planes of all of them lie one after another
            data = data.reshape(lengths)
        if data.ndim == 1 and place == 1:
            data = np.ascontiguousarray(np.broadcast_to(data[:, None], source.data.shape))
    whole = replace(labels, data=data)
    layer = add_labels(viewer, whole, source, name=name, opacity=0.5)
    if source is not None and not part:
        lie_over(layer, source)
    if known is not None:
        viewer.layers.remove(known)
        layer.name = name
