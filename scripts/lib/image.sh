# The test image's file system, made here: one static busybox, so that nothing is pulled. Sourced, never run.
# Examples and tests import the file that CATAMARAN_TEST_ROOTFS names as catamaran/busybox:test.
# shellcheck shell=bash

ensure_rootfs() {
    export CATAMARAN_TEST_ROOTFS=${CATAMARAN_TEST_ROOTFS:-$cache/busybox-rootfs.tar}
    if [ ! -s "$CATAMARAN_TEST_ROOTFS" ]; then
        say "making the test image: a static busybox"
        make_rootfs "$CATAMARAN_TEST_ROOTFS"
    fi
    say "test image: $CATAMARAN_TEST_ROOTFS"
}

make_rootfs() {
    local tar=$1 root=$scratch/rootfs applet
    mkdir -p "$root"/{bin,dev,etc,proc,root,sys,tmp} "$(dirname "$tar")"
    chmod 755 "$root" "$root"/*
    chmod 1777 "$root/tmp"
    chmod 700 "$root/root"
    printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:nobody:/:/bin/sh' >"$root/etc/passwd"
    printf '%s\n' 'root:x:0:' 'nobody:x:65534:' >"$root/etc/group"
    chmod 644 "$root"/etc/*
    static_busybox "$root/bin/busybox"
    for applet in $("$root/bin/busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    # The same bytes wherever and whenever it is made; in place only when whole.
    tar --create --file "$tar.partial" --directory "$root" --format=gnu \
        --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
    mv "$tar.partial" "$tar"
}

# static_busybox DESTINATION: the machine's own if it is static, else out of Debian's package, which is unpacked and not
# installed: it would push out the dynamic busybox that other packages may want.
static_busybox() {
    local destination=$1 unpacked=$scratch/busybox-static
    if have busybox && is_static "$(command -v busybox)"; then
        cp "$(command -v busybox)" "$destination"
    elif on_debian; then
        if [ -z "$(candidate busybox-static)" ] && may_install; then refresh_package_lists; fi
        say "unpacking Debian's busybox-static (not installing it)"
        mkdir "$unpacked"
        (cd "$unpacked" && quietly "${apt_get[@]}" download busybox-static)
        dpkg-deb --extract "$unpacked"/busybox-static_*.deb "$unpacked"
        cp "$(find "$unpacked" -type f -path '*/bin/busybox')" "$destination"
    else
        die "a static busybox for the test image: missing here" \
            "install one (Fedora: sudo dnf install busybox; Alpine: apk add busybox-static), or take the image's own:" \
            "docker export \$(docker create busybox:musl) > $CATAMARAN_TEST_ROOTFS"
    fi
    chmod 755 "$destination"
}

is_static() { ! ldd "$1" 2>/dev/null | grep -q '=>'; }
