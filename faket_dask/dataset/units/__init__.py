"""All units of work, a stage of the pipeline each."""

from faket_dask.dataset.units.microscope import IMAGE
from faket_dask.dataset.units.projection import PROJECT
from faket_dask.dataset.units.reconstruction import FILTER, RECONSTRUCT
from faket_dask.dataset.units.reference import MEASURE, TARGETS
from faket_dask.dataset.units.series import LEVELS, STYLE
from faket_dask.dataset.units.specimen import BUILD, PLACE
from faket_dask.dataset.units.unit import Stage

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (PLACE, BUILD, PROJECT, IMAGE, MEASURE, TARGETS, LEVELS, STYLE, FILTER, RECONSTRUCT)
}
"""By name, in the order that data flows through them."""
