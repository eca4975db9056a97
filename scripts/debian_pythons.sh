#!/usr/bin/env bash
# Tries the project with the stock Pythons of a Debian suite, by default those of testing, which are newer than what
# most machines have. Makes a folder with debootstrap, installs in it every Python >= 3.11 of the suite, and runs
# `make demo` and `make test` with each of them there: see scripts/clean_run.sh.
#
#   scripts/debian_pythons.sh                            with every Python of testing
#   scripts/debian_pythons.sh python3.14                 with this one only
#   scripts/debian_pythons.sh --suite bookworm           with those of another suite
#
#   --newer-than 3.N    only with Pythons that are newer
#   --folder DIR        where the system is installed, half a gigabyte (default: /var/cache/pytest-smtpd/SUITE)
#   --mirror URL        where its packages come from (default: where apt on this machine gets Debian from)
#
# TESTS and PYTEST_ARGS, if set, are passed on to `make test`. The folder is kept, and brought up to date the next time;
# remove it to begin anew. Proxies, certificates, and the settings of apt and pip are those of this machine.
#
# Needs root, and Debian or debootstrap. The exit code is 0 if everything passed, 77 if there was nothing to do or this
# machine does not allow it.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
suite=testing
newer_than=3.10
folder=''
mirror=''

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; }
fail() { printf 'debian_pythons.sh: %s\n' "$*" >&2; exit 1; }
skip() { printf 'debian_pythons.sh: skipped: %s\n' "$*" >&2; exit 77; }

# ------------------------------------------------------------------------------------------ what this machine can do

check_machine() {
    [ "$(id -u)" -eq 0 ] || skip 'it needs root'
    command -v debootstrap >/dev/null || command -v apt-get >/dev/null || skip 'it needs Debian, or debootstrap'
    unshare --mount true 2>/dev/null || skip 'mounts are not allowed here'
    chroot / true 2>/dev/null || skip 'chroot is not allowed here'
}

# The first mirror of Debian's main archive that apt is configured with. apt expands what looks like commands here.
# shellcheck disable=SC2016
apt_mirror() {
    apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        sed -n '/ Debian$/{s/ .*//p;q}'
}

# ----------------------------------------------------------------------------------------------------- the folder

# debootstrap cannot resume, so a folder that was begun but not completed is removed and made again. A folder that this
# script has not begun is left alone.
bootstrap() {
    local proxy=''
    if [ -e "$folder.complete" ] && [ -d "$folder" ]; then return; fi
    if [ -e "$folder" ]; then
        [ -e "$folder.begun" ] || fail "$folder exists, and was not made by this script; name another --folder"
        rm -rf --one-file-system "$folder"
    fi
    command -v debootstrap >/dev/null || "$checkout/scripts/debian_install.sh" debootstrap
    [ -n "$mirror" ] || mirror=$(apt_mirror)
    [ -n "$mirror" ] || { apt-get update -qq && mirror=$(apt_mirror); }
    [ -n "$mirror" ] || fail 'apt on this machine names no mirror of Debian; give one with --mirror'
    printf 'installing Debian %s in %s\n' "$suite" "$folder"
    mkdir -p "$(dirname "$folder")"
    touch "$folder.begun"
    # debootstrap does not read apt's settings. Its script for sid serves all suites of today, also those that are newer
    # than debootstrap itself.
    if command -v apt-config >/dev/null; then eval "$(apt-config shell proxy Acquire::http::Proxy)"; fi
    env ${proxy:+http_proxy="$proxy"} \
        debootstrap --variant=minbase --include=ca-certificates,git,make "$suite" "$folder" "$mirror" sid >"$folder.log" ||
        { tail -n 20 "$folder.log" >&2; fail "debootstrap failed; its whole output is in $folder.log"; }
    touch "$folder.complete"
}

mount_kernel_files() {
    mount -t proc proc "$folder/proc"
    mount -t tmpfs tmpfs "$folder/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$folder/dev/pts"
}

inside() { chroot "$folder" env -u TMPDIR HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

copy_network_settings() {
    cp --remove-destination --dereference /etc/resolv.conf /etc/hosts "$folder/etc/"
    if [ -d /usr/local/share/ca-certificates ]; then
        cp -r /usr/local/share/ca-certificates/. "$folder/usr/local/share/ca-certificates/"
    fi
    inside update-ca-certificates >/dev/null 2>&1
    if command -v apt-config >/dev/null; then
        apt-config dump | grep -E '^Acquire::(http|https|Retries|Check-)' >"$folder/etc/apt/apt.conf.d/50this-machine" || true
    fi
}

# The Pythons of the suite that are newer than the version asked for and can make virtual environments, oldest first.
pythons_of_suite() {
    inside apt-cache search --names-only '^python3\.[0-9]+-venv$' | sed -n 's/^python3\.\([0-9]*\)-venv .*/\1/p' | sort -n |
        while read -r minor; do if [ "$minor" -gt "${newer_than#3.}" ]; then echo "python3.$minor"; fi; done
}

install_pythons() {
    inside apt-get update -qq
    [ ${#pythons[@]} -gt 0 ] || mapfile -t pythons < <(pythons_of_suite)
    [ ${#pythons[@]} -gt 0 ] || skip "Debian $suite has no Python newer than $newer_than"
    inside env DEBIAN_FRONTEND=noninteractive sh -c \
        'apt-get upgrade -y -qq && apt-get install -y -qq --no-install-recommends "$@"' \
        sh "${pythons[@]/%/-venv}" >"$folder.log" 2>&1 || { tail -n 20 "$folder.log" >&2; fail 'apt-get failed'; }
}

# Makes a file or folder of this machine visible in the system's folder, under the same path, read-only.
expose() {
    local path=$1 parent=${1%/*}
    [ "$path" -ef "$folder$path" ] && return
    # The pages of a local package index link to files beside them, so show these as well if nothing is in their place.
    if [ -d "$path" ] && [ -n "$parent" ] && [ -z "$(ls -A "$folder$parent" 2>/dev/null)" ]; then path=$parent; fi
    if [ -d "$path" ]; then
        mkdir -p "$folder$path"
    else
        mkdir -p "$folder${path%/*}"
        touch "$folder$path"
    fi
    mount --bind -o ro "$path" "$folder$path"
}

# pip's configuration, and the certificates, constraints and package folders that it names.
expose_pip_settings() {
    local -a files=()
    local file path
    local user=${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf
    if [ -z "${PIP_CONFIG_FILE-}" ] && [ -f "$user" ]; then export PIP_CONFIG_FILE=$user; fi
    for file in /etc/pip.conf /etc/xdg/pip/pip.conf "${PIP_CONFIG_FILE-}"; do
        if [ -f "$file" ]; then files+=("$file"); fi
    done
    { printf '%s\n' "${files[@]}"; cat /dev/null "${files[@]}"; env | grep ^PIP_ || true; } |
        sed 's,file://[^/]*,,g' | grep -oE '/[^[:space:],;"]+' | sort -u |
        while read -r path; do if [ -e "$path" ]; then expose "$(realpath -s "$path")"; fi; done
}

# --------------------------------------------------------------------------------------------------------- the run

declare -a pythons=() arguments=("$@")
while [ $# -gt 0 ]; do
    case $1 in
        --suite) suite=${2:?}; shift ;;
        --newer-than) newer_than=${2:?}; shift ;;
        --folder) folder=$(realpath -m "${2:?}"); shift ;;
        --mirror) mirror=${2:?}; shift ;;
        -h|--help) usage; exit ;;
        -*) fail "unknown option $1" ;;
        *) pythons+=("$1") ;;
    esac
    shift
done
folder=${folder:-/var/cache/pytest-smtpd/$suite}

check_machine
# In a mount namespace of its own, so that every mount is gone when this ends, however it ends.
[ -n "${IN_MOUNT_NAMESPACE-}" ] ||
    IN_MOUNT_NAMESPACE=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}" "${arguments[@]}"
unset IN_MOUNT_NAMESPACE

mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock"
flock --nonblock 9 || fail "another run is using $folder"

bootstrap
mount_kernel_files
copy_network_settings
install_pythons
expose_pip_settings
rm -rf "$folder/checkout"
git clone --quiet --no-hardlinks "$checkout" "$folder/checkout"
printf 'Debian %s: %s; %s\n' "$suite" "${pythons[*]}" "$(inside openssl version)"
inside /checkout/scripts/clean_run.sh "${pythons[@]}"
