#!/usr/bin/env bash
# Installs the clients of the interoperability suite on a Debian 12 machine, as root. Safe to run again: what is there
# stays. Nothing is started, and whatever does not come from a Debian package goes to .interop/ at the top of the
# project, which git ignores.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
dest=${PYTEST_SMTPD_INTEROP_DIR:-$root/.interop}

debian=(
    curl openssl ca-certificates
    python3-venv
    swaks libnet-ssleay-perl                              # Perl: swaks, STARTTLS in it
    perl libio-socket-ssl-perl                            # Perl: Net::SMTP with TLS
    libauthen-sasl-perl libdigest-hmac-perl               # ... and with AUTH
    git git-email libmailtools-perl                       # git send-email
    msmtp s-nail mutt
    ruby                                                  # net/smtp
    php-cli libphp-phpmailer php-symfony-mailer
    postfix                                               # for smtp-source, which never needs Postfix to run
)
command -v node >/dev/null || debian+=(nodejs)
command -v npm >/dev/null || debian+=(npm)

say() { printf '\n== interop: %s\n' "$*"; }

install_debian() {
    say "Debian packages"
    # The packages of Postfix ask a question when they are installed.
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    "$root/scripts/debian_install.sh" "${debian[@]}"
}

# venv PYTHON NAME REQUIREMENTS: made again only when the list of requirements changed.
install_venv() {
    local python=$1 venv=$dest/$2 requirements=$here/$3
    if cmp -s "$requirements" "$venv/installed.txt"; then
        say "$2: up to date"
        return
    fi
    say "$2: with $("$python" --version)"
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/installed.txt"
}

# The newest Python from 3.12 up; Debian 12 itself has 3.11, so it may be that there is none.
newer_python() {
    local candidate
    for candidate in python3.14 python3.13 python3.12 \
        "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3 /usr/local/bin/python3 python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

install_npm() {
    local project=$dest/npm
    if cmp -s "$here/package.json" "$project/node_modules/installed.json"; then
        say "npm: up to date"
        return
    fi
    say "npm: with node $(node --version)"
    mkdir -p "$project"
    cp "$here/package.json" "$project/package.json"
    (cd "$project" && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error)
    cp "$here/package.json" "$project/node_modules/installed.json"
}

mkdir -p "$dest"
install_debian
install_venv "${PYTHON:-python3}" venv requirements.txt
newer=$(newer_python)
if [ -n "$newer" ]; then
    install_venv "$newer" venv-mailers requirements-django-mailers.txt
else
    say "no Python from 3.12 up: Django's MAILERS setting cannot be tested here"
fi
install_npm
say "done"
