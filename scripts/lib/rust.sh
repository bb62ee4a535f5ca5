# Cargo, a compiler new enough for this crate, and a linker. Sourced, never run.
# shellcheck shell=bash

minimum_rust=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' Cargo.toml)

ensure_rust() {
    # rustup puts its tools there; a shell opened before it ran doesn't know yet.
    [ ! -d "$HOME/.cargo/bin" ] || PATH=$HOME/.cargo/bin:$PATH
    if ! have cargo || ! rust_version >/dev/null; then
        install_debian_rust || die "Rust $minimum_rust or newer: missing here" \
            "have rustup: rustup default stable" \
            "otherwise:   curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" \
            "then run this again"
    fi
    version_at_least "$(rust_version)" "$minimum_rust" ||
        die "Rust $(rust_version) is installed, and this crate needs $minimum_rust or newer" \
            "with rustup: rustup update stable"
    have cc || install_packages "linking (a C compiler)" gcc libc6-dev
    say "rust: $(rustc --version)"
}

# The feature tls links OpenSSL, which shiplift's TLS is made of.
ensure_openssl() {
    { have pkg-config && pkg-config --exists openssl; } ||
        install_packages "the feature tls (OpenSSL)" libssl-dev pkg-config
}

rust_version() { rustc --version 2>/dev/null | awk '{ print $2 } END { exit NR == 0 }'; }

# Debian's own Rust is too old in some releases, where a newer one goes by rustc-web.
install_debian_rust() {
    may_install || return
    refresh_package_lists
    local suffix version package packages
    for suffix in '' -web; do
        version=$(candidate "rustc$suffix")
        version_at_least "${version:-0}" "$minimum_rust" || continue
        packages=()
        for package in "cargo$suffix" "rustc$suffix" "rustfmt$suffix" "rust$suffix-clippy"; do
            [ -z "$(candidate "$package")" ] || packages+=("$package")
        done
        install_packages "Rust $minimum_rust or newer" "${packages[@]}" gcc libc6-dev ca-certificates
        return
    done
    return 1
}
