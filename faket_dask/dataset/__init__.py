"""Many series on disk: what they are (blueprint), what there is to do (plan), doing it (run), what came out."""
