# Control groups for an engine in namespaces of its own. Sourced, never run.
# shellcheck shell=bash

# A bare chroot or namespace comes without cgroups, and no container can be limited without them. Version 1 hierarchies
# are mounted as the kernel groups them.
mount_cgroups() {
    [ -z "$(find /sys/fs/cgroup -mindepth 1 -print -quit)" ] || return 0
    local controllers
    if grep -q '^[1-9][0-9]*:[a-z]' /proc/self/cgroup; then
        mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
        while IFS=: read -r _ controllers _; do
            [ -n "$controllers" ] || continue
            mkdir "/sys/fs/cgroup/${controllers#name=}"
            mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/${controllers#name=}"
        done </proc/self/cgroup
    else
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
    fi
}

# Inside a container with cgroup version 2, the group that we see as the root holds processes, and such a group cannot
# hand controllers down to containers: its processes move to a group of their own. A true root has no cgroup.type, and
# needs none of it.
hand_down_cgroup_controllers() {
    local root=/sys/fs/cgroup process
    [ -f "$root/cgroup.type" ] || return 0
    mkdir -p "$root/init"
    while read -r process; do
        echo "$process" >"$root/init/cgroup.procs" || true # it may have ended meanwhile
    done <"$root/cgroup.procs" 2>/dev/null
    sed -e 's/ / +/g' -e 's/^/+/' "$root/cgroup.controllers" >"$root/cgroup.subtree_control" || true
}

# Where this machine has its hierarchies, one a line.
cgroup_hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

# make_cgroups GROUP: in each hierarchy; for an engine whose containers are to be found, and nowhere else.
make_cgroups() {
    local hierarchy group file
    hand_down_cgroup_controllers
    for hierarchy in $(cgroup_hierarchies); do
        group=$hierarchy/$1
        mkdir -p "$group"
        # Version 2: what is beneath gets what the group above has. Version 1: a new group of these has nothing to run on.
        if [ -f "${group%/*}/cgroup.subtree_control" ]; then
            sed -e 's/ / +/g' -e 's/^\(.\)/+\1/' "${group%/*}/cgroup.controllers" >"${group%/*}/cgroup.subtree_control" || true
        fi
        for file in cpuset.cpus cpuset.mems; do
            if [ -f "$hierarchy/tasks" ] && [ -f "$group/$file" ]; then
                cat "$hierarchy/$file" >"${group%/*}/$file"
                cat "$hierarchy/$file" >"$group/$file"
            fi
        done
    done
}

# join_cgroups GROUP: this process, and those that it starts.
join_cgroups() {
    local hierarchy
    for hierarchy in $(cgroup_hierarchies); do echo 0 >"$hierarchy/$1/cgroup.procs"; done
}
