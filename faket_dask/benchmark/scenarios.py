"""Scenarios of the paper's Table 2 (FakET, arXiv 2304.02011, Appendix F), with their published figures.

The figures were measured on an A100 with 40 GB and on two EPYC 7742.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class PublishedFigures:
    """Memory and time in the paper; ``None`` where the published program did not fit into the GPU's memory."""

    ram_GiB: float | None = None
    vram_GiB: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Scenario:
    """Transfer of a number of square tilts, each with a square reference tilt of its own.

    Parameters
    ----------
    tilts
        Number of tilts.
    size, style_size
        Side of the tilts and of the reference tilts, in pixels.
    device
        Device of the transfer.
    workers
        Number of processes: of one thread each on the CPU, or one on a GPU.
    published
        Figures of the published program.
    """

    tilts: int
    size: int
    style_size: int
    device: Device
    workers: int
    published: PublishedFigures

    @property
    def sizes(self) -> str:
        """Name on the command line.

        Examples
        --------
        >>> PUBLISHED[0].sizes, PUBLISHED[0].name
        ('1x1024-1024', '1x1024-1024-1cuda')
        """
        return f"{self.tilts}x{self.size}-{self.style_size}"

    @property
    def name(self) -> str:
        """Unique name."""
        return f"{self.sizes}-{self.workers}{self.device}"


PUBLISHED = (
    Scenario(1, 1024, 1024, "cuda", 1, PublishedFigures(4.5, 7.2, 0.27)),
    Scenario(1, 1024, 1024, "cpu", 1, PublishedFigures(3.9, None, 0.67)),
    Scenario(1, 3500, 1024, "cuda", 1, PublishedFigures(4.6, 38.6, 0.37)),
    Scenario(1, 3500, 1024, "cpu", 1, PublishedFigures(33.5, None, 5.52)),
    Scenario(1, 3500, 3500, "cuda", 1, PublishedFigures()),
    Scenario(1, 3500, 3500, "cpu", 1, PublishedFigures(38.8, None, 7.83)),
    Scenario(61, 1024, 1024, "cuda", 1, PublishedFigures(6.3, 7.2, 1.50)),
    Scenario(61, 1024, 1024, "cpu", 64, PublishedFigures(5.7, None, 4.15)),
    Scenario(61, 1024, 1024, "cpu", 32, PublishedFigures(5.2, None, 4.38)),
    Scenario(61, 1024, 1024, "cpu", 16, PublishedFigures(5.4, None, 6.03)),
    Scenario(61, 1024, 1024, "cpu", 8, PublishedFigures(5.3, None, 7.95)),
    Scenario(61, 3500, 1024, "cuda", 1, PublishedFigures(21.3, 38.6, 8.95)),
    Scenario(61, 3500, 1024, "cpu", 64, PublishedFigures(42.7, None, 40.4)),
    Scenario(61, 3500, 1024, "cpu", 32, PublishedFigures(42.4, None, 42.8)),
    Scenario(61, 3500, 1024, "cpu", 16, PublishedFigures(42.3, None, 60.0)),
    Scenario(61, 3500, 1024, "cpu", 8, PublishedFigures(42.3, None, 77.5)),
    Scenario(61, 3500, 3500, "cuda", 1, PublishedFigures()),
    Scenario(61, 3500, 3500, "cpu", 64, PublishedFigures(52.9, None, 51.58)),
)
"""Rows of the table."""
