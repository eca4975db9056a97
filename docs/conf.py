"""Sphinx: Markdown by MyST, the theme furo. Needs no network."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

from pytest_smtpd import __version__  # noqa: E402 - found by the line above

project = "pytest-smtpd"
author = "the contributors of pytest-smtpd"
version = release = __version__

extensions = ["myst_parser", "sphinx_copybutton", "entries"]
exclude_patterns = ["_build", "_generate", "_extensions", "_templates"]
templates_path = ["_templates"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
smartquotes = False
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
pygments_dark_style = "github-dark"  # the theme's own underlines the names of modules and classes
html_title = f"pytest-smtpd {version}"
html_show_sourcelink = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = ["filter.js"]

# A prompt, and the output below a command, are not part of it.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
