"""`python -m faket_dask.cli`: the command line of the interpreter at hand."""

import sys

from faket_dask.cli import app

sys.exit(app())
