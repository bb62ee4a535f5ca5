# A Docker daemon for as long as the script runs, on Linux. Sourced by engine.sh where no engine answers, never run:
# the bash of macOS, too old for coprocesses, must not read it.
# shellcheck shell=bash disable=SC1091

. scripts/lib/cgroups.sh

start_private_engine() {
    say "no container engine answers here: starting a private one, which ends with this script"
    need dockerd docker.io "a private engine"
    need iptables iptables "a private engine"
    need ps procps "a private engine's lists of processes"
    need ip iproute2 "a private engine's network"

    hand_down_cgroup_controllers

    engine_dir=$scratch/engine
    mkdir "$engine_dir"
    # New mount, network and process namespaces: no firewall, bridge, mount or process of this machine is touched, and
    # the kernel takes away whatever is left in them. The daemon lives until its standard input ends. Bash keeps the other
    # end of that pipe from all commands that it runs, so the daemon doesn't outlive even a script that was killed.
    coproc LIFELINE {
        trap : HUP TERM # whoever ends the script's whole group means the script; this one cleans up after it
        setsid --wait unshare --mount --net --pid --fork --kill-child --mount-proc \
            bash scripts/lib/private-dockerd "$engine_dir" >"$engine_dir/log" 2>&1 || : >"$engine_dir/failed"
        cat >/dev/null
        rm -rf "$scratch"
    }
    # Bash unsets the coprocess's variables when it ends: hence the copy.
    # shellcheck disable=SC2153
    engine_pid=$LIFELINE_PID
    at_exit stop_private_engine

    export DOCKER_HOST=unix://$engine_dir/docker.sock
    local _
    for _ in $(seq 300); do
        if engine_answers; then
            say "engine: $DOCKER_HOST (private)"
            run_beside_engine
            return
        fi
        [ ! -e "$engine_dir/failed" ] || break
        sleep 0.2
    done
    tail -n 20 "$engine_dir/log" >&2
    die "the private engine did not start (its last words are above)" \
        "inside a container, that takes a privileged one; otherwise name an engine with DOCKER_HOST"
}

# What reaches containers by their addresses must be in the network namespace of their engine: cargo runs there what it has built.
run_beside_engine() {
    local process target
    for process in $(pgrep -f -- "private-dockerd $engine_dir"); do
        [ "$(readlink "/proc/$process/ns/net")" != "$(readlink /proc/self/ns/net)" ] || continue
        nsenter --net="/proc/$process/ns/net" ip link set lo up
        target=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
        export "CARGO_TARGET_${target}_RUNNER=nsenter --net=/proc/$process/ns/net --"
        say "cargo runs tests and examples in the private engine's network namespace"
        return
    done
    die "the private engine has no network namespace of its own"
}

stop_private_engine() {
    local lifeline=${LIFELINE[1]:-}
    say "stopping the private engine"
    [ -z "$lifeline" ] || exec {lifeline}>&-
    wait "$engine_pid"
}
