"""The scenarios of the paper's Table 2 (FakET, arXiv 2304.02011, Appendix F), with the figures published there.

They were measured on an A100 with 40 GB and on two EPYC 7742.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Published:
    """What the paper reports; nothing where the published program did not fit into the GPU's memory."""

    ram_GiB: float | None = None
    vram_GiB: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Scenario:
    """A number of square tilts, each styled after a square reference tilt of its own.

    Parameters
    ----------
    tilts
        Number of tilts.
    size, style_size
        Side of the tilts and of the reference's, in pixels.
    device
        Where.
    workers
        Processes of one thread each on the CPU, one on a GPU; as published.
    published
        Time and memory of the published program.
    """

    tilts: int
    size: int
    style_size: int
    device: Device
    workers: int
    published: Published

    @property
    def name(self) -> str:
        return f"{self.tilts}x{self.size}-{self.style_size}-{self.workers}{self.device}"


PUBLISHED = (
    Scenario(1, 1024, 1024, "cuda", 1, Published(4.5, 7.2, 0.27)),
    Scenario(1, 1024, 1024, "cpu", 1, Published(3.9, None, 0.67)),
    Scenario(1, 3500, 1024, "cuda", 1, Published(4.6, 38.6, 0.37)),
    Scenario(1, 3500, 1024, "cpu", 1, Published(33.5, None, 5.52)),
    Scenario(1, 3500, 3500, "cuda", 1, Published()),
    Scenario(1, 3500, 3500, "cpu", 1, Published(38.8, None, 7.83)),
    Scenario(61, 1024, 1024, "cuda", 1, Published(6.3, 7.2, 1.50)),
    Scenario(61, 1024, 1024, "cpu", 64, Published(5.7, None, 4.15)),
    Scenario(61, 1024, 1024, "cpu", 32, Published(5.2, None, 4.38)),
    Scenario(61, 1024, 1024, "cpu", 16, Published(5.4, None, 6.03)),
    Scenario(61, 1024, 1024, "cpu", 8, Published(5.3, None, 7.95)),
    Scenario(61, 3500, 1024, "cuda", 1, Published(21.3, 38.6, 8.95)),
    Scenario(61, 3500, 1024, "cpu", 64, Published(42.7, None, 40.4)),
    Scenario(61, 3500, 1024, "cpu", 32, Published(42.4, None, 42.8)),
    Scenario(61, 3500, 1024, "cpu", 16, Published(42.3, None, 60.0)),
    Scenario(61, 3500, 1024, "cpu", 8, Published(42.3, None, 77.5)),
    Scenario(61, 3500, 3500, "cuda", 1, Published()),
    Scenario(61, 3500, 3500, "cpu", 64, Published(52.9, None, 51.58)),
)
