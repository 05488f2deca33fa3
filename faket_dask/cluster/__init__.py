"""Where a run's units of work are computed; all it knows of the work is its `Requirements`."""

from faket_dask.cluster.open import open_cluster
from faket_dask.cluster.profile import Profile, load_profile

__all__ = ["Profile", "load_profile", "open_cluster"]
