"""What every test directory needs."""

from hypothesis import settings

from pytest_smtpd.plugin.whole import load_everything

pytest_plugins = ["pytester"]

# A run of pytest inside of this process drops the modules that it has imported first. Had some of ours been among them,
# later tests would import them again, and meet two classes of one name.
load_everything()

# An example may take as long as a busy machine needs for it; a test of speed counts, or compares two times.
settings.register_profile("pytest-smtpd", deadline=None)
settings.load_profile("pytest-smtpd")
