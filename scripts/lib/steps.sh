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

# The end of each failed step's output, the table, the tests' totals; fails if a step did.
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
    [ ${#failed_steps[@]} -eq 0 ]
}
