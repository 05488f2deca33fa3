"""Style transfer of one tilt by the method that a run file names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import StyleSection
from faket_dask.kernels.moments import Moments
from faket_dask.methods.arrays import TiltArrays
from faket_dask.methods.transfer import TiltImage
from faket_dask.stages.networks import load_network
from faket_dask.stages.process import prepare_process


def measure_style(
    *,
    reference: TiltImage,
    valid_mask: NDArray[np.bool_] | None,
    style: StyleSection,
    weights_checksum: str,
) -> TiltArrays:
    """Return the style of one tilt of a reference, as arrays to be stored.

    Parameters
    ----------
    reference
        Tilt of any size, with the range of its stack where the method needs it.
    valid_mask
        ``(y, x)`` bool, false for artefacts; ``None`` lets the method look for them where they matter.
    style
        Section of a resolved configuration.
    weights_checksum
        Checksum of the network's weights.
    """
    prepare_process(style.threads)
    network = load_network(style, weights_checksum)
    return style.transfer.measure(network, reference, valid_mask, style.tile_px)


def transfer_tilt(
    *,
    content: TiltImage,
    start: TiltImage,
    targets: Sequence[tuple[TiltArrays, float]],
    moments: Moments,
    style: StyleSection,
    weights_checksum: str,
) -> NDArray[np.float32]:
    """Return the `faket` tilt, ``(y, x)`` in the unit of the reference.

    Parameters
    ----------
    content
        Tilt whose specimen the result keeps.
    start
        Tilt with noise that the transfer starts from.
    targets
        Style of each reference tilt that stands for this angle, with its weight; the weights add up to 1.
    moments
        Mean and standard deviation of the reference at this angle.
    style
        Section of a resolved configuration.
    weights_checksum
        Checksum of the network's weights.
    """
    prepare_process(style.threads)
    return style.transfer.transfer(
        load_network(style, weights_checksum),
        content=content,
        start=start,
        targets=style.transfer.blend(targets),
        moments=moments,
        tile=style.tile_px,
    )
