import numpy as np
import pytest

from faket_dask.specimen.filaments.centre_line import smooth_line
from faket_dask.specimen.filaments.worm_like_chain import concentration, draw_chains, draw_directions


@pytest.mark.parametrize("persistence_A", [60.0, 500.0, 20_000.0])
def test_mean_cosine_decays_with_the_persistence_length(persistence_A):
    chains, steps = 4000, 40
    step = persistence_A / 20
    first = np.tile([0.6, 0.0, 0.8], (chains, 1))
    directions = draw_directions(first, steps + 1, step, persistence_A, np.random.default_rng(1))
    cosine = np.einsum("nsk,nk->ns", directions, first)
    expected = np.exp(-np.arange(steps + 1) * step / persistence_A)
    error = cosine.std(axis=0) / np.sqrt(chains)
    # 41 correlated comparisons: none may be further than 4 standard errors off.
    assert (np.abs(cosine.mean(axis=0) - expected) < 4 * error + 1e-12).all()


def test_end_to_end_distance_is_that_of_kratky_and_porod():
    length, persistence = 2000.0, 500.0
    chains = draw_chains(4000, length, 10.0, persistence, np.random.default_rng(2))
    square = ((chains[:, -1] - chains[:, 0]) ** 2).sum(axis=1)
    expected = 2 * persistence * length * (1 - persistence / length * (1 - np.exp(-length / persistence)))
    assert square.mean() == pytest.approx(expected, abs=4 * square.std() / np.sqrt(4000) + 0.005 * expected)


def test_middle_directions_are_uniform():
    chains = draw_chains(4000, 100.0, 50.0, 1e9, np.random.default_rng(3))
    directions = chains[:, -1] / np.linalg.norm(chains[:, -1], axis=1, keepdims=True)
    assert np.abs(directions.mean(axis=0)).max() < 4 / np.sqrt(3 * 4000)
    np.testing.assert_allclose(directions.T @ directions / 4000, np.eye(3) / 3, atol=0.03)


def test_smoothing_keeps_the_law():
    persistence, lag = 400.0, 400.0
    chains = draw_chains(800, 800.0, 20.0, persistence, np.random.default_rng(4))
    cosine = []
    for chain in chains:
        line = smooth_line(chain, 10.0)
        _, frames = line.locate(np.array([200.0, 200.0 + lag]))
        cosine.append(frames[0, :, 2] @ frames[1, :, 2])
    assert np.mean(cosine) == pytest.approx(np.exp(-1), abs=4 * np.std(cosine) / np.sqrt(800))


def test_draws_follow_the_seed():
    one, other = (draw_chains(2, 300.0, 10.0, 100.0, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cosine", [1e-3, 0.3, 0.9, 0.999, 1 - 1e-9])
def test_concentration_gives_the_mean_cosine(cosine):
    kappa = concentration(cosine)
    assert 1 - (1 / np.tanh(kappa) - 1 / kappa) == pytest.approx(1 - cosine, rel=1e-6)
