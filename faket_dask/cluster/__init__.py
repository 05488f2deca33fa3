"""Where a run's units of work are computed; all it knows of the work is its `Requirements`."""
