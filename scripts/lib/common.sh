# Words for the person at the terminal, and what must happen however the script ends. Sourced, never run.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*"; }

# die HEADLINE [LINE…]: what is wrong, then what to do about it, line by line.
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '       %s\n' "$@" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANT
version_at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# at_exit COMMAND: run when the script ends, by whatever way; the last one registered runs first.
exit_tasks=':'
at_exit() { exit_tasks="$1; $exit_tasks"; }
trap 'exit_status=$?; set +e; eval "$exit_tasks"; exit "$exit_status"' EXIT

# Everything the scripts make for themselves goes here, and goes away with them.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/catamaran.XXXXXX")
at_exit 'rm -rf "$scratch"'

# What is worth keeping between runs (the test image, tools) lives outside the repository.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/catamaran
