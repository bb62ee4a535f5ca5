# Ends the processes of an exec: those whose environment holds the mark that is the first argument.
#
# It runs in the container, as the user of the exec, since no API of an engine ends an exec. It takes nothing but a
# POSIX shell (dash, busybox, bash) and /proc: every command in it is built in.
#
# A process's environment stands in /proc/<pid>/environ, each variable ended by a NUL, which read drops; a value may hold
# line breaks, so all lines are looked at, the last without an end too. Children inherit the mark.
#
# All are stopped first, pass by pass, until a pass finds none that runs: what is stopped neither makes another, nor goes
# on because its child was killed, so that the exec's own exit code is that of what is killed. Then all are killed. Which
# is over when a pass finds none: what is killed may bear the mark for a moment still, and one may have been overlooked.
# What has gone, or is another user's, can't be read: that is no failure.
#
# Says "none" where nothing bore the mark, "ended" where all that did is gone, "left" where some is there still.

found=none
stopped=' '
pass=0
while [ "$pass" -lt 1000 ]; do
    pass=$((pass + 1))
    seen=
    fresh=
    for environ in /proc/[0-9]*/environ; do
        while IFS= read -r line || [ -n "$line" ]; do
            case $line in
            *"$1"*) ;;
            *) continue ;;
            esac
            seen=yes
            pid=${environ#/proc/}
            pid=${pid%/environ}
            case $stopped in
            *" $pid "*) ;;
            *) kill -STOP "$pid" && stopped="$stopped$pid " && fresh=yes ;;
            esac
            break
        done <"$environ"
    done 2>/dev/null
    if [ -z "$seen" ]; then
        echo "$found"
        exit
    fi
    if [ -z "$fresh" ]; then
        for pid in $stopped; do
            kill -9 "$pid" && found=ended
        done 2>/dev/null
        # What is killed may give its number to another.
        stopped=' '
    fi
done
echo left
