"""Sphinx configuration: hand-written Markdown pages, and pages generated from the package at build time."""

import re
import sys
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

import generate_pages  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

VERSION_FILE = ROOT / "faket_dask" / "_version.py"

project = "faket_dask"
author = "The faket_dask developers"
project_copyright = f"{date.today().year}, {author}"
version = release = re.search(r'"(.+?)"', VERSION_FILE.read_text(encoding="utf-8").split("=", 1)[1]).group(1)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"faket_dask {release}"
html_show_sourcelink = False
myst_heading_anchors = 4
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "ignore-module-all": True, "show-inheritance": True}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # class signatures have the types; as text they are read as markup
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"


def omit_pydantic_machinery(
    app: Sphinx, what: str, name: str, item: object, skip: bool, options: object
) -> bool | None:
    """Leave out validators and model settings: the run-file reference shows the keys instead."""
    return True if name in ("model_config", "model_post_init") else None


def setup(app: Sphinx) -> None:
    """Generate the reference pages before Sphinx lists its sources."""
    app.connect("builder-inited", lambda _: generate_pages.write_pages(HERE))
    app.connect("autodoc-skip-member", omit_pydantic_machinery)
