"""Lipid membranes of a specimen: their kinds, places and bilayers, and the compartments that they enclose."""
