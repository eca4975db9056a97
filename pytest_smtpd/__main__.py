"""``python -m pytest_smtpd``: a server to try an application against, in any language."""

import sys

from pytest_smtpd.cli.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
