# The container engine: the one that is there, or a private one for as long as the script runs. Sourced, never run.
# Afterwards DOCKER_HOST names an engine that answered.
# shellcheck shell=bash

ensure_engine() {
    need curl curl "talking to the engine"
    find_engine && return
    may_install || die "no container engine answers here" ${silent_sockets[@]+"${silent_sockets[@]}"} \
        "start one (Docker: sudo systemctl start docker; Podman: podman system service --time 0 &)," \
        "or name one: export DOCKER_HOST=unix:///path/of/docker.sock" \
        "permission denied: sudo usermod -aG docker \$USER, and log in again" \
        "(run as root on Debian or Ubuntu, this script starts a private one by itself)"
    . scripts/lib/private-engine.sh
    start_private_engine
}

# engine_get PATH: one request to the engine that DOCKER_HOST names.
engine_get() {
    local curl=(curl --silent --show-error --fail --max-time 10) certs=${DOCKER_CERT_PATH:-$HOME/.docker}
    case $DOCKER_HOST in
    unix://*) "${curl[@]}" --unix-socket "${DOCKER_HOST#unix://}" "http://localhost$1" ;;
    tcp://* | http://* | https://*)
        if [ -n "${DOCKER_TLS_VERIFY:-}" ] || [[ $DOCKER_HOST == https://* ]]; then
            "${curl[@]}" --cacert "$certs/ca.pem" --cert "$certs/cert.pem" --key "$certs/key.pem" \
                "https://${DOCKER_HOST#*://}$1"
        else
            "${curl[@]}" "http://${DOCKER_HOST#*://}$1"
        fi
        ;;
    *) echo "DOCKER_HOST=$DOCKER_HOST: expected unix://… or tcp://…" >&2 && return 1 ;;
    esac
}

engine_answers() { engine_get /_ping >/dev/null 2>"$scratch/ping.err"; }

# A daemon may answer a ping and be stuck: one that can't tell of itself runs nothing.
engine_works() { engine_answers && engine_get /info >/dev/null 2>"$scratch/ping.err"; }

# The order is the crate's own: DOCKER_HOST, the Docker context, then the sockets of Docker and Podman. What was named
# must answer: going on to another engine would surprise whoever named it.
find_engine() {
    local named=DOCKER_HOST socket
    if [ -z "${DOCKER_HOST:-}" ] && use_docker_context; then named="Docker context $context"; fi
    if [ -n "${DOCKER_HOST:-}" ]; then
        engine_works || die "no engine answers at $DOCKER_HOST ($named)" "$(cat "$scratch/ping.err")" \
            "start it, or anew if it is stuck, or choose another: unset DOCKER_HOST; docker context use default"
        say "engine: $DOCKER_HOST ($named)"
        return
    fi
    silent_sockets=()
    for socket in /var/run/docker.sock ${XDG_RUNTIME_DIR:+"$XDG_RUNTIME_DIR/docker.sock"} "$HOME/.docker/run/docker.sock" \
        /run/podman/podman.sock ${XDG_RUNTIME_DIR:+"$XDG_RUNTIME_DIR/podman/podman.sock"}; do
        [ -S "$socket" ] || continue
        if DOCKER_HOST=unix://$socket engine_works; then
            export DOCKER_HOST=unix://$socket
            say "engine: $DOCKER_HOST"
            return
        fi
        silent_sockets+=("$socket: $(cat "$scratch/ping.err")")
    done
    return 1
}

# Sets DOCKER_HOST, and with TLS the path of its certificates, from the context that is in use, if one is.
use_docker_context() {
    local config=${DOCKER_CONFIG:-$HOME/.docker} digest meta
    context=${DOCKER_CONTEXT:-$(json_string currentContext "$config/config.json")}
    case $context in '' | default) return 1 ;; esac
    digest=$(printf %s "$context" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d ' ' -f 1)
    meta=$config/contexts/meta/$digest/meta.json
    [ -f "$meta" ] || die "Docker context $context: not found" "docker context ls"
    DOCKER_HOST=$(json_string Host "$meta")
    export DOCKER_HOST
    if [ -d "$config/contexts/tls/$digest/docker" ]; then
        export DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=$config/contexts/tls/$digest/docker
    fi
}

# json_string KEY FILE: enough for the two files above, and needs nothing installed.
json_string() { sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p' "$2" 2>/dev/null | head -n 1; }
