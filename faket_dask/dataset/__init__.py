"""Many series on disk: what they are (spec), what there is to do (plan), doing it (run), what came out."""
