"""xarray and hvPlot on the stores of a data set, without this package."""

from collections.abc import Callable

import pytest

import faket_dask
from tests.clients.environments import Client

pytestmark = pytest.mark.clients

OPEN = """
import json, sys, warnings
warnings.simplefilter("error")
import xarray as xr
trees = {path: xr.open_datatree(path) for path in sys.argv[1:]}
print(json.dumps({path: [node.path for node in tree.subtree] for path, tree in trees.items()}))
"""

PLOT = """
import json, sys
import holoviews, hvplot.xarray, xarray as xr
holoviews.extension("bokeh")
tilts = xr.open_datatree(sys.argv[1])["tilts"].to_dataset()
shown = []
for stacks in (tilts.set_xindex("tilt_angle"), tilts.swap_dims(tilt="tilt_angle")):
    plot = stacks["faket"].hvplot.image(x="x", y="y", groupby="tilt_angle")
    holoviews.render(plot)
    image = plot[20.0].data["faket"].values
    shown.append([float(image.mean()), list(image.shape)])
print(json.dumps(shown))
"""


def test_stores_open_as_trees_without_warnings(
    install: Callable[..., Client], binned_dataset: faket_dask.Dataset
) -> None:
    stores = sorted(binned_dataset.folder.glob("*/*.zarr"))
    groups = install("hvplot").run(OPEN, *stores)
    assert len(groups) == len(stores) > 4
    assert all(len(paths) > 1 for paths in groups.values())


def test_tilts_are_browsed_by_their_angle(
    install: Callable[..., Client], binned_dataset: faket_dask.Dataset
) -> None:
    name = binned_dataset.series[0]
    tilt = binned_dataset.open(name)["faket"].sel(tilt_angle=20)
    shown = install("hvplot").run(PLOT, binned_dataset.spec.folder.series(name))
    assert len(shown) == 2
    for mean, shape in shown:
        assert mean == pytest.approx(float(tilt.mean()), rel=1e-5)
        assert shape == [96, 80]
