"""Single-tilt images with Warp's `.tomostar`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.interchange.exporters.source import Source


class WarpExporter:
    """Writer of ``tomostar/<series>_<modality>.tomostar`` and of the images that it names, in ``frames``.

    ``mdoc/<series>_<modality>.mdoc`` describes the same images for importers that begin with SerialEM's files, such as
    WarpTools' ``ts_import``.
    """

    name = "warp"
    help = "single-tilt images with a .tomostar and an .mdoc per series, for Warp and M"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each `.tomostar` and `.mdoc`."""
        for name in ("tomostar", "frames", "mdoc"):
            (folder / name).mkdir(exist_ok=True)
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
                mdoc = folder / "mdoc" / f"{name}.mdoc"
                write_mdoc(
                    mdoc,
                    geometry,
                    f"{name}.mrc",
                    source.stack_shape(series)[1:],
                    source.optics(series, modality).voltage_kV,
                    source.ctf(series, modality),
                    images,
                )
                yield mdoc
