"""Workers that compute the units of a run; all it knows of the run is its `Requirements`."""

from faket_dask.cluster.open import open_cluster
from faket_dask.cluster.profile import Profile, load_profile

__all__ = ["Profile", "load_profile", "open_cluster"]
