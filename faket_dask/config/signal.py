"""Signal of the specimen in synthetic tilts: contrast transfer, and structure beside the specimen's own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from faket_dask.config.acquisition import AstigmaticSection, DrawnUnderfocus
from faket_dask.documents.section import Section
from faket_dask.kernels.tilt_angles import LARGEST_TILT_DEG

NO_CTF = "none"
"""Value of `signal.ctf` for a signal without contrast transfer."""


class DrawnCtf(AstigmaticSection):
    """Defocus that is drawn for each series."""

    defocus_um: DrawnUnderfocus = Field(
        description="mean defocus, or a range to draw it from; positive is underfocus"
    )


class SignalSection(Section):
    """Contrast transfer of the specimen's signal in all synthetic tilts but `noiseless`.

    Voltage, spherical aberration, amplitude contrast and detector are those of the section `microscope`, unless the
    reference's files name others.
    """

    ctf: Literal["auto", "reference", "none"] | DrawnCtf = Field(
        default="auto",
        description="reference: that of each series' reference; none (published); or a section with defocus_um; auto: "
        "reference where the contrast transfer of all references is known, else none",
    )

    @property
    def is_transferred(self) -> bool:
        """True if the signal carries a contrast transfer function; of a resolved configuration."""
        return self.ctf != NO_CTF


class BackgroundSection(Section):
    """Matter that all tilts of a series share, beside the specimen."""

    source: Literal["auto", "reference", "none"] = Field(
        default="auto",
        description="reference: with the power that neighbouring tilts of the reference have in common; auto: where "
        "it can be measured and noise.statistics is physical",
    )
    thickness_A: float | None = Field(
        default=None, gt=0, le=1e6, description="thickness of its slab; that of the specimen if not given"
    )
    inclination_deg: float = Field(
        default=0.0,
        gt=-LARGEST_TILT_DEG,
        lt=LARGEST_TILT_DEG,
        description="angle of the slab about the tilt axis at zero tilt",
    )
