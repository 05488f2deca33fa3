"""Single-tilt images with Warp's `.tomostar`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.openers.warp import PROCESSING_FOLDER
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.formats.warp_xml_writing import write_warp_xml
from faket_dask.interchange.exporters.source import Source


class WarpExporter:
    """Writer of ``tomostar/<series>_<modality>.tomostar`` and of the images that it names, in ``frames``.

    ``mdoc/<series>_<modality>.mdoc`` describes the same images for importers that begin with SerialEM's files, such as
    WarpTools' ``ts_import``. Where images carry a CTF, ``warp_tiltseries/<series>_<modality>.xml`` has it, as Warp
    keeps one that it has fitted.
    """

    name = "warp"
    help = "single-tilt images with a .tomostar, an .mdoc and what is known of the CTF per series, for Warp and M"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each `.tomostar`, `.xml` and `.mdoc`."""
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
                movies = [f"../frames/{image}" for image in images]
                path = folder / "tomostar" / f"{name}.tomostar"
                write_tomostar(path, geometry, movies)
                yield path
                tilt_shape, ctf = source.stack_shape(series)[1:], source.ctf(series, modality)
                if ctf is not None:
                    xml = folder / PROCESSING_FOLDER / f"{name}.xml"
                    xml.parent.mkdir(exist_ok=True)
                    write_warp_xml(xml, geometry, movies, tilt_shape, ctf)
                    yield xml
                mdoc = folder / "mdoc" / f"{name}.mdoc"
                write_mdoc(
                    mdoc,
                    geometry,
                    f"{name}.mrc",
                    tilt_shape,
                    source.optics(series, modality).voltage_kV,
                    ctf,
                    images,
                )
                yield mdoc
