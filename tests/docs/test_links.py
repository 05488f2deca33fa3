"""Links and paths in the documentation point at files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"quick_start.md", "contributing.md", "changelog.md", "reference/study_file.md"}
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")] if path.name not in GENERATED
)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@every_page
def test_links_point_at_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert target in GENERATED or (page.parent / target).exists(), target


@every_page
def test_paths_in_code_spans_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`(?:python )?((?:faket_dask|benchmarks|docs|tests)/[\w./-]+\.\w+)", text):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`((?:\w+/)?test_\w+\.py)`", text):
        assert (ROOT / "tests" / path).exists(), path
