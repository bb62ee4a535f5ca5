# What every script needs before it starts: Rust, an engine, the test image. Sourced from the repository's root.
# shellcheck shell=bash disable=SC1091

. scripts/lib/common.sh
. scripts/lib/packages.sh
. scripts/lib/rust.sh
. scripts/lib/engine.sh
. scripts/lib/image.sh

set_up() {
    ensure_rust
    ensure_engine
    ensure_rootfs
}
