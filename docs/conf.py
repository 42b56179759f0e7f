"""Sphinx configuration: ``make docs``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("NAPARI_CONFIG", "")

import make_reference

from napari_spectrai import __version__

make_reference.write(Path(__file__).parent / "reference")

project = "napari-spectrai"
author = "The napari-spectrai developers"
copyright = f"2026, {author}"  # noqa: A001
version = release = __version__

myst_url_schemes = ("http", "https", "mailto")
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build", "**/run_blocks.py"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
suppress_warnings = ["misc.highlighting_failure"]  # dashes and arrows in shell blocks
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = f"napari-spectrai {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["../napari_spectrai/experiment/experiment.schema.json"]
html_theme_options = {"navigation_depth": 2, "show_toc_level": 2, "navbar_end": ["theme-switcher"], "secondary_sidebar_items": ["page-toc"]}
