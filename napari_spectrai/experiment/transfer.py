"""Settings of the classical methods of calibration transfer; empty settings are tuned by cross-validation over the pairs."""

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
        None, ge=0, le=1e6, description="weight of the common gain of all bands, relative to the gain of each band; empty: cross-validated"
    )


class DS(ClassicalSpec):
    """Direct standardisation: each band is predicted from the whole spectrum of the source.

    Wang, Veltkamp & Kowalski 1991, doi:10.1021/ac00023a016; regression on the principal components of the source's spectra.
    """

    title: ClassVar = "Direct standardisation"
    label: ClassVar = "DS"
    kind: Literal["ds"] = "ds"
    implementation: ClassVar = "napari_spectrai.learn.classical.transfer:DS"
    tasks: ClassVar = CALIBRATION
    learns: ClassVar = True
    components: int | None = Field(
        None,
        ge=1,
        le=1024,
        title="Principal components",
        description="principal components of the source's spectra; empty: cross-validated",
    )


class PDS(ClassicalSpec):
    """Piecewise direct standardisation: each band is predicted from a window of the source's bands.

    Wang, Veltkamp & Kowalski 1991, doi:10.1021/ac00023a016; partial least squares in each window.
    """

    title: ClassVar = "Piecewise direct standardisation"
    label: ClassVar = "PDS"
    kind: Literal["pds"] = "pds"
    implementation: ClassVar = "napari_spectrai.learn.classical.piecewise:PDS"
    tasks: ClassVar = CALIBRATION
    learns: ClassVar = True
    window: int | None = Field(
        None,
        ge=1,
        le=501,
        title="Window (bands)",
        description="bands of the window; an even number counts as the next odd one; empty: cross-validated",
    )
    components: int | None = Field(
        None, ge=1, le=64, title="Latent variables", description="latent variables of each window; empty: cross-validated"
    )


class SST(ClassicalSpec):
    """Spectral space transformation (Du et al. 2011, doi:10.1016/j.aca.2011.02.014): exchanges the subspace that both instruments share."""

    title: ClassVar = "Spectral space transformation"
    label: ClassVar = "SST"
    kind: Literal["sst"] = "sst"
    implementation: ClassVar = "napari_spectrai.learn.classical.transfer:SST"
    tasks: ClassVar = CALIBRATION
    learns: ClassVar = True
    components: int | None = Field(
        None, ge=1, le=1024, title="Number of components", description="components of both instruments' spectra; empty: cross-validated"
    )
