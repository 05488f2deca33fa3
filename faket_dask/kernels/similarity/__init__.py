"""Distances between synthetic and recorded tilts: pixel by pixel, by texture, and by objects that no label explains."""
