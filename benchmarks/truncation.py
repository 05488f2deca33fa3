"""Rims of tomograms whose specimen continues beyond the edges of the tilts, with and without continuation of the tilts.

    python benchmarks/truncation.py

A slab four times as wide as the field of view is projected, and its central columns are reconstructed in three ways:
from tilts filtered at full width and then cut, the lower limit for any continuation; from cut tilts, filtered as
periodic; and from cut tilts, filtered as this project does. The output lists the root mean square error against the
tomogram of the full-width tilts, in standard deviations of its inner half, for the outer 5 % of the columns on either
side and for the inner half.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.filters import filter_tilt, ramp_filter
from faket_dask.kernels.projection import project
from faket_dask.stages.reconstruction import NYQUIST, prepare_tilt

WIDTH, DEPTH, ROWS = 256, 48, 8
ANGLES = np.arange(-60.0, 61, 2)
FULL = 4 * WIDTH


def slabs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    texture = gaussian_filter(rng.standard_normal((DEPTH, ROWS, FULL)), 2)
    texture /= texture.std()
    cut = 0.2 * texture
    side = FULL // 2 + WIDTH // 2
    cut[:, :, side - 20 : side + 60] += 3
    return {
        "even ice": 1 + 0.3 * texture,
        "ice that thickens threefold": (1 + 0.3 * texture) * np.linspace(0.5, 1.5, FULL),
        "particles": 0.2 * texture**3,
        "a dense object that the side cuts": cut,
    }


def reconstruct(tilts: list[np.ndarray]) -> np.ndarray:
    return back_project(np.stack(tilts), ANGLES, DEPTH)


def main() -> None:
    rng = np.random.default_rng(0)
    view = slice(FULL // 2 - WIDTH // 2, FULL // 2 + WIDTH // 2)
    inner, rim = slice(WIDTH // 4, 3 * WIDTH // 4), WIDTH // 20
    for name, volume in slabs(rng).items():
        clean = project(volume.astype(np.float32), ANGLES, FULL)
        signal = (clean - gaussian_filter(clean, (0, 0, 20)))[:, :, view].std()
        for noise in (0, 3):
            wide = clean + noise * signal * rng.standard_normal(clean.shape).astype(np.float32)
            whole = [filter_tilt(tilt, ramp_filter(ROWS, FULL, hann=NYQUIST)) for tilt in wide]
            cut = [np.ascontiguousarray(tilt[:, view]) for tilt in wide]
            ways = {
                "whole": [tilt[:, view] for tilt in whole],
                "as periods": [filter_tilt(tilt, ramp_filter(ROWS, WIDTH, hann=NYQUIST)) for tilt in cut],
                "continued": [
                    prepare_tilt(tilt=tilt, kind="hann", tilt_angles=ANGLES, index=i, thickness_px=1)
                    for i, tilt in enumerate(cut)
                ],
            }
            truth = reconstruct(whole)[:, :, view]
            shown = []
            for way, tilts in ways.items():
                error = reconstruct(tilts) - truth
                error -= error[:, :, inner].mean()
                error /= truth[:, :, inner].std()
                sides = np.concatenate((error[:, :, :rim], error[:, :, -rim:]), axis=2)
                shown.append(f"{way} {np.sqrt((sides**2).mean()):.2f} / {error[:, :, inner].std():.3f}")
            print(f"{name}, noise {noise}: " + ", ".join(shown))


if __name__ == "__main__":
    main()
