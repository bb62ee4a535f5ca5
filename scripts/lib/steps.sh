# Steps that go on past a failed one, and a table at the end. Sourced, never run.
# shellcheck shell=bash

step_table=()  # one line per step: result, seconds, name
failed_steps=() # name and log of each that failed
step_logs=$scratch/steps
mkdir -p "$step_logs"

# step NAME COMMAND…: its output is shown as it comes, and kept.
step() {
    local name=$1 log status result=ok start=$SECONDS
    log=$step_logs/${#step_table[@]}.log
    shift
    printf '\n==> %s\n' "$name"
    # Not as a condition: bash would then ignore `set -e` inside the step.
    set +e
    (
        set -e
        "$@"
    ) 2>&1 </dev/null | tee "$log"
    status=${PIPESTATUS[0]}
    set -e
    case $status in
    0) ;;
    "$step_skipped") result=skipped ;;
    *) result=FAILED && failed_steps+=("$name" "$log") ;;
    esac
    step_table+=("$(printf '%-8s %4ss  %s' "$result" "$((SECONDS - start))" "$name")")
    printf '==> %s: %s, %s s\n' "$name" "$result" "$((SECONDS - start))"
}

# skip REASON, inside a step. On CI nothing is skipped: a check that cannot run has not passed.
step_skipped=77
skip() {
    echo "$*"
    exit "$([ -n "${CI:-}" ] && echo 1 || echo $step_skipped)"
}

# Each failed test of a log, with the program that it is in and the first lines of its panics, or of the error that it gave.
# cargo test tells them at the end of each program: failures:, then ---- NAME stdout ---- and what NAME printed.
failed_tests() {
    awk '/^ +Running / { program = $2 == "unittests" ? $3 : $2 }
        /^ +Doc-tests / { program = "documentation" }
        /^---- .* ----$/ { print program ": " substr($0, 6, length($0) - 17); lines = 0; next }
        /^thread .* panicked at |^Error: / { lines = 8 }
        /^failures:$|^stack backtrace:$|^note: / { lines = 0 }
        lines > 0 && NF { print "    " $0; lines-- }' "$1"
}

# The end of each failed step's output, the table, the tests' totals, and last, where whoever reads looks first, what each
# failed test said; fails if a step did.
summary() {
    local i
    for ((i = 0; i < ${#failed_steps[@]}; i += 2)); do
        printf '\n==> FAILED: %s (the end of its output)\n' "${failed_steps[i]}"
        tail -n 40 "${failed_steps[i + 1]}"
    done
    printf '\n==> summary\n'
    printf '    %s\n' "${step_table[@]}"
    printf '    %-8s %4ss  %s\n' total "$SECONDS" ''
    # cargo test closes with: test result: ok. 12 passed; 0 failed; 1 ignored; …
    awk '/^test result: / { passed += $4; failed += $6; skipped += $8 }
        END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$step_logs"/*.log
    for ((i = 0; i < ${#failed_steps[@]}; i += 2)); do
        printf '==> FAILED: %s\n' "${failed_steps[i]}"
        failed_tests "${failed_steps[i + 1]}"
    done
    [ ${#failed_steps[@]} -eq 0 ]
}
