"""Noise of recorded tilt-series: how strong it is, which spectrum it has, and how it is added to a projection.

A standardised noisy tilt is modelled as `signal_scale` times the standardised noiseless tilt plus `noise_scale` times
a standard field. Both scales, and the mean and standard deviation that turn the sum back into the reference's units,
vary with the tilt angle (FakET, arXiv 2304.02011: noise). They are measured tilt by tilt (`noise_curves` where clean
counterparts exist, `unpaired_noise_curves` where none do), smoothed and averaged over reference series (`fit_curves`),
and applied (`add_noise`).
"""

from faket_dask.kernels.noise.addition import add_noise
from faket_dask.kernels.noise.curves import NoiseCurves, fit_curves
from faket_dask.kernels.noise.paired import noise_curves
from faket_dask.kernels.noise.unpaired import unpaired_noise_curves

__all__ = ["NoiseCurves", "add_noise", "fit_curves", "noise_curves", "unpaired_noise_curves"]
