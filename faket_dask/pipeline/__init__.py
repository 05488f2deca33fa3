"""Pipeline of tilt-series: from specimens and references to synthetic tilt-series and tomograms, as units of work.

Data flow: `place` → `build` → `project` (→ `simulate`) make specimens and their projections; `reference_statistics` and
`reference_gram` measure references; (`background` →) `fit_noise` → `synthesise` make series; `realism` measures them;
`filter` → `reconstruct` make tomograms. Each module holds the stages of one step; libraries of a step are imported when
it is first computed, so that a worker that only back-projects never loads PyTorch.
"""

from faket_dask.dataset.spec import PIPELINE, DatasetSpec
from faket_dask.engine.pipeline import Pipeline
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Item
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.background import DrawBackground
from faket_dask.pipeline.build import BuildVolume, PlaceParticles
from faket_dask.pipeline.noise import FitNoise
from faket_dask.pipeline.project import ProjectVolume
from faket_dask.pipeline.realism import MeasureRealism
from faket_dask.pipeline.reconstruct import FilterTilts, ReconstructTomogram
from faket_dask.pipeline.reference import MeasureGram, MeasureStatistics
from faket_dask.pipeline.simulate import SimulateImages
from faket_dask.pipeline.synthesise import SynthesiseTilts


def rank_item(spec: DatasetSpec, item: Item) -> int:
    """Return when an item's work starts: references first, then series by series, so that the first end early."""
    return spec.places.get(item.owner, 0)


def list_products(spec: DatasetSpec) -> list[BatchKey]:
    """Return the batches that write the tilts of each series, or of each specimen where nothing has a style."""
    if spec.makes_series:
        return [BatchKey(SynthesiseTilts.name, Item(series.name)) for series in spec.series]
    kept = spec.config.outputs.modalities
    stage = MODALITIES.get(kept[-1] if kept else "noiseless").stage
    return [BatchKey(stage, Item(name)) for name in dict.fromkeys(series.specimen for series in spec.series)]


TILT_SERIES = Pipeline(
    name=PIPELINE,
    target="faket_dask.pipeline:TILT_SERIES",
    stages=(
        PlaceParticles(),
        BuildVolume(),
        ProjectVolume(),
        SimulateImages(),
        MeasureStatistics(),
        MeasureGram(),
        DrawBackground(),
        FitNoise(),
        SynthesiseTilts(),
        MeasureRealism(),
        FilterTilts(),
        ReconstructTomogram(),
    ),
    read=DatasetSpec.read,
    list_products=list_products,
    product_name="series",
    unit_name="tilts",
    rank=rank_item,
)
"""Pipeline of data sets."""
