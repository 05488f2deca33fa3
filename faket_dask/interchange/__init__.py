"""Exchange with other programs: export of data sets, import of models, tilt-series and particle lists."""
