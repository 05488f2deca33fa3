"""Keys and values of run files of version 1, with those that replace them."""

from faket_dask.documents.explain import Renames

RENAMES = Renames(
    "since version 2 of the run file",
    keys={
        "noise.average": "noise.fit_over: all_references or own_reference",
        "reconstruction.binning_after": "reconstruction.post_binning",
        "reconstruction.every": "reconstruction.tilt_stride",
        "reconstruction.of": "reconstruction.modalities",
        "specimen.sheets": "specimen.membranes: [{kind: sheet, …}]",
        "specimen.vesicles": "specimen.membranes: [{kind: vesicle, …}]",
        "style.start": "style.noise: white or spectral",
    },
    values={("style.reference_size", "shrink"): "fit_to_tilt"},
)
