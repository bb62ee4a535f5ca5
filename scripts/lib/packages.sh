# Debian and Ubuntu packages, installed when the script may and said before it does. Sourced, never run.
# shellcheck shell=bash

on_debian() {
    have apt-get && [ -r /etc/os-release ] &&
        (. /etc/os-release && case " ${ID:-} ${ID_LIKE:-} " in *" debian "* | *" ubuntu "*) ;; *) false ;; esac)
}

may_install() { [ "$(id -u)" -eq 0 ] && on_debian; }

# need COMMAND PACKAGE PURPOSE: the command is there afterwards, or the script has said what to do and ended.
need() { have "$1" || install_packages "$3" "$2"; }

# The version apt would install, or nothing. A fresh machine has no package lists until they are fetched.
candidate() {
    apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# A mirror that hiccups is asked again.
apt_get=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=5)

refresh_package_lists() {
    [ -z "${package_lists_fresh:-}" ] || return 0
    say "fetching the package lists (apt-get update)"
    quietly "${apt_get[@]}" update
    package_lists_fresh=yes
}

# install_packages PURPOSE PACKAGE…
install_packages() {
    local purpose=$1
    shift
    may_install || die "$purpose: missing here" \
        "on Debian or Ubuntu: sudo apt-get install $*" \
        "elsewhere: what your system calls the same; then run this again" \
        "(run as root on Debian or Ubuntu, this script installs it by itself)"
    refresh_package_lists
    say "installing for $purpose: $*"
    with_services_held quietly "${apt_get[@]}" -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "$@"
}

# A package's service would start at once and stay. Debian asks /usr/sbin/policy-rc.d first; for as long as the
# installation takes, the answer is no. One that is already there is the machine's own, and stays as it is.
with_services_held() {
    local policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    at_exit "rm -f $policy"
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    "$@"
    rm -f "$policy"
}

# Output only when it fails.
quietly() {
    local log=$scratch/quietly.log
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 30 "$log" >&2
    die "failed: $*"
}
