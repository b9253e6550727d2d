"""The documentation site; `make docs-site` builds it into docs/_site."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent.parent))

from photseries import __version__
from tools import reference

project = "photseries"
author = copyright = "The photseries developers"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
templates_path = ["_templates"]
exclude_patterns = ["_site", "_doctrees", "_ext"]

myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline", "colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings have types and units
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"photseries {__version__}"
html_favicon = "../photseries/server/http/pages/static/mark.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_show_sphinx = html_domain_indices = False

REPOSITORY = "https://github.com/photseries/photseries/blob/main/"


def link_outside(app: Sphinx, name: str, source: list[str]) -> None:
    """Lead links to files beside docs/ to the repository, where the site does not have them."""
    source[0] = re.sub(r"\]\((?:\.\./)+([^)\s]+)\)", lambda link: _outside(name, link), source[0])


def _outside(name: str, link: re.Match[str]) -> str:
    folder = Path("docs", name).parent
    target = Path(*folder.parts, link[0][2:-1])
    parts: list[str] = []
    for part in target.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return link[0] if parts[0] == "docs" else f"]({REPOSITORY}{'/'.join(parts)})"


def setup(app: Sphinx) -> None:
    """Write the generated pages before Sphinx looks for files."""
    app.connect("config-inited", lambda *_: reference.write())
    app.connect("source-read", link_outside)
