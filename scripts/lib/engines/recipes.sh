# The engines of the matrix, and what each is made of. Sourced, never run.
# shellcheck shell=bash disable=SC2034

engines=(docker-20.10 docker-26.1 podman-4.3 podman-5.4)

# recipe NAME: sets suite and packages. A changed recipe is a changed stamp, and its tree is made anew.
recipe() {
    local docker=docker.io,iptables,tini podman=podman,runc,iptables,nftables,netavark,aardvark-dns,catatonit
    local all=procps,ca-certificates
    case $1 in
    docker-20.10) suite=bookworm packages=$docker,$all ;;
    docker-26.1) suite=trixie packages=$docker,$all ;;
    podman-4.3) suite=bookworm packages=$podman,$all ;;
    podman-5.4) suite=trixie packages=$podman,$all ;;
    *) die "$1: no such engine" "there are: ${engines[*]}" ;;
    esac
}
