"""Layers of other readers (ND2, CZI, LIF, OME) bring the wavelengths of their channels."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import BaseModel

from napari_spectrai import SpectralAxis, SpectralWarning, as_cube
from napari_spectrai.channel_names import axis_of_names


@dataclass
class ChannelMeta:
    """As nd2 keeps it."""

    name: str
    emissionLambdaNm: float | None  # noqa: N815


@dataclass
class Nd2Channel:
    channel: ChannelMeta
    loops: None = None


@dataclass
class Nd2Metadata:
    channels: list[Nd2Channel]


class OmeChannel(BaseModel):
    """As ome_types keeps it."""

    id: str
    name: str | None = None
    emission_wavelength: float | None = None
    emission_wavelength_unit: str = "nm"


class OmePixels(BaseModel):
    channels: list[OmeChannel]
    size_c: int = 4


class OmeImage(BaseModel):
    pixels: OmePixels


class OmeModel(BaseModel):
    images: list[OmeImage]


WAVELENGTHS = [451.0, 470.0, 511.5, 630.0]
OME_XML = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels SizeC="4">'
    + "".join(f'<Channel ID="Channel:0:{n}" Name="c{n}" EmissionWavelength="{w}"/>' for n, w in enumerate(WAVELENGTHS))
    + "</Pixels></Image></OME>"
)
CZI = (
    "<ImageDocument><Metadata><DisplaySetting><Channels>" + '<Channel Id="Channel:0"><Low>0</Low></Channel>' * 4
    + "</Channels></DisplaySetting><Information><Image><Dimensions><Channels>"
    + "".join(
        f'<Channel Id="Channel:{n}" Name="ChS1"><DetectionWavelength><Ranges>{w - 4}-{w + 4}</Ranges></DetectionWavelength></Channel>'
        for n, w in enumerate(WAVELENGTHS)
    )
    + "</Channels></Dimensions></Image></Information></Metadata></ImageDocument>"
)  # fmt: skip
EMITTING = "".join(f"<Channel><EmissionWavelength>{w}</EmissionWavelength></Channel>" for w in WAVELENGTHS)


@pytest.mark.parametrize("metadata", [
    {"metadata": Nd2Metadata([Nd2Channel(ChannelMeta(f"c{n}", w)) for n, w in enumerate(WAVELENGTHS)])},
    {"metadata": {"channels": [{"channel": {"name": "λ", "emissionLambdaNm": w}} for w in WAVELENGTHS]}},
    {"raw_image_metadata": OmeModel(images=[OmeImage(pixels=OmePixels(channels=[
        OmeChannel(id=f"Channel:0:{n}", name=f"c{n}", emission_wavelength=w) for n, w in enumerate(WAVELENGTHS)]))])},
    {"raw_image_metadata": ET.fromstring(CZI)}, {"raw_image_metadata": ET.fromstring(f"<Channels>{EMITTING}</Channels>")},
    {"ome": OME_XML}, {"description": OME_XML}, {"omero": {"channels": [{"label": f"{w} nm", "color": "FF0000"} for w in WAVELENGTHS]}},
    {"channel_names": [f"Emission {w} nm" for w in WAVELENGTHS]}, {"channel_names": [f"{w - 2}-{w + 2} nm" for w in WAVELENGTHS]},
    {"image": {"Channels": [{"EmissionWavelength": w * 1e-9} for w in WAVELENGTHS]}},
])  # fmt: skip
@pytest.mark.parametrize("labels", [("z", "c", "y", "x"), ("0", "1", "2", "3")])
@pytest.mark.filterwarnings("ignore::napari_spectrai.SpectralWarning")
def test_layers_of_other_readers_bring_the_wavelengths_of_their_channels(metadata, labels):
    data = np.arange(3 * 4 * 5 * 6).reshape(3, 4, 5, 6)
    layer = SimpleNamespace(data=data, metadata=metadata, name="nd2", scale=(1, 1, 1, 1), axis_labels=labels)
    cube = as_cube(layer)
    np.testing.assert_array_equal(cube.data, np.moveaxis(data, 1, -1))
    np.testing.assert_allclose(cube.axis.values, WAVELENGTHS)
    assert cube.axis.unit == "nm"


@pytest.mark.parametrize("metadata", [
    {"metadata": Nd2Metadata([Nd2Channel(ChannelMeta(f"c{n}", None)) for n in range(4)])}, {"channel_names": ["DAPI", "GFP", "Cy3", "Cy5"]},
    {"channels": [{"EmissionWavelength": w} for w in WAVELENGTHS[:3]]}, {"ome": "<!DOCTYPE x><a/>"}, {"ome": "<broken"},
    {"channels": [{"EmissionWavelength": 500.0}] * 4}, {"aicsimage": object()},
])  # fmt: skip
def test_channels_without_wavelengths_are_numbered(metadata):
    layer = SimpleNamespace(
        data=np.zeros((3, 4, 5, 6)), metadata=metadata, name="nd2", scale=(1, 1, 1, 1), axis_labels=("z", "c", "y", "x")
    )
    assert as_cube(layer).axis == SpectralAxis.bands(4)


def channels(**fields):
    """A layer of four channels, each with one of the values."""
    listed = [dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True)]
    return SimpleNamespace(
        data=np.zeros((4, 5, 6)), metadata={"channels": listed}, name="nd2", scale=(1, 1, 1), axis_labels=("c", "y", "x")
    )


LINES = [405.0, 488.0, 561.0, 640.0]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": [f"{line:g} nm" for line in LINES]},
        {"name": [f"Ex {line:g}" for line in LINES]},
        {"name": ["450 nm", "500 nm", "550 nm", "600 nm"], "excitationLambdaNm": [450, 500, 550, 600]},
    ],
)
def test_channels_named_after_what_excites_them_are_numbered_with_a_notice(fields):
    with pytest.warns(SpectralWarning, match=r"the layer 'nd2'.*excitation|laser.*give as_cube\(layer, axis="):
        assert as_cube(channels(**fields)).axis == SpectralAxis.bands(4)


@pytest.mark.parametrize("field", ["excitationLambdaNm", "exposure", "laserWavelength"])
def test_other_wavelengths_of_channels_are_no_positions(field):
    assert as_cube(channels(name=["DAPI", "GFP", "RFP", "TL Brightfield"], **{field: LINES})).axis == SpectralAxis.bands(4)


def test_an_axis_from_the_names_of_channels_comes_with_a_notice():
    with pytest.warns(SpectralWarning, match="'410 nm' to '440 nm'; these wavelengths are taken"):
        assert as_cube(channels(name=["410 nm", "420 nm", "430 nm", "440 nm"])).axis == SpectralAxis([410, 420, 430, 440], "nm")


@pytest.mark.parametrize("form", ["EM{}/10", "Em{}/20 nm", "BP{}/10", "em{} nm"])
def test_words_before_a_number_may_touch_it(form):
    axis, note = axis_of_names([form.format(middle) for middle in range(410, 500, 10)])
    assert axis is not None, note
    np.testing.assert_allclose(axis.values, np.arange(410, 500, 10))
