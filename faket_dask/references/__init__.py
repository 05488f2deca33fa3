"""References: tilt-series whose style is transferred, recorded or simulated, alone or blended.

`open_reference` returns a `Reference`; everything behind it (files, alignment, masks, resampling) is the same for all
kinds. `open_blend` returns any of them as a blend, which selects the tilts that stand for an angle; `statistics` reads
the measured statistics.
"""

from faket_dask.references.base import Reference, open_reference

__all__ = ["Reference", "open_reference"]
