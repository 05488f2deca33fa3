"""Single-tilt images with Warp's `.tomostar`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faket_dask.formats.mrc import write_stack
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.interchange.exporters.source import Source


class WarpExporter:
    """Writer of ``tomostar/<series>_<modality>.tomostar`` and of the images that it names, in ``frames``."""

    name = "warp"
    help = "single-tilt images and a .tomostar per series, for Warp and M"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each `.tomostar`."""
        (folder / "tomostar").mkdir(exist_ok=True)
        (folder / "frames").mkdir(exist_ok=True)
        for series in source.series:
            for modality in source.modalities:
                name = f"{series.name}_{modality}"
                geometry = source.geometry(series, modality)
                images = []
                for number, tilt in enumerate(source.tilts(series, modality)):
                    images.append(f"{name}_{number:03d}.mrc")
                    write_stack(
                        folder / "frames" / images[-1], [tilt], (1, *tilt.shape), geometry.pixel_size_A
                    )
                path = folder / "tomostar" / f"{name}.tomostar"
                write_tomostar(path, geometry, [f"../frames/{image}" for image in images])
                yield path
