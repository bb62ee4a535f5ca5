# Engines of the matrix: started, found again, ended. Sourced, never run.
# shellcheck shell=bash

# Sockets, process ids, logs: gone with the machine's next start, as the engines are.
running=/run/catamaran

socket_of() { printf '%s\n' "$running/$1/engine.sock"; }
address_of() { printf 'unix://%s\n' "$(socket_of "$1")"; }
answers() { DOCKER_HOST=$(address_of "$1") engine_answers; }

# What a machine must have, beside the file systems.
can_run_engines() {
    [ "$(uname -s)" = Linux ] || die "engines of the matrix need Linux's namespaces: this is $(uname -s)"
    [ "$(id -u)" -eq 0 ] || die "engines of the matrix need root: they mount, and make networks" \
        "sudo scripts/engines …, or the engine that you have: cargo run --all-features --example conformance"
    need curl curl "talking to the engines"
    need unshare util-linux "namespaces"
    need flock util-linux "one at a time"
    need ip iproute2 "an engine's own network"
    unshare --mount --net --pid --fork mount -t tmpfs tmpfs /mnt 2>"$scratch/unshare.err" ||
        die "this machine gives no namespaces: $(cat "$scratch/unshare.err")" \
            "inside a container, that takes a privileged one"
}

# The first process of an engine's namespaces, if it runs and is ours: an id may have gone to another process since.
pid_of() {
    local pid began
    { read -r pid began <"$running/$1/pid"; } 2>/dev/null || return 1
    [ "$(began "$pid")" = "$began" ] || return 1
    printf '%s\n' "$pid"
}

# When a process began, in ticks since the machine did. Its name, in parentheses, may hold spaces.
began() { sed -E 's/^.*\) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

up() {
    local name=$1 directory=$running/$1 lock tries
    mkdir -p "$directory" "$trees/$name"
    exec {lock}>"$trees/$name/lock"
    flock "$lock"
    if pid_of "$name" >/dev/null && answers "$name"; then
        say "$name: runs at $(address_of "$name")"
        exec {lock}>&-
        return
    fi
    stop "$name" # what a start that failed left
    ensure_tree "$name"
    rm -rf "$directory"
    mkdir -p "$directory" "$trees/$name/data"
    make_cgroups "catamaran/$name"
    # A session of its own: it outlives this script and the terminal. All that it mounts, starts and does to a network
    # ends with the first process of these namespaces.
    setsid unshare --mount --net --pid --fork --kill-child \
        bash scripts/lib/engines/inside "$name" "$(tree_of "$name")" "$trees/$name/data" "$directory" \
        >"$directory/log" 2>&1 </dev/null {lock}>&- &
    for tries in $(seq 300); do
        if [ -s "$directory/pid" ] && answers "$name"; then
            say "$name: started, at $(address_of "$name")"
            exec {lock}>&-
            return
        fi
        [ "$tries" -lt 10 ] || kill -0 $! 2>/dev/null || break
        sleep 0.2
    done
    tail -n 20 "$directory/log" >&2
    stop "$name"
    die "$name did not start (its last words are above)" "inside a container, that takes a privileged one"
}

down() {
    local lock
    [ -d "$running/$1" ] || return 0
    mkdir -p "$trees/$1"
    exec {lock}>"$trees/$1/lock"
    flock "$lock"
    if pid_of "$1" >/dev/null; then say "$1: stopping"; fi
    stop "$1"
    exec {lock}>&-
}

# Ends the engine if it runs, and takes away what it made outside its namespaces: groups, data, the socket's directory.
stop() {
    local pid tries hierarchy
    if pid=$(pid_of "$1"); then
        kill -TERM "$pid"
        for tries in $(seq 100); do
            pid_of "$1" >/dev/null || break
            [ "$tries" -lt 75 ] || kill -KILL "$pid" 2>/dev/null || true
            sleep 0.2
        done
        ! pid_of "$1" >/dev/null || die "$1 doesn't end (process $pid)"
    fi
    for hierarchy in $(cgroup_hierarchies); do
        [ -d "$hierarchy/catamaran/$1" ] || continue
        # The kernel may need a moment after the last process.
        for tries in $(seq 25); do
            find "$hierarchy/catamaran/$1" -depth -type d -exec rmdir {} + 2>/dev/null && break
            sleep 0.2
        done
        rmdir "$hierarchy/catamaran" 2>/dev/null || true # another engine's may be in it
    done
    rm -rf "${running:?}/$1" "${trees:?}/$1/data"
    rmdir "$running" 2>/dev/null || true
}

status() {
    local name=$1
    if ! pid_of "$name" >/dev/null; then
        printf '%-13s down\n' "$name"
    elif answers "$name"; then
        printf '%-13s up      %s\n' "$name" "$(address_of "$name")"
    else
        printf '%-13s silent  %s (log: %s)\n' "$name" "$(address_of "$name")" "$running/$name/log"
    fi
}
