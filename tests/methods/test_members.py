"""What the members of the registries promise to those who store and plan their arrays."""

import numpy as np
import pytest

from faket_dask.kernels.moments import Moments
from faket_dask.kernels.style.scaling import Scaling
from faket_dask.kernels.vgg import VGG19
from faket_dask.methods.arrays import TiltArrays
from faket_dask.methods.noise import NOISE_MODELS, ReferenceTilt, SignalSpectrum
from faket_dask.methods.transfer import TRANSFER_METHODS, TiltImage, TransferMethod

RINGS = 20


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(5, 2, size=(48, 64)).astype(np.float32)


def tilt(seed: int) -> TiltImage:
    return TiltImage(image(seed), Scaling(-5.0, 15.0))


@pytest.fixture(scope="module")
def network() -> VGG19:
    return VGG19(seed=0)


@pytest.fixture(params=["published", "matched"])
def method(request: pytest.FixtureRequest) -> TransferMethod:
    method_type = TRANSFER_METHODS.get(request.param)
    return method_type(method_type.settings_type())


def same(one: TiltArrays, other: TiltArrays) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_arrays_have_the_layout_that_is_declared(method: TransferMethod, network: VGG19) -> None:
    targets = method.measure(network, tilt(0))
    layouts = {layout.name: layout for layout in method.arrays(network.architecture)}
    assert targets.keys() == layouts.keys()
    for name, values in targets.items():
        assert np.shape(values) == layouts[name].shape
        assert np.asarray(values).dtype == layouts[name].dtype


def test_blend_of_one_tilt_is_that_tilt(method: TransferMethod, network: VGG19) -> None:
    one, other = (method.measure(network, tilt(seed)) for seed in (0, 1))
    assert same(method.blend([(one, 1.0)]), one)
    mean = method.blend([(one, 0.5), (other, 0.5)])
    for name, values in mean.items():
        np.testing.assert_allclose(values, (one[name] + other[name]) / 2, rtol=1e-5)


def test_result_has_the_moments_of_the_reference(method: TransferMethod, network: VGG19) -> None:
    targets = method.measure(network, tilt(0))
    result = method.transfer(
        network, content=tilt(1), start=tilt(2), targets=targets, moments=Moments(100.0, 7.0)
    )
    assert (result.shape, result.dtype) == ((48, 64), np.float32)
    assert result.mean() == pytest.approx(100.0, abs=0.1)
    assert result.std() == pytest.approx(7.0, rel=0.01)


def test_description_is_one_line(method: TransferMethod) -> None:
    assert len(method.describe().splitlines()) == 1


def test_published_method_needs_the_range_of_the_stack(network: VGG19) -> None:
    published = TRANSFER_METHODS.get("published")
    with pytest.raises(ValueError, match="needs the range of the stack"):
        published(published.settings_type()).measure(network, TiltImage(image(0)))


@pytest.mark.parametrize("name", NOISE_MODELS.names)
def test_noise_model_keeps_the_declared_arrays_and_draws_standard_noise(name: str) -> None:
    model = NOISE_MODELS.get(name)
    estimate = model.estimate(ReferenceTilt.from_image(image(0), RINGS))
    assert {key: np.shape(values) for key, values in estimate.items()} == {
        layout.name: layout.shape for layout in model.arrays(RINGS)
    }
    white = np.random.default_rng(1).standard_normal((48, 64), dtype=np.float32)
    signal = SignalSpectrum(np.ones(RINGS), 0.3)
    field = model.field(white, tilt_angle=0.0, reference=estimate, signal=signal)
    assert (field.shape, field.dtype) == (white.shape, np.float32)
    assert abs(field.mean()) < 0.1
    assert field.std() == pytest.approx(1, abs=0.1)
