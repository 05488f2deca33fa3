"""Score of a list of picks against the list of what is there, both of any known format."""
