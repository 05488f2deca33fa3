"""Whole commands: make a data set, reconstruct tomograms of one or of an external stack."""
