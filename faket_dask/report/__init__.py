"""Report, manifest and distances of a data set, written after a run."""
