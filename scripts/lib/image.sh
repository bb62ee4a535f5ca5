# The root file system of the test image, made of Debian's static busybox. Sourced, not run.

say() { printf '==> %s\n' "$*"; }

# Makes the archive unless it is there, outside the project, and exports its path.
rootfs() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/catamaran
  export CATAMARAN_TEST_ROOTFS=$cache/busybox-rootfs.tar
  [ -s "$CATAMARAN_TEST_ROOTFS" ] && return
  local busybox
  busybox=$(static_busybox) || return 1
  say "making the test image's root file system: $CATAMARAN_TEST_ROOTFS"
  local tree
  tree=$(mktemp -d)
  mkdir -p "$cache" "$tree"/{bin,etc,root,proc,sys,dev,tmp}
  chmod 1777 "$tree/tmp"
  cp "$busybox" "$tree/bin/busybox"
  local applet
  for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$tree/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$tree/etc/group"
  tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$tree" -cf "$CATAMARAN_TEST_ROOTFS.new" . &&
    mv "$CATAMARAN_TEST_ROOTFS.new" "$CATAMARAN_TEST_ROOTFS"
  local status=$?
  rm -rf "$tree"
  return $status
}

# Prints the path of a statically linked busybox; installs Debian's where it may.
static_busybox() {
  if [ ! -x /bin/busybox ] || ldd /bin/busybox >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      say 'installing busybox-static for the test image' >&2
      { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends busybox-static; } >&2 || return 1
    else
      say 'the test image needs a static busybox: install the package busybox-static and run this again' >&2
      return 1
    fi
  fi
  echo /bin/busybox
}
