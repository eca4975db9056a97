"""The numbers that pages give are those of the data."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_smtpd import providers

RECIPE = (Path(__file__).parents[2] / "docs/recipes/bounce-classifier.md").read_text(encoding="utf-8")


def seen() -> int:
    """How many replies the classifier is tested against: all but those that the recipe leaves out."""
    unseen = re.search(r"UNSEEN = \[(.*)\]", RECIPE)
    assert unseen
    return len(providers.replies()) - len(unseen[1].split(","))


def test_recipe_names_the_number_of_replies() -> None:
    assert RECIPE.startswith(f"# A bounce classifier tested against {seen()} real replies\n")
    assert f"[{len(providers.replies())} replies]" in RECIPE


def test_recipe_names_the_number_of_its_mistakes() -> None:
    mistakes = re.findall(r'^    "[a-z0-9-]+": [A-Z]+,$', RECIPE, re.MULTILINE)
    assert re.search(rf"\b{len(mistakes)} of {seen()}\b", RECIPE)
