"""Networks that name the objects of a tomogram voxel by voxel: their layers, losses, patches and blocks."""
