"""`starfile` on the STAR files of RELION-5 and Warp projects."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.environments import Client

pytestmark = pytest.mark.clients

READ = """
import json, sys, starfile
tables = starfile.read(sys.argv[1], always_dict=True)
print(json.dumps({name: [list(table.columns), len(table)] for name, table in tables.items()}))
"""


def test_every_star_file_is_read(install: Callable[..., Client], exported: Path) -> None:
    client = install("starfile")
    files = [file for suffix in ("star", "tomostar") for file in sorted(exported.rglob(f"*.{suffix}"))]
    assert len(files) > 4
    for file in files:
        assert client.run(READ, file), file
