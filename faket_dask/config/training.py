"""Training of a picker: its data, its network, and how it is trained."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, Tag, ValidationInfo, field_validator, model_validator

from faket_dask.documents.section import Section, kind_or, resolve_path
from faket_dask.errors import InputError
from faket_dask.methods.picker_networks import PICKER_NETWORKS, PickerNetwork


class ObjectSampling(StrEnum):
    """Choice of the objects that patches are centred on."""

    OBJECTS = "objects"
    """An epoch is one pass over all objects in random order."""

    CLASSES = "classes"
    """Each patch is about a random object of a random class, so that rare classes count as much as others."""


class Loss(StrEnum):
    """Distance of scores from labels that training makes smaller."""

    DICE = "dice"
    """Number of classes less the sum of their soft Dice coefficients."""

    CROSS_ENTROPY = "cross_entropy"
    """Mean negative logarithm of the score of the true class."""


class Validation(StrEnum):
    """Voxels that an epoch is judged by."""

    PATCHES = "patches"
    """One patch about each object, neither shifted nor turned."""

    TOMOGRAMS = "tomograms"
    """All voxels of the tomograms, segmented as for picking."""


class DatasetTomograms(Section):
    """Tomograms of a data set of this program."""

    kind: Literal["dataset"] = "dataset"
    folder: Path = Field(description="folder of the data set")
    modality: str = Field(default="faket", description="modality that the tomograms are reconstructed from")
    series: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="names of series; all by default"
    )

    @field_validator("folder")
    @classmethod
    def _resolve(cls, value: Path, info: ValidationInfo) -> Path:
        return resolve_path(value, info)


class ShrecTomograms(Section):
    """Tomograms in folders of the SHREC 2021 data set, or of its layout."""

    kind: Literal["shrec"] = "shrec"
    folders: tuple[Path, ...] = Field(min_length=1, description="folders model_N")
    voxel_size_A: float | None = Field(
        default=None, gt=0, description="edge of a voxel, where files have none"
    )
    crop: bool = Field(
        default=True, description="keep only the layers that SHREC's specimens fill, 180 of 512"
    )

    @field_validator("folders")
    @classmethod
    def _resolve(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        return tuple(resolve_path(path, info) for path in value)


class TomogramFiles(Section):
    """Tomograms without labels, which can be segmented and not trained on."""

    kind: Literal["files"] = "files"
    files: tuple[Path, ...] = Field(min_length=1, description="MRC volumes of different names")

    @field_validator("files")
    @classmethod
    def _resolve(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        return tuple(resolve_path(path, info) for path in value)


Tomograms = Annotated[
    Annotated[DatasetTomograms, Tag("dataset")] | Annotated[ShrecTomograms, Tag("shrec")],
    kind_or("dataset"),
]
"""Any source of labelled tomograms."""

AnyTomograms = Annotated[
    Annotated[DatasetTomograms, Tag("dataset")]
    | Annotated[ShrecTomograms, Tag("shrec")]
    | Annotated[TomogramFiles, Tag("files")],
    kind_or("dataset"),
]
"""Any source of tomograms, with labels or without."""


class SegmentationSection(Section):
    """Blocks in which a tomogram is segmented."""

    block: int = Field(default=160, ge=8, description="edge of a block in voxels, its rim included")
    rim: int = Field(default=25, ge=0, description="voxels at each face of a block that are not kept")

    @model_validator(mode="after")
    def _keeps_something(self) -> Self:
        if self.kept < 1:
            raise ValueError(
                f"a block of {self.block} voxels with rims of {self.rim} keeps none; lower the rim"
            )
        return self

    @property
    def kept(self) -> int:
        """Edge of the part of a block that is kept, in voxels."""
        return self.block - 2 * self.rim


class TrainingSection(Section):
    """Network of a picker and its training; the defaults are DeepFinder's."""

    network: str = Field(default="deepfinder", description="name of a picker network")
    width: float = Field(default=1.0, gt=0, le=8, description="factor of the network's number of channels")
    background: tuple[str, ...] = Field(
        default=(), description="classes that are learnt as background, such as membranes"
    )
    patch: int = Field(default=56, ge=8, le=512, description="edge of a patch in voxels")
    batch: int = Field(default=25, ge=1, description="patches per step")
    epochs: int = Field(default=70, ge=1, description="number of epochs")
    epochs_per_unit: int = Field(
        default=5, ge=1, description="epochs that are trained, and lost, as one unit of work"
    )
    steps: int | None = Field(
        default=None,
        ge=1,
        description="steps per epoch; by default as many whole batches as there are objects",
    )
    learning_rate: float = Field(default=1e-4, gt=0, le=1, description="step size of Adam")
    shift: int = Field(
        default=13, ge=0, description="largest distance of a patch's centre from its object, voxels per axis"
    )
    sampling: ObjectSampling = Field(default=ObjectSampling.OBJECTS, description="objects or classes")
    loss: Loss = Field(default=Loss.DICE, description="dice or cross_entropy")
    validation: Validation = Field(
        default=Validation.PATCHES, description="patches or tomograms, by which epochs are judged"
    )
    segmentation: SegmentationSection = Field(
        default_factory=SegmentationSection, description="blocks of whole tomograms"
    )
    seed: int = Field(default=1, ge=0, description="seed of weights, order, shifts and turns")
    threads: int = Field(default=1, ge=1, description="threads of a training; part of the result")
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="device of a training")
    readers: int = Field(default=2, ge=1, le=64, description="threads that read patches meanwhile")
    cache_MiB: int = Field(default=256, ge=0, description="memory for chunks of stores that were read")

    @field_validator("network")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in PICKER_NETWORKS:
            raise ValueError(f"must be one of {', '.join(PICKER_NETWORKS.names)}")
        return value

    @model_validator(mode="after")
    def _patches_fit_the_network(self) -> Self:
        try:
            stride = self.picker_network.stride
        except InputError as error:
            raise ValueError(str(error)) from None
        if self.patch % stride:
            raise ValueError(f"patch must be a multiple of {stride} for {self.network}, not {self.patch}")
        return self

    @property
    def picker_network(self) -> PickerNetwork:
        """Kind of the network."""
        return PICKER_NETWORKS.get(self.network)


class ModelSection(Section):
    """One model: the tomograms that it learns from, those that judge it, and its training."""

    tomograms: tuple[Tomograms, ...] = Field(min_length=1, description="labelled tomograms to learn from")
    validation: tuple[Tomograms, ...] = Field(
        default=(), description="labelled tomograms that judge each epoch; none are needed"
    )
    start: Path | None = Field(
        default=None, description="checkpoint whose weights training starts from; random ones by default"
    )
    training: TrainingSection = Field(default_factory=TrainingSection, description="network and its training")

    @field_validator("start")
    @classmethod
    def _resolve(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else resolve_path(value, info)
