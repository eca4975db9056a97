"""Checks of values given by users, common to settings and rules."""


def is_flag(value: object) -> bool:
    """True or False."""
    return isinstance(value, bool)


def is_count(value: object) -> bool:
    """A whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_seconds(value: object) -> bool:
    """A finite number from 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def is_line(value: object) -> bool:
    """A text without line breaks and other control characters, as a reply needs it."""
    return isinstance(value, str) and value.isprintable()


def is_word(value: object) -> bool:
    """The same, and not empty."""
    return isinstance(value, str) and value.isprintable() and value != ""


def is_encodable(value: object) -> bool:
    """A text without lone surrogates, which cannot be encoded."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)
