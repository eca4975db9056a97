"""The numbers that pages give are those of the data."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_smtpd import providers

RECIPE = (Path(__file__).parents[2] / "docs/recipes/bounce-classifier.md").read_text(encoding="utf-8")


def test_recipe_names_the_number_of_replies() -> None:
    assert RECIPE.startswith(f"# A bounce classifier tested against {len(providers.replies())} real texts\n")


def test_recipe_names_the_number_of_its_mistakes() -> None:
    mistakes = re.findall(r'^    "[a-z0-9-]+": [A-Z]+,$', RECIPE, re.MULTILINE)
    unseen = re.search(r"UNSEEN = \[(.*)\]", RECIPE)
    assert unseen
    seen = len(providers.replies()) - len(unseen[1].split(","))
    assert re.search(rf"\b{len(mistakes)} of {seen}\b", RECIPE)
