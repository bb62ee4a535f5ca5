# An engine's root file system out of Debian's packages, made once and kept. Sourced, never run.
# shellcheck shell=bash

trees=$cache/engines

# What an engine's tree is, and what of it is only kept beside it.
tree_of() { printf '%s\n' "$trees/$1/tree"; }

ensure_tree() {
    local name=$1 suite packages stamp mirror
    recipe "$name"
    stamp="$suite $packages"
    [ "$(cat "$trees/$name/stamp" 2>/dev/null)" != "$stamp" ] || return 0
    need debootstrap debootstrap "making an engine's file system"
    [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] ||
        install_packages "checking Debian's signatures" debian-archive-keyring
    mirror=$(debian_mirror)
    say "$name: making its file system (Debian $suite, from $mirror); this takes a minute or two"
    rm -rf "${trees:?}/$name/tree.partial" "$trees/$name/stamp"
    mkdir -p "$trees/$name/tree.partial" "$trees/packages"
    debootstrap --variant=minbase --cache-dir="$trees/packages" --include="$packages" \
        "$suite" "$trees/$name/tree.partial" "$mirror" >"$trees/$name/debootstrap.log" 2>&1 </dev/null || {
        tail -n 5 "$trees/$name/debootstrap.log" >&2
        die "$name: its file system could not be made (the last words are above, all of them in" \
            "$trees/$name/debootstrap.log)" \
            "is the mirror reachable? Another: export CATAMARAN_DEBIAN_MIRROR=http://…/debian"
    }
    rm -rf "${trees:?}/$name/tree" "$trees/$name/data"
    mv "$trees/$name/tree.partial" "$trees/$name/tree"
    printf '%s\n' "$stamp" >"$trees/$name/stamp"
}

# The one that this machine's own packages come from, where it is a Debian.
debian_mirror() {
    local found=${CATAMARAN_DEBIAN_MIRROR:-}
    [ -n "$found" ] || found=$(apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(REPO_URI)' 2>/dev/null |
        awk '$1 == "Debian" && $2 == "main" && $3 ~ /\/debian\/?$/ { print $3; exit }')
    [ -n "$found" ] || found=$(sed -nE 's/^(URIs:|deb( \[[^]]*\])?) *(https?:[^ ]*\/debian\/?)( .*)?$/\3/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
    printf '%s\n' "${found:-http://deb.debian.org/debian}"
}
