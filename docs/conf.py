"""Sphinx: Markdown by MyST, the theme furo. Needs no network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pytest_smtpd import __version__

project = "pytest-smtpd"
author = "the contributors of pytest-smtpd"
version = release = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["_build", "_generate"]
templates_path: list[str] = []

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
smartquotes = False

html_theme = "furo"
html_title = f"pytest-smtpd {version}"
html_show_sourcelink = False

# A prompt, and the output below a command, are not part of it.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
