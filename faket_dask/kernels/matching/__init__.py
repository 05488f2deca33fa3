"""Template matching: orientations, filters of a template, locally normalised correlation, and peaks."""
