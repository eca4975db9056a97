#!/usr/bin/env bash
# Runs the two commands of the README, `make demo` and `make test`, as a newcomer would: in a fresh clone of what is
# committed here, with an empty home directory, and with nothing but HOME and PATH in the environment.
#
#   scripts/clean_run.sh                             with /usr/bin/python3
#   scripts/clean_run.sh python3.14 python3.15       with each of these
#
# TESTS and PYTEST_ARGS, if set, are passed on to `make test`. The last lines report for each Python and command how it
# ended and how long it took. The exit code is 0 if everything passed. Needs make, git, and Pythons that have venv.
set -uo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The way to the package index belongs to the machine and not to the developer's shell, so these settings are kept.
environment=(HOME="$work/home" PATH=/usr/bin:/bin)
shopt -s nocasematch
while IFS= read -r -d '' variable; do
    case ${variable%%=*} in PIP_* | *_PROXY) environment+=("$variable") ;; esac
done < <(env -0)
shopt -u nocasematch
user_settings=${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf
if [ -z "${PIP_CONFIG_FILE-}" ] && [ -f "$user_settings" ]; then environment+=(PIP_CONFIG_FILE="$user_settings"); fi

declare -a results=()
failures=0

# timed PYTHON COMMAND... : run the command in the clone, and note how it ended.
timed() {
    local python=$1 begin=$SECONDS result=passed
    shift
    printf '\n---------- %s: %s\n' "$python" "$*"
    if ! (cd "$work/clone" && env -i "${environment[@]}" "$@") </dev/null; then
        result=FAILED
        failures=$((failures + 1))
    fi
    results+=("$(printf '%s %4d s  %s: %s' "$result" $((SECONDS - begin)) "$python" "$*")")
}

[ $# -gt 0 ] || set -- /usr/bin/python3
mkdir "$work/home"
for python in "$@"; do
    rm -rf "$work/clone"
    git clone --quiet "$checkout" "$work/clone" || exit 2
    version=$("$python" --version) || exit 2
    timed "$version" make demo PYTHON="$python"
    timed "$version" make test PYTHON="$python" ${TESTS:+TESTS="$TESTS"} ${PYTEST_ARGS:+PYTEST_ARGS="$PYTEST_ARGS"}
done

printf '\n'
printf '%s\n' "${results[@]}"
[ "$failures" -eq 0 ]
