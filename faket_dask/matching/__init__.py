"""Template matching: places and orientations of a known particle in a tomogram."""
