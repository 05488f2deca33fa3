"""Ownership of output files: a command replaces what this program wrote, and nothing else.

A command claims its targets before it works (`claim`). While a claim is held, each of them that gets its final name
(`placing`) is checked once more, and recorded (`record`). Files of others are replaced on request only, inputs of the
command and folders with files of others never.
"""
