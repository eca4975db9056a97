"""What every test directory needs."""

from pytest_smtpd.plugin.whole import load_everything

pytest_plugins = ["pytester"]

# A run of pytest inside of this process drops the modules that it has imported first. Had some of ours been among them,
# later tests would import them again, and meet two classes of one name.
load_everything()
