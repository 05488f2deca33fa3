"""Run file: its sections, and functions to read and write it."""

from faket_dask.config.outputs import CtfKind, FilterKind, HalvesKind, ReconstructionSection
from faket_dask.config.references import BlendedReference, Reference, TiltSeriesReference
from faket_dask.config.run_file import RunConfig, dump, load, parse, parse_reconstruction
from faket_dask.config.specimen import BuiltSpecimen, ExistingVolume
from faket_dask.config.style import StyleSection

__all__ = [
    "BlendedReference",
    "BuiltSpecimen",
    "CtfKind",
    "ExistingVolume",
    "FilterKind",
    "HalvesKind",
    "ReconstructionSection",
    "Reference",
    "RunConfig",
    "StyleSection",
    "TiltSeriesReference",
    "dump",
    "load",
    "parse",
    "parse_reconstruction",
]
