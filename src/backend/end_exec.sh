# Ends the processes of an exec: those whose environment holds the mark that is the first argument.
#
# It runs in the container, as the user of the exec, since no API of an engine ends an exec. It takes nothing but a
# POSIX shell (dash, busybox, bash) and /proc: every command in it is built in.
#
# A process's environment stands in /proc/<pid>/environ, each variable ended by a NUL, which read drops; a value may hold
# line breaks, so all lines are looked at, the last without an end too. Children inherit the mark. One may be born while
# others are killed: so it goes on, pass by pass, until a pass finds none. What is killed bears the mark for a moment
# still, hence many passes. What has gone, or is another user's, can't be read: that is no failure.
#
# Says "none" where nothing bore the mark, "ended" where all that did is gone, "left" where some is there still.

found=none
pass=0
while [ "$pass" -lt 200 ]; do
    pass=$((pass + 1))
    seen=
    for environ in /proc/[0-9]*/environ; do
        while IFS= read -r line || [ -n "$line" ]; do
            case $line in
            *"$1"*)
                pid=${environ#/proc/}
                kill -9 "${pid%/environ}" && seen=yes
                break
                ;;
            esac
        done <"$environ"
    done 2>/dev/null
    if [ -z "$seen" ]; then
        echo "$found"
        exit
    fi
    found=ended
done
echo left
