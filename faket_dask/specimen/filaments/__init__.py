"""Filaments: centre lines, the lattices of subunits about them, and arrangements of several."""
