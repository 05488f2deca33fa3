"""Studies: models trained on sets of tomograms, and their picks in unseen ones compared over seeds."""
