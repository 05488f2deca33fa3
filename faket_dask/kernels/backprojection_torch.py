"""Back-projection on an accelerator."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

_LARGEST = 2**26
"""Values of one array of intermediate results (a quarter of a gigabyte); there are about five at a time."""


def back_project_on(
    device: str,
    stack: NDArray[np.float32],
    angles: NDArray[np.float64],
    depth: int,
    centre: float,
    z_centre: float,
) -> NDArray[np.float32]:
    """Return the sum of the tilts smeared back along their rays, as `backprojection.back_project` does.

    Parameters
    ----------
    device
        PyTorch's name of the device, such as ``"cuda"`` or ``"cuda:1"``.
    stack
        ``(tilt, y, x)`` filtered tilts.
    angles
        ``(tilt,)`` radians.
    depth
        Layers of the volume.
    centre, z_centre
        Column and layer where the tilt axis lies.

    Returns
    -------
    volume
        ``(depth, y, x)`` float32, equal to that of the CPU up to rounding.
    """
    tilts, height, width = stack.shape
    volume = np.empty((depth, height, width), dtype=np.float32)
    layers = max(1, _LARGEST // (height * width))
    with torch.no_grad():
        tilted = torch.as_tensor(stack, device=device)
        tilted = tilted - tilted.mean(dim=2, keepdim=True, dtype=torch.float64).to(torch.float32)
        x = torch.arange(width, device=device, dtype=torch.float64) - centre
        for start in range(0, depth, layers):
            stop = min(start + layers, depth)
            z = torch.arange(start, stop, device=device, dtype=torch.float64)[:, None] - z_centre
            total = torch.zeros((height, stop - start, width), device=device)
            for image, angle in zip(tilted, angles, strict=True):
                u = x * np.cos(angle) - z * np.sin(angle) + centre
                inside = (u >= 0) & (u <= width - 1)
                left = u.clamp(0, width - 1).floor().clamp(max=width - 2)
                right_weight = ((u - left) * inside).to(torch.float32)
                left_weight = inside.to(torch.float32) - right_weight
                index = left.to(torch.int64)
                total += left_weight * image[:, index] + right_weight * image[:, index + 1]
            total *= np.pi / tilts
            volume[start:stop] = total.permute(1, 0, 2).cpu().numpy()
    return volume
