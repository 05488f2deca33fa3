"""Scores of picked particles: positions, classes and confidences against what is there. Nothing here knows a file."""
