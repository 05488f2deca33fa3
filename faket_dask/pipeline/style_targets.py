"""Style of references and its transfer: the transfer method's arrays in stores, read back for each tilt of a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import StyleSection
from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.layout import Layout
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.kernels.moments import Moments
from faket_dask.methods.arrays import TiltArrayLayout, TiltArrays
from faket_dask.methods.transfer import TiltImage
from faket_dask.references import Reference
from faket_dask.references.blend import WeightedTilt
from faket_dask.references.statistics import ReferenceStatistics
from faket_dask.references.style_size import read_style_tilt
from faket_dask.stages.transfer import measure_style, transfer_tilt


@dataclass(frozen=True)
class StyleTargets:
    """Measured style of all references, and its transfer.

    Parameters
    ----------
    folder
        Paths of the data set.
    style
        Section of the resolved run file.
    weights_checksum
        Checksum of the network's weights.
    tilt_shape
        ``(y, x)`` of the tilts that are made.
    """

    folder: Layout
    style: StyleSection
    weights_checksum: str
    tilt_shape: tuple[int, int]

    @classmethod
    def open(cls, spec: DatasetSpec) -> StyleTargets:
        """Return the style targets of a data set."""
        return cls(spec.folder, spec.config.style, spec.inputs.weights_checksum, spec.geometry.tilt_shape)

    @property
    def layouts(self) -> Sequence[TiltArrayLayout]:
        """Arrays that the transfer method stores of each reference tilt."""
        return self.style.transfer.arrays(self.style.style_network.architecture)

    def list_arrays(self, reference: Reference) -> list[OwnedArray]:
        """Return the arrays of a reference's store, one file of each per tilt."""
        tilts = reference.tilt_angles.size
        return [
            OwnedArray(
                self.folder.statistics(reference.name),
                ArraySpec(
                    layout.name,
                    ("tilt", *layout.dims),
                    (tilts, *layout.shape),
                    (1, *layout.shape),
                    layout.dtype,
                    attributes=STACK_ATTRIBUTES,
                ),
                unit_axes=(0,),
            )
            for layout in self.layouts
        ]

    def measure(self, reference: Reference, tilt: int) -> int:
        """Measure and write the style of one tilt of a reference; return the number of its pixels."""
        fit_to = self.tilt_shape if self.style.reference_size == "fit_to_tilt" else None
        image = read_style_tilt(reference, tilt, fit_to)
        stack_range = None
        if self.style.transfer.needs_stack_range:
            stack_range = ReferenceStatistics(self.folder).read_stack_range(reference.name)
        arrays = measure_style(
            reference=TiltImage(image.pixels, stack_range),
            valid_mask=image.recorded_mask,
            style=self.style,
            weights_checksum=self.weights_checksum,
        )
        for name, values in arrays.items():
            open_array(self.folder.statistics(reference.name), name)[tilt] = values
        return int(image.pixels.size)

    def read(self, part: WeightedTilt) -> TiltArrays:
        """Read the style of one tilt of a reference."""
        path = self.folder.statistics(part.reference)
        return {
            layout.name: np.asarray(open_array(path, layout.name, "r")[part.tilt]) for layout in self.layouts
        }

    def transfer(
        self,
        *,
        content: TiltImage,
        start: TiltImage,
        reference: Sequence[WeightedTilt],
        moments: Moments | None = None,
    ) -> NDArray[np.float32]:
        """Transfer a reference's style to one tilt of a series.

        Parameters
        ----------
        content
            Tilt whose specimen the result keeps.
        start
            Tilt that the transfer starts from.
        reference
            Reference tilts that stand for the tilt's angle.
        moments
            Mean and standard deviation of the result; those of the reference if not given.
        """
        if moments is None:
            statistics = ReferenceStatistics(self.folder)
            moments = Moments(*(statistics.blend(reference, name) for name in ("mean", "std")))
        return transfer_tilt(
            content=content,
            start=start,
            targets=[(self.read(part), part.weight) for part in reference],
            moments=moments,
            style=self.style,
            weights_checksum=self.weights_checksum,
        )
