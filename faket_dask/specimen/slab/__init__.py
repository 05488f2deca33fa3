"""Slab of ice: its faces, what lies on them, and what they cut."""
