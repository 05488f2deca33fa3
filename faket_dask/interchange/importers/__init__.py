"""Import of other programs' specimens, tilt-series and particle lists.

Specimens are read by importers, one program each. A package adds one with a class that follows
`faket_dask.interchange.importers.base.SpecimenImporter`, and an entry point that names it::

    [project.entry-points."faket_dask.importers"]
    tomosim = "my_package:TomosimImporter"

Modules of importers are imported when they are used.
"""
