"""What every test directory needs."""

pytest_plugins = ["pytester"]
