"""YAML documents that people write: typed sections, reading, and mistakes explained one line each."""
