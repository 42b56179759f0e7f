"""Settings of the data of an experiment, and of their split into training, validation and test."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from napari_spectrai.spec import Spec

READING = ("dataset", "truth_dataset", "spectral", "axis", "columns")
"""Settings of `Data` that say how files are read."""


class Data(Spec):
    """Files of the data, if cubes are not passed in memory; relative paths start at the document."""

    input: list[Path] = Field(default_factory=list, description="files to train on")
    truth: list[Path] = Field(default_factory=list, description="files with the truth, one for each input")
    patch: int = Field(
        32,
        ge=4,
        le=4096,
        title="Patch size",
        description="height and width of training patches, in pixels (for networks with spatial context; of the sharp image)",
    )
    samples: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        title="Patches per epoch",
        description="patches per epoch; empty: enough to show each pixel about four times",
    )
    per_image: int | None = Field(
        None, ge=1, le=10_000_000, title="Patches per image", description="patches per epoch from each image, if data.samples is empty"
    )
    groups: list[str] = Field(default_factory=list, description="the group (patient, day, slide) of each input, for a split by group")
    parts: list[Literal["training", "validation", "test"]] = Field(
        default_factory=list,
        description="the part (training, validation, test) of each input file or folder, if the split should not decide",
    )
    pairing: Literal["position", "pixels"] = Field(
        "position",
        description="how pixels of input and truth are matched. position: by world coordinates, if both have them; "
        "pixels: by row and column, regardless of position",
    )
    spectral: int | None = Field(
        None,
        ge=-5,
        le=4,
        title="Spectral dimension",
        description="the spectral dimension of the arrays, as stored in the files; empty: as defined by the files",
    )
    dataset: str | None = Field(
        None, title="Array of the inputs", description="the array of input files that hold several; empty: the only or main one"
    )
    truth_dataset: str | None = Field(
        None, title="Array of the truths", description="the array of truth files that hold several; empty: the only or main one"
    )
    axis: str | None = Field(
        None,
        title="Unit of positions",
        description="unit of the band positions, such as nm, or the positions as first:last:unit; empty: as defined by the files",
    )
    columns: list[str] = Field(
        default_factory=list, description="what columns of text tables are, as title=role, such as Dark=ignored; others are recognised"
    )


class Split(Spec):
    """How samples are split into training, validation and test parts."""

    method: Literal["auto", "file", "group", "contiguous", "blocks", "stratified", "random"] = Field(
        "auto",
        description="auto: by group if groups are given, by file if there are several, else contiguous (classes: blocks of an image, "
        "stratified for a set); group: whole groups; contiguous: the last rows; blocks: scattered squares; "
        "stratified: single spectra by class; random: single spectra, for sets without neighbours (leaks between neighbouring pixels of an "
        "image)",
    )
    context: Literal["separate", "shared"] = Field(
        "separate",
        description="separate: each patch lies in one part; shared: patches may extend into other parts, but only their spectra are used",
    )
    validation: float = Field(
        0.05, gt=0, lt=1, title="Validation fraction", description="validation fraction, used to choose the best epoch"
    )
    test: float = Field(0.0, ge=0, lt=1, title="Test fraction", description="test fraction, never used for training, for the final score")
    gap: int | None = Field(
        None,
        ge=0,
        le=10_000,
        title="Gap (pixels)",
        description="pixels left out between the parts of an image, to avoid leakage; empty: the size of a patch",
    )
    block: int | None = Field(
        None,
        ge=1,
        le=10_000,
        title="Block size",
        description="height and width of a block, in pixels; empty: 12, or what a patch needs; less in an image with room for few blocks",
    )
    folds: int = Field(
        0, ge=0, le=1000,
        description="number of cross-validation folds: each sample is held out once (as many folds as groups: leave one group out), "
        "then the model is fitted on all samples; 0: one validation part (automatic: 5 folds)",
    )  # fmt: skip
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of blocks and random choices")
    beside: bool = Field(
        True,
        title="Block split for comparison",
        description="if pixels of a scene are split at random, train again on a block split, and report its score without leakage, too",
    )

    @model_validator(mode="after")
    def _leaves_some(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave nothing to train on; their sum must be less than 1"
            )
        return self
