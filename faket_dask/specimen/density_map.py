"""Density of a particle from an MRC map: resampled, its contrast scaled to volts over ice.

Maps come in arbitrary units, on an arbitrary origin (which is ignored: the particle's own centroid counts),
with noise around the particle. The sign is checked, the surroundings are set to zero.
"""

import math
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_samples
from faket_dask.geometry import UNKNOWN_PIXEL_SIZE_A, edges_agree
from faket_dask.kernels.grid_interpolation import interpolate_grid
from faket_dask.specimen.composition import mean_map_potential, potential_per_dalton
from faket_dask.specimen.template import (
    OVERSAMPLING,
    Sampling,
    Template,
    centred_template,
    check_edge,
    surface_level,
    template_about,
)

SIMILAR_SHARE = 0.3
"""Size of a separate piece of a map over that of the largest from which on it may be a particle, and not noise."""

MOST_MAP_VOXELS = 2**29
"""Most voxels of a map: 2 GiB."""


def map_template(
    path: Path,
    voxel_size_A: float,
    mean_potential_V: float,
    sampling: Sampling = Sampling.SMOOTHED,
    centre_A: NDArray[np.float64] | None = None,
    rna_fraction: float = 0.0,
) -> Template:
    """Make the template of a density map.

    Parameters
    ----------
    path
        MRC file, its axes in any order.
    voxel_size_A
        Edge of the specimen's voxels in Å; the template is sampled twice as finely.
    mean_potential_V
        Mean density inside the particle, in volts over ice.
    sampling
        Frequencies that the specimen's voxels keep.
    centre_A
        ``(x, y, z)`` in Å of the particle's centre from the middle of the map's first voxel; ``None`` for the centroid
        of its labelled part.
    rna_fraction
        Share of RNA in the particle's mass, which the mass follows from together with the potential.

    Returns
    -------
    template
        Density in volts over ice.

    Raises
    ------
    InputError
        If the file cannot be read, has no voxel size, or its particle is not denser than its surroundings.
    """
    density, map_voxel_A, is_signed_bytes = _read_map(path)
    if max(density.shape) * map_voxel_A < voxel_size_A:
        raise InputError(
            f"map {path} is {max(density.shape) * map_voxel_A:g} Å across by its header, less than one voxel of the "
            f"specimen ({voxel_size_A:g} Å); correct the voxel size in its header"
        )
    surroundings = float(np.median(np.concatenate([face.ravel() for face in _faces(density)])))
    density = density - surroundings
    if density.max() <= -density.min():
        raise InputError(f"map {path}: its strongest contrast is negative; {_advise(is_signed_bytes, path)}")
    density = _isolate(density, path)
    smoothed = _blur(density, Sampling.SMOOTHED, voxel_size_A, map_voxel_A)
    fine = voxel_size_A / OVERSAMPLING
    dense = np.argwhere(smoothed > 0.01 * smoothed.max())
    middle = dense.mean(axis=0) if centre_A is None else centre_A[::-1] / map_voxel_A
    reach = 1.1 * np.linalg.norm(dense - middle, axis=1).max() * map_voxel_A + 2 * map_voxel_A
    size = 2 * (int(np.ceil(reach / fine)) + 2)
    check_edge(f"map {path}", size, fine)
    resample = partial(_resample, middle=middle, size=size, ratio=fine / map_voxel_A, voxel_A=fine)
    sample = partial(resample, coefficients=ndimage.spline_filter(smoothed, order=3))
    # The mean inside depends on the resolution, so the scale is found at the one that the potential is known for.
    raw = sample(np.zeros(3))
    scale = mean_potential_V / float(raw[raw >= surface_level(raw)].mean())
    if sampling is not Sampling.SMOOTHED:
        blurred = _blur(density, sampling, voxel_size_A, map_voxel_A)
        sample = partial(resample, coefficients=ndimage.spline_filter(blurred, order=3))

    def sample_volts(offset_A: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.float32(scale) * sample(offset_A)

    if centre_A is None:
        template = centred_template(str(path), sample_volts, fine, sampling)
        centre_A = middle[::-1] * map_voxel_A + template.centre_A
    else:
        template = template_about(np.zeros(3), str(path), sample_volts, fine, sampling)
    # The potential that is given may not be that of the composition, but the mass is.
    calibration = mean_map_potential(rna_fraction) / mean_potential_V
    potential = calibration * float(template.density.sum(dtype=np.float64)) * fine**3
    return replace(template, centre_A=centre_A, mass_Da=potential / potential_per_dalton(rna_fraction))


def _advise(is_signed_bytes: bool, path: Path) -> str:
    """Return what to do about a map whose particle is darker than its surroundings."""
    invert = (
        f"if its density is dark, invert it: newstack -multadd -1,0 {path.name} inverted.mrc (IMOD), or "
        f"relion_image_handler --i {path.name} --o inverted.mrc --multiply_constant -1"
    )
    if not is_signed_bytes:
        return invert
    return (
        "its bytes are read as -128 … 127, as the MRC standard says: if they are 0 … 255, write it as floating point "
        f"with the program that made it; {invert}"
    )


def _read_map(path: Path) -> tuple[NDArray[np.float32], float, bool]:
    """Read the density ``(z, y, x)`` and the edge of a voxel in Å, and tell whether the samples are signed bytes."""
    with warnings.catch_warnings():
        # Maps in circulation break the standard in ways that do not touch the data; a warning helps nobody.
        warnings.filterwarnings("ignore", message=".*breaks the MRC standard")
        volume = open_samples(path)
    if math.prod(volume.shape) > MOST_MAP_VOXELS:
        raise InputError(
            f"map {path} has {volume.shape[2]} x {volume.shape[1]} x {volume.shape[0]} voxels, more than the "
            f"{MOST_MAP_VOXELS:.3g} that are read; cut the particle out, or bin the map"
        )
    density = volume.rows(0, volume.shape[1])
    if not np.isfinite(density).all() or np.ptp(density) == 0:
        raise InputError(f"map {path} holds NaN, infinity, or the same value everywhere")
    with np.errstate(over="ignore"):
        # Headers hold lengths in single precision.
        edges = np.array(volume.header.edges_A, dtype=np.float32).astype(np.float64)
    if not (np.isfinite(edges).all() and (edges > 0).all()):
        raise InputError(f"map {path} does not say its voxel size; write it into the file's header")
    if not edges_agree(edges):
        raise InputError(f"map {path} has voxels of {edges} Å along x, y, z; they must be cubes")
    voxel_size_A = float(edges.mean())
    if voxel_size_A == UNKNOWN_PIXEL_SIZE_A:
        # Many maps are sampled at 1 Å indeed, so here it is not refused.
        warnings.warn(
            f"map {path} says 1 Å per voxel, which programs also write when they do not know; if it is wrong, "
            "write the true one into the file's header",
            stacklevel=2,
        )
    return density, voxel_size_A, volume.dtype == np.int8


def _faces(density: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [np.take(density, index, axis) for axis in range(3) for index in (0, -1)]


def _blur(
    density: NDArray[np.float32], sampling: Sampling, voxel_size_A: float, map_voxel_A: float
) -> NDArray[np.float32]:
    """Remove frequencies that the specimen's voxels do not keep; the map's own have removed some already."""
    blur = np.sqrt(max(0.0, voxel_size_A**2 - map_voxel_A**2)) * sampling.blur / map_voxel_A
    return ndimage.gaussian_filter(density, blur) if blur > 0 else density


def _isolate(density: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    """Keep the largest connected piece and its close surroundings; zero elsewhere, with a soft edge."""
    pieces, count = ndimage.label(density >= surface_level(density))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    similar = np.sort(sizes)[::-1][: np.count_nonzero(sizes >= SIMILAR_SHARE * sizes.max())]
    if similar.size > 1:
        warnings.warn(
            f"map {path} holds {similar.size} separate pieces of {', '.join(map(str, similar))} voxels, and the "
            "particle is the largest alone; if they belong together, low-pass filter the map until they touch",
            stacklevel=3,
        )
    largest = pieces == 1 + np.argmax(sizes)
    distance = ndimage.distance_transform_edt(~largest)
    return (density * np.clip(4.0 - distance, 0.0, 1.0)).astype(np.float32)


def _resample(
    offset_A: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    middle: NDArray[np.float64],
    size: int,
    ratio: float,
    voxel_A: float,
) -> NDArray[np.float32]:
    axis = np.arange(size) - size // 2
    z, y, x = ((axis + offset_A[2 - d] / voxel_A) * ratio + middle[d] for d in range(3))
    return interpolate_grid(coefficients, z, y, x).astype(np.float32)
