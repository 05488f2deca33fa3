"""Pickers: networks trained on labelled tomograms, and what they segment."""
