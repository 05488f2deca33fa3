"""Subtomogram averaging: two half-sets of particles, aligned apart, and what their averages agree in."""
