"""Import the whole package, and the modules that it would import later."""

import pkgutil
from importlib import import_module

import pytest_smtpd

# What our modules import inside of functions.
_OTHERS = ("asyncio", "concurrent.futures.thread", "encodings.idna", "ssl", "trustme")


def load_everything() -> None:
    """Import every module that a server may need."""
    for name in _OTHERS:
        import_module(name)
    for module in pkgutil.walk_packages(pytest_smtpd.__path__, f"{pytest_smtpd.__name__}."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
