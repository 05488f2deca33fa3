"""Training, validation and test splits of a data set that share neither specimens nor references.

Two series of one specimen show the same particles, and two of one reference have the same noise. Anything learnt of
either in training would leak into the test, so series that are connected by a specimen or by a reference, in
however many steps, stay together.
"""

from __future__ import annotations

from collections.abc import Mapping

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.errors import InputError
from faket_dask.stages.seeds import Purpose, generator


def group_connected_series(spec: DatasetSpec) -> list[list[str]]:
    """Return the names of series in groups that share neither a specimen nor a plain reference with one another."""
    groups: list[tuple[set[str], list[str]]] = []
    for series in spec.series:
        shared = {f"specimen {series.specimen}"}
        shared |= {f"reference {name}" for name in spec.blend_weights(series.reference)}
        touching = [group for group in groups if group[0] & shared]
        groups = [group for group in groups if not group[0] & shared]
        names = [name for group in touching for name in group[1]]
        groups.append((shared.union(*(group[0] for group in touching)), [*names, series.name]))
    return [names for _, names in groups]


def split_series(spec: DatasetSpec, shares: Mapping[str, float]) -> dict[str, str]:
    """Assign each series to a split.

    Parameters
    ----------
    shares
        Split → its part of the series, of any sum. Groups are dealt out from the largest on, each to the split that
        lacks most; among equals the data set's seed decides.

    Returns
    -------
    splits
        Series → split; empty when no splits are asked for.

    Raises
    ------
    InputError
        When the series fall into fewer groups than there are splits.
    """
    if not shares:
        return {}
    groups = group_connected_series(spec)
    if len(groups) < len(shares):
        raise InputError(
            f"outputs.splits: {len(spec.series)} series fall into {len(groups)} groups that share neither "
            f"specimen nor reference, too few for {len(shares)} splits; give more references, or pair `cyclic`"
        )
    seed = spec.config.dataset.seed
    order = sorted(
        groups, key=lambda names: (-len(names), generator(seed, min(names), Purpose.SPLIT).random())
    )
    quotas = {split: share / sum(shares.values()) * len(spec.series) for split, share in shares.items()}
    dealt = {split: 0 for split in shares}
    splits: dict[str, str] = {}
    for left, names in zip(range(len(order), 0, -1), order, strict=True):
        empty = [split for split in shares if not dealt[split]]
        # No split stays empty: the last groups go to those that have none.
        among = empty if len(empty) >= left else list(shares)
        chosen = max(among, key=lambda split: quotas[split] - dealt[split])
        dealt[chosen] += len(names)
        splits |= {name: chosen for name in names}
    return splits
