# The conformance suite on each engine, and the table that tells how it went. Sourced, never run.
# shellcheck shell=bash disable=SC1091

matrix() {
    local name status failed=() outcomes=() table=$scratch/engines.md
    . scripts/lib/rust.sh
    . scripts/lib/image.sh
    ensure_rust
    ensure_openssl
    ensure_rootfs
    need python3 python3 "writing the table"
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
    export CARGO_TARGET_DIR
    cargo build --quiet --all-features --example conformance
    for name in "$@"; do
        # One after another: each has the machine for itself. What ran before stays.
        local ran=
        pid_of "$name" >/dev/null && ran=yes
        [ -n "$ran" ] || at_exit "down $name"
        up "$name"
        say "$name: the conformance suite, with every backend"
        status=0
        DOCKER_HOST=$(address_of "$name") "$CARGO_TARGET_DIR/debug/examples/conformance" --lines \
            >"$trees/$name/outcomes" 2>"$scratch/suite.err" </dev/null || status=$?
        [ -n "$ran" ] || down "$name"
        python3 scripts/lib/engines/table.py summary "$name" "$trees/$name/outcomes"
        outcomes+=("$name=$trees/$name/outcomes")
        [ "$status" -eq 0 ] || { failed+=("$name") && tail -n 3 "$scratch/suite.err" >&2; }
    done
    python3 scripts/lib/engines/table.py page "${outcomes[@]}" >"$table"
    sed -n '/^| operation/,$p' "$table"
    if [ "${#failed[@]}" -gt 0 ]; then
        die "the suite failed on: ${failed[*]}" "docs/engines.md is as it was"
    elif [ "$*" = "${engines[*]}" ]; then
        cp "$table" docs/engines.md
        say "written: docs/engines.md"
    else
        say "docs/engines.md is as it was: it is of all engines"
    fi
}
