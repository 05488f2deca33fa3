"""States of a class of particles: one frame, one centre, names and weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from faket_dask.errors import InputError
from faket_dask.formats.mrc_writing import write_volume
from faket_dask.specimen import Recipe, Species, place
from faket_dask.specimen.elastic_network import compute_modes
from faket_dask.specimen.phantoms import phantom_template
from faket_dask.specimen.sources import list_states, load_template
from faket_dask.specimen.state_atoms import load_atoms
from faket_dask.specimen.states import NormalModes, State, StateGroup
from faket_dask.specimen.structure_file import read_atoms
from faket_dask.specimen.superposition import fit_rotation, superpose
from tests.specimen.chains import draw_places, write_models

PLACES = draw_places()
OTHER = draw_places(seed=1) + np.array([25.0, 0.0, 0.0])


def turned(places, angles=(40.0, -70.0, 110.0), shift=(30.0, -12.0, 7.0)):
    return Rotation.from_euler("zyx", angles, degrees=True).apply(places) + shift


def species(*groups, **keys):
    return Species("class", states=groups, count=1, **keys)


# Frames


def test_states_come_into_the_frame_of_the_first(tmp_path):
    one = write_models(tmp_path / "one.pdb", {"A": PLACES, "B": OTHER})
    other = write_models(tmp_path / "other.pdb", {"A": turned(PLACES), "B": turned(OTHER)})
    both = species(StateGroup("one", str(one)), StateGroup("other", str(other)))
    first, second = (load_template(both, index, 5.0) for index in (0, 1))
    assert (
        np.abs(first.density - second.density).max() < 0.04 * first.density.max()
    )  # atoms are shared out between grid points
    np.testing.assert_array_equal(first.centre_A, second.centre_A)


def test_part_of_a_particle_keeps_its_place_about_the_centre_of_the_whole(tmp_path):
    path = str(write_models(tmp_path / "whole.pdb", {"A": PLACES, "B": OTHER}))
    parts = species(
        StateGroup("whole", path), StateGroup("a", path, chains=("A",)), StateGroup("b", path, without=("A",))
    )
    whole, a, b = (load_template(parts, index, 5.0) for index in range(3))
    size = whole.density.shape[0]
    total = np.zeros_like(whole.density)
    for part in (a, b):
        margin = (size - part.density.shape[0]) // 2
        total += (
            np.pad(part.density, margin)
            if margin >= 0
            else part.density[-margin:margin, -margin:margin, -margin:margin]
        )
    assert np.abs(total - whole.density).max() < 0.04 * whole.density.max()


@given(st.integers(0, 2**32 - 1))
def test_any_rigid_motion_is_undone(seed):
    rng = np.random.default_rng(seed)
    rotation, shift = Rotation.random(random_state=seed).as_matrix(), rng.uniform(-500, 500, 3)
    back, offset = fit_rotation(PLACES @ rotation.T + shift, PLACES)
    np.testing.assert_allclose(back, rotation.T, atol=1e-9)
    np.testing.assert_allclose(back @ shift + offset, 0, atol=1e-6)


def test_mirrored_particle_is_turned_and_not_mirrored():
    rotation, _ = fit_rotation(PLACES * [-1, 1, 1], PLACES)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_moved_domain_shows_as_distance(tmp_path):
    one = read_atoms(write_models(tmp_path / "one.pdb", {"A": PLACES, "B": OTHER}))
    other = read_atoms(
        write_models(tmp_path / "other.pdb", {"A": PLACES, "B": OTHER + np.array([10.0, 0, 0])})
    )
    _, distance = superpose(other, one)
    assert 1 < distance < 5  # of a shift of 10 Å by half of the atoms, at most 5 Å remain


@pytest.mark.parametrize("change", ["chain", "residues"])
def test_states_without_common_atoms_are_refused(tmp_path, change):
    one = write_models(tmp_path / "one.pdb", {"A": PLACES})
    content = {"B": PLACES} if change == "chain" else {"A": PLACES[1:]}
    other = write_models(tmp_path / "other.pdb", content)
    if change == "residues":  # each residue has the number of its neighbour
        lines = [line for line in one.read_text().splitlines() if line.startswith("ATOM")][1:]
        other.write_text("\n".join(line[:22] + f"{n:4d}" + line[26:] for n, line in enumerate(lines, 1)))
    both = species(StateGroup("one", str(one)), StateGroup("other", str(other)))
    load_template(both, 0, 5.0)
    with pytest.raises(
        InputError,
        match=r"'class': states 'one' and 'other' are in different frames: they have \d.*those of one are [AB], of "
        r"the other [AB]; assemblies number theirs",
    ):
        load_template(both, 1, 5.0)


def test_mixed_up_chains_are_told(tmp_path):
    far = PLACES + np.array([120.0, 0, 0])
    one = write_models(tmp_path / "one.pdb", {"A": PLACES, "B": far, "C": PLACES + np.array([0, 70.0, 0])})
    other = write_models(
        tmp_path / "other.pdb", {"B": PLACES, "C": far, "A": PLACES + np.array([0, 70.0, 0])}
    )
    both = species(StateGroup("one", str(one)), StateGroup("other", str(other)))
    with pytest.warns(UserWarning, match=r"'one' and 'other': their common atoms lie \d+ Å apart"):
        load_template(both, 1, 5.0)


def test_maps_are_states_of_one_box(tmp_path):
    density = phantom_template("boot", 10.0).density
    grown = np.pad(density, 2)
    moved = np.roll(density, 3, axis=2)
    for name, volume in (("one", density), ("moved", moved), ("grown", grown)):
        write_volume(tmp_path / f"{name}.mrc", volume, 5.0)
    groups = [StateGroup(name, str(tmp_path / f"{name}.mrc")) for name in ("one", "moved", "grown")]
    one, moved_template = (load_template(species(*groups[:2]), index, 10.0) for index in (0, 1))
    np.testing.assert_array_equal(one.centre_A, moved_template.centre_A)
    axis = np.arange(moved_template.density.shape[2]) - moved_template.density.shape[2] // 2
    weight = np.maximum(moved_template.density, 0).sum(axis=(0, 1))
    here = np.maximum(one.density, 0).sum(axis=(0, 1))
    offset = (axis * weight).sum() / weight.sum() - (
        (np.arange(len(here)) - len(here) // 2) * here
    ).sum() / here.sum()
    assert offset * one.voxel_size_A == pytest.approx(15.0, abs=0.5)
    with pytest.raises(
        InputError, match=r"the maps .*one\.mrc and .*grown\.mrc are in different frames: they have"
    ):
        load_template(species(groups[0], groups[2]), 1, 10.0)


def test_states_of_different_kinds_are_refused(tmp_path):
    path = write_models(tmp_path / "one.pdb", {"A": PLACES})
    with pytest.raises(
        InputError, match=r"different frames .'one' is a structure and 'boot' is a built-in phantom"
    ):
        species(StateGroup("one", str(path)), StateGroup("boot", "boot"))


# Models, weights, names


def test_every_model_is_a_state(tmp_path):
    path = write_models(tmp_path / "ensemble.pdb", *({"A": PLACES * scale} for scale in (1.0, 1.05, 1.1)))
    every = list_states(species(StateGroup("nmr", str(path), weight=3.0, models="all")))
    assert [(state.name, state.weight, state.model) for state in every] == [
        ("nmr-1", 1.0, 1),
        ("nmr-2", 1.0, 2),
        ("nmr-3", 1.0, 3),
    ]
    chosen = list_states(species(StateGroup("nmr", str(path), models=(3, 1))))
    assert [state.name for state in chosen] == ["nmr-3", "nmr-1"]
    spread = [load_atoms(state, path).position_A.std() for state in every]
    np.testing.assert_allclose(spread / spread[0], [1, 1.05, 1.1], rtol=1e-3)
    assert [state.name for state in list_states(species(StateGroup("one", str(path))))] == ["one"]
    with pytest.raises(InputError, match="has 3 models, and number 4 is asked for"):
        load_template(species(StateGroup("nmr", str(path), models=(4,))), 0, 5.0)


def test_states_are_drawn_by_their_weights_and_named_in_the_table():
    groups = (
        StateGroup("worn", "boot", 3.0),
        StateGroup("new", "comma", 1.0),
        StateGroup("none", "coil", 0.0),
    )
    recipe = Recipe((60, 160, 160), 10.0, (Species("footwear", states=groups, count=200),))
    table = place(recipe, np.random.default_rng(0))
    shares = np.bincount(table.variant, minlength=2) / 200
    np.testing.assert_allclose(shares, [0.75, 0.25], atol=0.1)
    assert table.state.tolist() == [("worn", "new")[variant] for variant in table.variant]


@pytest.mark.parametrize(
    ("groups", "complaint"),
    [
        ((StateGroup("a", "boot", 0.0), StateGroup("b", "coil", 0.0)), "weights of the states add up to 0"),
        ((StateGroup("a", "boot"), StateGroup("a", "coil")), "the state a is listed more than once"),
    ],
)
def test_states_that_cannot_be_drawn_are_refused(groups, complaint):
    with pytest.raises(InputError, match=f"species 'class': .*{complaint}"):
        species(*groups)


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"weight": -1.0}, "weight is -1"),
        ({"weight": 1e308}, "weight is 1e.308; it must not be negative, and at most 1e.06"),
        ({"chains": ("A",)}, "chains needs the coordinates of a structure, not boot"),
        ({"modes": NormalModes(3.0, 2)}, "modes needs the coordinates"),
        ({"source": "unicorn"}, "'unicorn' is neither a file nor a built-in phantom"),
        ({"source": "pdb:unicorn"}, "'unicorn' is no code of the Protein Data Bank"),
        ({"source": "pdb:1abc", "models": "all", "modes": NormalModes(3.0, 2)}, "models and modes exclude"),
        ({"source": "pdb:1abc", "chains": ("A",), "without": ("B",)}, "chains and without exclude"),
        (
            {"source": "pdb:1abc", "trajectory": "a.xtc", "assembly": "1"},
            "a trajectory has all atoms that are taken; leave out assembly",
        ),
        ({"source": "pdb:1abc", "models": ()}, "an empty list of models or frames"),
    ],
)
def test_impossible_states_are_refused(keys, complaint):
    with pytest.raises(InputError, match=f"state 's': {complaint}"):
        StateGroup(**{"name": "s", "source": "boot", **keys})


def test_unknown_chains_are_refused_with_those_that_there_are(tmp_path):
    path = str(write_models(tmp_path / "one.pdb", {"A": PLACES, "B": OTHER}))
    with pytest.raises(InputError, match="has no chain C, D; it has A, B"):
        load_template(species(StateGroup("part", path, chains=("A", "C", "D"))), 0, 5.0)
    with pytest.raises(InputError, match="leaves all of its chains out"):
        load_template(species(StateGroup("part", path, without=("A", "B"))), 0, 5.0)


# Normal modes


def test_modes_of_a_network_are_its_lowest_motions():
    modes = compute_modes(PLACES, 5)
    # Independently: the full eigenvalue problem of finite differences of the energy.
    n = len(PLACES)
    length = np.linalg.norm(PLACES[:, None] - PLACES, axis=2)
    joined = np.triu(length <= 15.0, 1)

    def force(x):
        difference = x[:, None] - x
        distance = np.linalg.norm(difference, axis=2) + np.eye(n)
        pull = (joined | joined.T) * (distance - length - np.eye(n)) / distance
        return (pull[:, :, None] * difference).sum(axis=1).ravel()

    step = 1e-4
    hessian = np.empty((3 * n, 3 * n))
    for column in range(3 * n):
        shift = np.zeros(3 * n)
        shift[column] = step
        shift = shift.reshape(n, 3)
        hessian[column] = (force(PLACES + shift) - force(PLACES - shift)) / (2 * step)
    expected = np.linalg.eigvalsh(hessian)
    assert np.abs(expected[:6]).max() < 1e-5
    np.testing.assert_allclose(modes.eigenvalues, expected[6:11], rtol=1e-5)


def test_draws_have_the_amplitude_and_neither_turn_nor_shift():
    modes = compute_modes(PLACES, 8)
    draws = np.array([modes.draw(2.0, np.random.default_rng(seed)) for seed in range(400)])
    assert np.sqrt((draws**2).sum(axis=2).mean()) == pytest.approx(2.0, rel=0.05)
    np.testing.assert_allclose(draws.mean(axis=1), 0, atol=1e-5)
    middle = PLACES - PLACES.mean(axis=0)
    np.testing.assert_allclose(np.cross(middle, draws).mean(axis=1), 0, atol=1e-4)


def test_draws_do_not_depend_on_signs_and_mixtures_of_modes():
    # Three equal arms: modes come in pairs of equal stiffness, of which any mixture may be computed.
    arm = np.array([[x, y, z] for x in (6.0, 12.0, 18.0) for y in (-3.0, 3.0) for z in (-3.0, 3.0)])
    star = np.concatenate(
        [Rotation.from_euler("z", angle, degrees=True).apply(arm) for angle in (0, 120, 240)]
    )
    modes = compute_modes(star, 3)
    gaps = np.diff(modes.eigenvalues) / modes.eigenvalues[1:]
    assert gaps.min() < 1e-6
    turned_star = Rotation.from_euler("z", 120, degrees=True).apply(star)
    same = compute_modes(np.roll(turned_star, 12, axis=0), 3)
    np.testing.assert_allclose(
        modes.draw(1.0, np.random.default_rng(1)), same.draw(1.0, np.random.default_rng(1)), atol=1e-6
    )


def test_states_of_modes_are_named_and_repeatable(tmp_path):
    path = write_models(tmp_path / "one.pdb", {"A": PLACES, "B": OTHER})
    group = StateGroup("soft", str(path), modes=NormalModes(amplitude_A=2.0, states=3, count=5))
    states = list_states(species(group))
    assert [state.name for state in states] == ["soft-1", "soft-2", "soft-3"]
    places = [load_atoms(state, path).position_A for state in states]
    plain = read_atoms(path).position_A
    assert all(0.3 < np.sqrt(((moved - plain) ** 2).sum(axis=1).mean()) < 6 for moved in places)
    assert np.abs(places[0] - places[1]).max() > 0.1
    np.testing.assert_array_equal(places[0], load_atoms(states[0], path).position_A)


def test_particle_that_falls_apart_has_no_modes(tmp_path):
    path = write_models(tmp_path / "one.pdb", {"A": PLACES, "B": OTHER + np.array([60.0, 0, 0])})
    state = State("s", str(path), modes=NormalModes(2.0, 1))
    with pytest.raises(
        InputError, match="falls into 2 parts that are more than 15 Å apart; leave out chains"
    ):
        load_atoms(state, path)


# Trajectories


@pytest.fixture
def mdtraj():
    return pytest.importorskip("mdtraj")


def write_trajectory(mdtraj, path, frames_A):
    with mdtraj.open(str(path), "w") as file:
        file.write(np.asarray(frames_A, dtype=np.float32) * (1.0 if path.suffix == ".dcd" else 0.1))
    return path


@pytest.mark.parametrize("suffix", [".xtc", ".dcd"])
def test_frames_of_a_trajectory_are_states(mdtraj, tmp_path, suffix):
    path = write_models(tmp_path / "top.pdb", {"A": PLACES, "B": OTHER})
    both = np.concatenate((PLACES, OTHER))
    frames = [both * scale for scale in np.linspace(1, 1.2, 9)]
    trajectory = write_trajectory(mdtraj, tmp_path / f"run{suffix}", frames)
    group = StateGroup("md", str(path), trajectory=str(trajectory), frames=3)
    states = list_states(species(group))
    assert [state.name for state in states] == ["md-1", "md-5", "md-9"]
    for state, number in zip(states, (0, 4, 8), strict=True):
        np.testing.assert_allclose(load_atoms(state, path).position_A, frames[number], atol=0.02)
    load_template(species(group), 2, 5.0)
    some = list_states(species(StateGroup("md", str(path), trajectory=str(trajectory), frames=(2, 7))))
    assert [state.frame for state in some] == [2, 7]
    with pytest.raises(InputError, match="has 9 frames, and number 10 is asked for"):
        list_states(species(StateGroup("md", str(path), trajectory=str(trajectory), frames=(10,))))


def test_trajectory_of_another_particle_is_refused(mdtraj, tmp_path):
    path = write_models(tmp_path / "top.pdb", {"A": PLACES})
    trajectory = write_trajectory(mdtraj, tmp_path / "run.xtc", [OTHER[:20]])
    with pytest.raises(InputError, match="has 30 atoms and the trajectory 20; give the structure"):
        load_template(species(StateGroup("md", str(path), trajectory=str(trajectory), frames=1)), 0, 5.0)


def test_damaged_trajectory_is_refused(mdtraj, tmp_path):
    path = write_models(tmp_path / "top.pdb", {"A": PLACES})
    (tmp_path / "run.dcd").write_bytes(b"no trajectory")
    with pytest.raises(InputError, match=r"trajectory .*run\.dcd cannot be read"):
        list_states(species(StateGroup("md", str(path), trajectory=str(tmp_path / "run.dcd"))))
