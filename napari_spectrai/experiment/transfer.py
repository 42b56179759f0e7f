"""Settings of the classical methods of calibration transfer: a setting left empty is chosen by cross-validation over the pairs."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.experiment.classical import ClassicalSpec

CALIBRATION = frozenset({"calibration"})


class GainOffset(ClassicalSpec):
    """A gain and an offset for each band, by least squares on the source interpolated onto the target's axis."""

    title: ClassVar = "Gain and offset"
    label: ClassVar = "gain+offset"
    kind: Literal["gain_offset"] = "gain_offset"
    implementation: ClassVar = "napari_spectrai.learn.classical.transfer:GainOffset"
    tasks: ClassVar = CALIBRATION
    learns: ClassVar = True
    shrinkage: float | None = Field(
        None, ge=0, le=1e6, description="weight of the gain that all bands share, against a band's own; empty: cross-validated"
    )


class DS(ClassicalSpec):
    """Direct standardisation: every band from the whole spectrum of the source.

    Wang, Veltkamp & Kowalski 1991, doi:10.1021/ac00023a016; regression on the principal components of the source's spectra.
    """

    title: ClassVar = "Direct standardisation"
    label: ClassVar = "DS"
    kind: Literal["ds"] = "ds"
    implementation: ClassVar = "napari_spectrai.learn.classical.transfer:DS"
    tasks: ClassVar = CALIBRATION
    learns: ClassVar = True
    components: int | None = Field(None, ge=1, le=1024, description="principal components of the source's spectra; empty: cross-validated")


class PDS(ClassicalSpec):
    """Piecewise direct standardisation: every band from those of the source around its place.

    Wang, Veltkamp & Kowalski 1991, doi:10.1021/ac00023a016; partial least squares in each window.
    """

    title: ClassVar = "Piecewise direct standardisation"
    label: ClassVar = "PDS"
    kind: Literal["pds"] = "pds"
    implementation: ClassVar = "napari_spectrai.learn.classical.piecewise:PDS"
    tasks: ClassVar = CALIBRATION
    learns: ClassVar = True
    window: int | None = Field(None, ge=1, le=501, description="bands of the window, odd; empty: cross-validated")
    components: int | None = Field(None, ge=1, le=64, description="latent variables of each window; empty: cross-validated")


class SST(ClassicalSpec):
    """Spectral space transformation (Du et al. 2011, doi:10.1016/j.aca.2011.02.014): exchanges the part that both instruments share."""

    title: ClassVar = "Spectral space transformation"
    label: ClassVar = "SST"
    kind: Literal["sst"] = "sst"
    implementation: ClassVar = "napari_spectrai.learn.classical.transfer:SST"
    tasks: ClassVar = CALIBRATION
    learns: ClassVar = True
    components: int | None = Field(None, ge=1, le=1024, description="components of both instruments' spectra; empty: cross-validated")
