#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing, as root. Starts no service.
#
#   scripts/debian_install.sh make git python3-venv
set -euo pipefail

policy=/usr/sbin/policy-rc.d

is_installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

missing=()
for package in "$@"; do is_installed "$package" || missing+=("$package"); done
[ ${#missing[@]} -eq 0 ] && exit

# Services of a package are not started while this file answers 101. One that was there before stays as it is.
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi

printf 'installing %s\n' "${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
