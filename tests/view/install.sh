#!/usr/bin/env bash
# Installs the browser in which tests/view looks at pages: Debian's, as root.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../../scripts/debian_install.sh" chromium fonts-dejavu-core
