"""A RELION-5 project of all series."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.relion_coordinates import write_coordinates
from faket_dask.interchange.exporters.source import Source


class Relion5Exporter:
    """Writer of ``tomograms.star``, ``particles.star`` and the files that they name.

    Each series and modality is a tomogram; its tilts are in ``stacks``, and its volume, where the data set has
    reconstructed it, in ``tomograms``. ``particles_coordinates.star`` then lists the particles in voxels of these
    volumes, as RELION 3 and programs that follow it read them. Subunits of filaments are helical segments in
    ``particles_<class>.star``.
    """

    name = "relion5"
    help = "a RELION-5 project: tomograms.star, particles.star and their stacks"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each file.

        Warns
        -----
        UserWarning
            If images carry no CTF, which RELION's tables cannot say.
        """
        without = [
            name
            for name in source.modalities
            if any(source.ctf(series, name) is None for series in source.series)
        ]
        if without:
            warnings.warn(
                f"the images of {', '.join(without)} carry no CTF, so RELION's tables say defocus 0, Cs 0 and "
                "amplitude contrast 1, a CTF of 1 at every frequency; correct it or leave it, the results agree",
                stacklevel=2,
            )
        tomograms, particles, in_volumes, tracks = [], {}, {}, {}
        for series in source.series:
            view = source.view(series.specimen)
            tilts = source.stack_shape(series)[0]
            for modality in source.modalities:
                name = f"{series.name}_{modality}"
                stack = folder / "stacks" / f"{name}.mrcs"
                stack.parent.mkdir(exist_ok=True)
                write_stack(
                    stack, source.tilts(series, modality), source.stack_shape(series), view.voxel_size_A
                )
                yield stack
                volume = None
                tomogram = source.tomogram(series, modality)
                if tomogram is not None:
                    volume = folder / "tomograms" / f"{name}.mrc"
                    volume.parent.mkdir(exist_ok=True)
                    grid = source.grid(series)
                    write_volume(volume, tomogram, grid.voxel_size_A)
                    in_volumes[name] = source.particles(series.specimen, grid)
                    yield volume
                ctf = source.ctf(series, modality)
                optics = source.optics(series, modality)
                tomograms.append(
                    RelionTomogram(
                        name=name,
                        geometry=source.geometry(series, modality),
                        optics=RelionOptics(
                            optics.voltage_kV, optics.spherical_aberration_mm, optics.amplitude_contrast
                        ),
                        stacks=(f"stacks/{name}.mrcs",) * tilts,
                        sections=tuple(range(tilts)),
                        shape=view.shape,
                        ctf=ctf,
                        volume=None if volume is None else f"tomograms/{name}.mrc",
                        binning=1 if volume is None else source.spec.config.reconstruction.pixels_per_voxel,
                    )
                )
                particles[name] = source.particles(series.specimen, view)
                on_filaments = source.tracks(series.specimen, view)
                if on_filaments is not None:
                    tracks[name] = on_filaments
        write_project(folder, tomograms, particles, tracks)
        yield folder / "tomograms.star"
        if any(len(table) for table in particles.values()):
            yield folder / "particles.star"
        if any(len(table) for table in in_volumes.values()):
            path = folder / "particles_coordinates.star"
            write_coordinates(path, [tomogram for tomogram in tomograms if tomogram.volume], in_volumes)
            yield path
