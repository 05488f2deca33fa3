"""Density of a particle from atomic coordinates.

Each atom contributes its electron scattering factor, whose Fourier transform is its electrostatic potential
(neutral atoms), less the potential of the ice that it displaces: a Gaussian with the atom's volume, as in
small-angle scattering (Fraser, MacRae & Suzuki, J. Appl. Cryst. 11, 693, 1978). The sum is formed in Fourier
space, where form factors are exact and the low-pass filter of the specimen's sampling is a product.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import gemmi
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.atom_table import Atoms, AtomTable
from faket_dask.specimen.ice import ICE_V
from faket_dask.specimen.structure_file import read_atoms
from faket_dask.specimen.template import (
    OVERSAMPLING,
    Sampling,
    Template,
    centred_template,
    check_edge,
    template_about,
)

# h² / (2π m e): potential (V Å³) of a scattering length of 1 Å (Kirkland, Advanced Computing in Electron
# Microscopy, 2nd ed., 2010, appendix C).
_VOLT_A3_PER_A = 47.878

# Volumes in Å³ that atoms of biological molecules keep from the solvent (Fraser et al. 1978; International
# Tables C); other elements, all of them rare ions, get one of middling size.
_DISPLACED_A3 = {
    "H": 5.15, "C": 16.44, "N": 2.49, "O": 9.13, "P": 5.73, "S": 19.86, "MG": 1.54, "FE": 7.99, "ZN": 9.85,
}  # fmt: skip
_OTHER_DISPLACED_A3 = 9.0

_ATOM_GRID_A = 2.5
"""Largest spacing in Å of the grid that atoms are first put on, shared out linearly between its points."""


def structure_template(
    path: Path,
    voxel_size_A: float,
    assembly: str | None = None,
    sampling: Sampling = Sampling.SMOOTHED,
) -> Template:
    """Make the template of a structure file.

    Parameters
    ----------
    path
        PDB or mmCIF file.
    voxel_size_A
        Edge of the specimen's voxels in Å; the template is sampled twice as finely.
    assembly
        Name of a biological assembly, as for :func:`~faket_dask.specimen.structure_file.read_atoms`.
    sampling
        Frequencies that the specimen's voxels keep.

    Returns
    -------
    template
        Density in volts over ice, about the centroid of its labelled part.

    Raises
    ------
    InputError
        As for :func:`~faket_dask.specimen.structure_file.read_atoms`.
    """
    return atom_template(str(path), read_atoms(path, assembly), voxel_size_A, sampling)


def atom_template(
    name: str,
    table: AtomTable,
    voxel_size_A: float,
    sampling: Sampling = Sampling.SMOOTHED,
    centre_A: NDArray[np.float64] | None = None,
) -> Template:
    """Make the template of a particle from its atoms.

    Parameters
    ----------
    name
        Source of the atoms, for messages.
    table
        Atoms of the particle.
    voxel_size_A
        Edge of the specimen's voxels in Å; the template is sampled twice as finely.
    sampling
        Frequencies that the specimen's voxels keep.
    centre_A
        ``(x, y, z)`` in Å of the particle's centre; ``None`` for the centroid of its labelled part.

    Returns
    -------
    template
        Density in volts over ice.

    Raises
    ------
    InputError
        If the particle is too large.
    """
    atoms = table.by_element()
    positions = np.concatenate(list(atoms.values()))
    middle = centre_A
    if middle is None:
        middle = np.average(positions[:, :3], axis=0, weights=positions[:, 3])
    atoms = {element: np.column_stack((rows[:, :3] - middle, rows[:, 3])) for element, rows in atoms.items()}
    fine = voxel_size_A / OVERSAMPLING
    # Room for the centre to move, and for the blur.
    reach = 1.1 * np.linalg.norm(positions[:, :3] - middle, axis=1).max() + 2 * voxel_size_A + 10.0
    size = scipy.fft.next_fast_len(2 * int(np.ceil(reach / fine)) + 2, real=True)
    size += size % 2
    check_edge(f"structure {name}", size * _refine_grid(fine), fine / _refine_grid(fine))
    spectrum = potential_spectrum(atoms, size, fine, sampling.blur * voxel_size_A)
    sample = partial(shifted_density, spectrum=spectrum, voxel_size_A=fine)
    mass_Da = float(sum(rows[:, 3].sum() * gemmi.Element(element).weight for element, rows in atoms.items()))
    if centre_A is not None:
        template = template_about(np.zeros(3), name, sample, fine, sampling)
        return replace(template, centre_A=centre_A, mass_Da=mass_Da)
    template = centred_template(name, sample, fine, sampling)
    return replace(template, centre_A=middle + template.centre_A, mass_Da=mass_Da)


def potential_spectrum(atoms: Atoms, size: int, voxel_size_A: float, blur_A: float) -> NDArray[np.complex128]:
    """Compute the Fourier transform of the potential over ice of a set of atoms.

    Parameters
    ----------
    atoms
        Atoms by element; the origin comes to voxel ``size // 2``.
    size
        Edge of the cube in voxels, even; atoms outside it wrap around.
    voxel_size_A
        Edge of a voxel in Å.
    blur_A
        Standard deviation in Å of a Gaussian to blur with.

    Returns
    -------
    spectrum
        ``(size, size, size // 2 + 1)``, axes ``(z, y, x)``: ``rfftn`` of volts.
    """
    refinement = _refine_grid(voxel_size_A)
    grid = size * refinement
    spacing = voxel_size_A / refinement
    kz, ky, kx = _frequencies(size, voxel_size_A)
    k2 = kz**2 + ky**2 + kx**2
    spectrum = np.zeros(k2.shape, dtype=np.complex128)
    for element, rows in atoms.items():
        index = rows[:, 2::-1] / spacing + grid // 2
        counts = _share_out(index, rows[:, 3], grid)
        spectrum += form_factor(element, k2) * _crop_frequencies(scipy.fft.rfftn(counts), size)
    # Sharing out linearly multiplied the spectrum by sinc² along each axis.
    for k in (kz, ky, kx):
        spectrum /= np.sinc(k * spacing) ** 2
    spectrum *= np.exp(-2 * np.pi**2 * blur_A**2 * k2) / voxel_size_A**3
    return spectrum


def _refine_grid(voxel_size_A: float) -> int:
    """Return the points per voxel of the grid that atoms are first put on."""
    return max(1, int(np.ceil(voxel_size_A / _ATOM_GRID_A)))


def shifted_density(
    offset_A: NDArray[np.float64], spectrum: NDArray[np.complex128], voxel_size_A: float
) -> NDArray[np.float32]:
    """Compute the density with a point of the particle at its middle.

    Parameters
    ----------
    offset_A
        ``(x, y, z)`` of the point that comes to voxel ``size // 2``, in Å.
    spectrum
        Fourier transform, as :func:`potential_spectrum` returns it.
    voxel_size_A
        Edge of a voxel in Å.

    Returns
    -------
    density
        ``(size, size, size)`` float32, axes ``(z, y, x)``, volts.
    """
    size = spectrum.shape[0]
    for k, offset in zip(_frequencies(size, voxel_size_A), offset_A[::-1], strict=True):
        spectrum = spectrum * np.exp(2j * np.pi * k * offset)
    return scipy.fft.irfftn(spectrum, (size, size, size)).astype(np.float32)


def _frequencies(size: int, voxel_size_A: float) -> tuple[NDArray[np.floating], ...]:
    """Return the spatial frequencies in 1/Å along z, y and x of ``rfftn``, shaped to broadcast."""
    k = np.fft.fftfreq(size, voxel_size_A)
    return k[:, None, None], k[None, :, None], np.fft.rfftfreq(size, voxel_size_A)[None, None, :]


def form_factor(element: str, k2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the spectrum of one atom's potential over that of the ice in its place, in V Å³.

    Parameters
    ----------
    element
        Symbol of the element.
    k2
        Squares of spatial frequencies in 1/Å².

    Raises
    ------
    InputError
        If no scattering factor of the element is known.

    Examples
    --------
    >>> round(float(form_factor("P", np.zeros(()))), 1)
    236.8
    """
    coefficients = gemmi.Element(element).c4322
    if coefficients is None:
        raise InputError(f"no electron scattering factor is known for the element {element}")
    scattering = sum(a * np.exp(-b * k2 / 4) for a, b in zip(coefficients.a, coefficients.b, strict=True))
    volume = _DISPLACED_A3.get(element, _OTHER_DISPLACED_A3)
    return _VOLT_A3_PER_A * scattering - ICE_V * volume * np.exp(-np.pi * k2 * volume ** (2 / 3))


def _share_out(index: NDArray[np.float64], weight: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Put weights at fractional indices ``(n, 3)`` of a periodic cube, linearly between its points."""
    counts = np.zeros(size**3)
    lower = np.floor(index).astype(np.int64)
    fraction = index - lower
    for corner in np.ndindex(2, 2, 2):
        share = np.prod(np.where(corner, fraction, 1 - fraction), axis=1)
        z, y, x = ((lower + corner) % size).T
        counts += np.bincount((z * size + y) * size + x, weight * share, minlength=size**3)
    return counts.reshape(size, size, size)


def _crop_frequencies(spectrum: NDArray[np.complex128], size: int) -> NDArray[np.complex128]:
    """Cut out the part of a real cube's spectrum that a coarser cube of even edge ``size`` has."""
    half = size // 2
    rows = np.r_[0:half, spectrum.shape[0] - half : spectrum.shape[0]]
    return spectrum[np.ix_(rows, rows, np.arange(half + 1))]
