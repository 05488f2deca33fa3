"""Limits of a run file's sizes, so that a digit too many is refused before anything is allocated.

They lie far beyond what is recorded today: a detector of K3 has 11520 x 8184 pixels in super-resolution.
"""

LARGEST_SIDE_PX = 32768
"""Most pixels along a side of the detector."""

PIXEL_SIZES_A = (0.1, 1000.0)
"""Smallest and largest pixel size in Å."""

LARGEST_THICKNESS_A = 1e6
"""Largest thickness of a specimen or a tomogram, 100 µm."""

MOST_TILTS = 2000
"""Most tilts of a series."""

MOST_VOXELS = 2**38
"""Most voxels of a volume: 1 TiB of density."""

MOST_SERIES = 10_000
"""Most series of a data set, and most specimens."""

MOST_FILES = 1000
"""Most references, and most specimens that are read from files: all of them are read through by `validate`."""
