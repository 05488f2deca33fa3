import warnings

import mrcfile
import numpy as np
import pytest
import zarr

from faket_dask.errors import InputError
from faket_dask.specimen import Fiducials, ParticleTable, Recipe, Species, place, read_particles, render_block
from faket_dask.specimen.volume import open_specimen_volume

RECIPE = Recipe((20, 24, 28), 14.0, (Species("boot", ("boot",), count=3), Fiducials(1)))
TABLE = place(RECIPE, np.random.default_rng(0))
BLOCK = render_block(RECIPE, TABLE, 0, 24)
PARTS = ("density", "class_mask", "instance_mask")


def write_mrc(path, array, voxel_A=14.0):
    array = np.asarray(array)
    with mrcfile.new(path) as file, np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN is not news here
        file.set_data(array.astype(np.int16) if array.dtype.kind == "u" else array.astype(np.float32))
        file.voxel_size = voxel_A
    return path


def write_zarr(path, array, **attributes):
    stored = zarr.create_array(str(path), data=np.asarray(array))
    stored.attrs.update(attributes)
    return path


def write_volumes(folder, kind):
    """Write density and masks as one kind of file."""
    if kind == "mrc":
        return [write_mrc(folder / f"{part}.mrc", getattr(BLOCK, part)) for part in PARTS]
    return [write_zarr(folder / "it.zarr" / part, getattr(BLOCK, part), voxel_size_A=14.0) for part in PARTS]


@pytest.mark.parametrize("kind", ["mrc", "zarr"])
def test_written_blocks_read_back(tmp_path, kind):
    density, classes, instances = write_volumes(tmp_path, kind)
    TABLE.write_csv(tmp_path / "particles.csv")
    opened = open_specimen_volume(
        density, class_mask=classes, instance_mask=instances, table=read_particles(tmp_path / "particles.csv")
    )
    assert opened.shape == (20, 24, 28)
    assert opened.voxel_size_A == pytest.approx(14)
    assert opened.class_ids == {"boot": 1, "fiducial": 2}
    assert isinstance(opened.table, ParticleTable)
    for start, stop in ((0, 24), (5, 9)):
        block = opened.read_block(start, stop)
        for part in PARTS:
            read, expected = getattr(block, part), getattr(BLOCK, part)[:, start:stop]
            assert read.dtype == expected.dtype
            np.testing.assert_array_equal(read, expected)


def test_volume_without_masks_has_no_labels(tmp_path):
    opened = open_specimen_volume(write_mrc(tmp_path / "v.mrc", BLOCK.density))
    assert opened.class_ids == {}
    assert opened.table is None
    block = opened.read_block(0, 24)
    assert not block.class_mask.any()
    assert not block.instance_mask.any()


def test_integer_density_keeps_its_values(tmp_path):
    path = tmp_path / "v.mrc"
    values = np.arange(-4, 4, dtype=np.int16).reshape(2, 2, 2)
    with mrcfile.new(path) as file:
        file.set_data(values)
        file.voxel_size = 10.0
    density = open_specimen_volume(path).read_block(0, 2).density
    assert density.dtype == np.float32
    np.testing.assert_array_equal(density, values)


def test_other_axis_order_is_turned_to_z_y_x(tmp_path):
    path = tmp_path / "v.mrc"
    with mrcfile.new(path) as file:
        # Columns run along z, sections along x: as in many maps from crystallography.
        file.set_data(np.ascontiguousarray(BLOCK.density.transpose(2, 1, 0)))
        file.voxel_size = 14.0
        file.header.mapc, file.header.mapr, file.header.maps = 3, 2, 1
    opened = open_specimen_volume(path)
    assert opened.shape == (20, 24, 28)
    np.testing.assert_array_equal(opened.read_block(0, 24).density, BLOCK.density)


@pytest.mark.parametrize(
    ("header_A", "reason"), [(0.0, r"\(none\)"), (1.0, "programs write when they do not know")]
)
def test_unknown_voxel_size_must_be_given(tmp_path, header_A, reason):
    path = write_mrc(tmp_path / "v.mrc", BLOCK.density, header_A)
    with pytest.raises(InputError, match=reason):
        open_specimen_volume(path)
    assert open_specimen_volume(path, voxel_size_A=14.0).voxel_size_A == 14.0
    bare = write_zarr(tmp_path / "v.zarr", BLOCK.density)
    with pytest.raises(InputError, match="give the voxel size in Å"):
        open_specimen_volume(bare)


def test_given_voxel_size_wins_with_warning(tmp_path):
    path = write_mrc(tmp_path / "v.mrc", BLOCK.density)
    with pytest.warns(UserWarning, match=r"voxel size of 14 Å in its header; 10 Å is used, as given"):
        assert open_specimen_volume(path, voxel_size_A=10.0).voxel_size_A == 10.0


def test_impossible_voxel_size_is_refused(tmp_path):
    path = write_mrc(tmp_path / "v.mrc", BLOCK.density)
    with pytest.raises(InputError, match="must be positive"):
        open_specimen_volume(path, voxel_size_A=-1.0)
    uneven = write_mrc(tmp_path / "uneven.mrc", BLOCK.density, (10.0, 10.0, 14.0))
    with pytest.raises(InputError, match="10 x 10 x 14 Å; they must agree"):
        open_specimen_volume(uneven)


def test_nan_in_density_names_its_slice(tmp_path):
    density = BLOCK.density.copy()
    density[3, 11, 5] = np.nan
    opened = open_specimen_volume(write_mrc(tmp_path / "v.mrc", density))
    opened.read_block(0, 11)
    with pytest.raises(InputError, match="NaN or infinity, first in slice y = 11"):
        opened.read_block(8, 16)


def test_mask_of_another_shape_is_refused(tmp_path):
    density = write_mrc(tmp_path / "v.mrc", BLOCK.density)
    mask = write_mrc(tmp_path / "m.mrc", BLOCK.class_mask[1:])
    with pytest.raises(InputError, match=r"has the shape \(19, 24, 28\) and the volume .* they must agree"):
        open_specimen_volume(density, class_mask=mask)


@pytest.mark.parametrize("value", [-1.0, 0.5, 300.0, np.nan])
def test_mask_without_labels_is_refused(tmp_path, value):
    density = write_mrc(tmp_path / "v.mrc", BLOCK.density)
    labels = BLOCK.class_mask.astype(np.float32)
    labels[0, 2, 0] = value
    opened = open_specimen_volume(density, class_mask=write_mrc(tmp_path / "m.mrc", labels))
    with pytest.raises(
        InputError, match=r"class mask holds something other than whole numbers from 0 to 255"
    ):
        opened.read_block(0, 4)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.mrc cannot be read: No such file"):
        open_specimen_volume(tmp_path / "absent.mrc")
    with pytest.raises(InputError, match="cannot be read as a Zarr array"):
        open_specimen_volume(tmp_path / "absent.zarr")
    zarr.create_group(str(tmp_path / "group.zarr"))
    with pytest.raises(InputError, match="name an array, not a group"):
        open_specimen_volume(tmp_path / "group.zarr")
    with pytest.raises(InputError, match=r"a volume is \(z, y, x\) and real"):
        open_specimen_volume(write_zarr(tmp_path / "flat.zarr", np.zeros((4, 4))))
    with pytest.raises(InputError, match="a single image"):
        open_specimen_volume(write_mrc(tmp_path / "flat.mrc", np.zeros((4, 4))))
    (tmp_path / "text.mrc").write_text("this is no volume")
    with pytest.raises(InputError, match="not an MRC file"):
        open_specimen_volume(tmp_path / "text.mrc")


def test_truncated_file_is_refused(tmp_path):
    path = write_mrc(tmp_path / "v.mrc", BLOCK.density)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="truncated"):
        open_specimen_volume(path)


def test_slices_outside_volume_are_refused(tmp_path):
    opened = open_specimen_volume(write_mrc(tmp_path / "v.mrc", BLOCK.density))
    with pytest.raises(InputError, match="not within the volume's 24 slices"):
        opened.read_block(20, 25)
