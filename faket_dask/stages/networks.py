"""The network of a worker process: loaded once, kept, never sent along with a task."""

from functools import lru_cache

from faket_dask.config import StyleSection
from faket_dask.kernels.style import StyleSettings
from faket_dask.kernels.style.gram_matching import GramMatchingSettings
from faket_dask.kernels.style.network import Precision
from faket_dask.kernels.vgg import VGG19, Pooling
from faket_dask.weights import load


@lru_cache(maxsize=2)
def network(
    weights: str, checksum: str, seed: int, pooling: Pooling, precision: Precision, device: str
) -> VGG19:
    """A VGG-19 with the weights that the plan recorded.

    Parameters
    ----------
    weights, seed
        Name or path of the weights, and the seed of ``"random"`` ones.
    checksum
        Of the weights when the run was planned.

    Raises
    ------
    InputError
        If the weights are not here, or are not those of the plan.
    """
    return VGG19(
        load(weights, seed, expected=checksum).state_dict, pooling=pooling, precision=precision, device=device
    )


def load_network(style: StyleSection, checksum: str) -> VGG19:
    """The network that a run file's style section asks for."""
    return network(style.weights, checksum, style.random_seed, style.pooling, style.precision, style.device)


def matched_settings_of(style: StyleSection) -> GramMatchingSettings:
    """Settings of the method `matched` that a run file's style section asks for."""
    return GramMatchingSettings(style_layers=dict(style.style_layers), evaluations=style.evaluations)


def settings_of(style: StyleSection) -> StyleSettings:
    """Settings of the published method that a run file's style section asks for."""
    return StyleSettings(
        content_layers=dict(style.content_layers),
        style_layers=dict(style.style_layers),
        content_weight=style.content_weight,
        tv_weight=style.tv_weight,
        iterations=style.iterations,
        step_size=style.step_size,
        step_unit=style.step_unit,
        decay=style.decay,
    )
