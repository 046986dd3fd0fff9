#!/bin/sh
# Prints the paths of the user-mode Linux kernels to test on, oldest first, one a line: $SHEATH_UML_KERNEL (one, or several
# separated by colons), else those in our cache, else one built from the newest of Debian's linux-source packages.
#   kernel.sh           what there is
#   kernel.sh 6.1       that one, built where it is not in the cache
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sheath/kernels
say() { echo "set-up: $*" >&2; }

# Builds linux-source-$1 into the cache. Needs no root but for missing build tools: the package is unpacked, not installed.
build() {
  version=$1
  sh "$HERE/packages.sh" gcc=gcc make=make flex=flex bison=bison bc=bc xz=xz-utils perl=perl
  [ -e /usr/include/stdlib.h ] || sh "$HERE/packages.sh" libc-headers=libc6-dev
  say "building user-mode Linux $version from Debian's linux-source-$version: once, 4 to 9 minutes on 2 cores"
  began=$(date +%s)
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/sheath-linux.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM
  cd "$work"
  apt-get download "linux-source-$version" >log 2>&1 || { cat log >&2; say "could not download linux-source-$version (apt-get update?)"; exit 1; }
  dpkg-deb --fsys-tarfile linux-source-*.deb | tar -x --wildcards './usr/src/linux-source-*.tar.xz'
  rm -f linux-source-*.deb
  tar -xf usr/src/linux-source-*.tar.xz --strip-components=1
  rm -rf usr/src
  # Room for the registers of every x86 CPU: with AMX a process has 11008 bytes of them, and Linux before 7 keeps 2696.
  sed -i 's/HOST_FP_SIZE, 2696)/HOST_FP_SIZE, 12288)/' arch/x86/um/user-offsets.c
  say "  unpacked, $(($(date +%s) - began)) s so far"
  make ARCH=um allnoconfig KCONFIG_ALLCONFIG="$HERE/../kernel/uml.config" >log 2>&1 || { tail -n 20 log >&2; exit 1; }
  progress "$began" &
  ticker=$!
  make ARCH=um -j"$(nproc)" linux >log 2>&1 || { kill "$ticker"; tail -n 20 log >&2; say "building linux $version failed; set SHEATH_UML_KERNEL"; exit 1; }
  kill "$ticker"
  strip linux
  mkdir -p "$CACHE"
  mv linux "$CACHE/linux-$version"
  say "linux $version is built, after $(($(date +%s) - began)) s"
}

# One line a minute: how many files were compiled.
progress() {
  while sleep 60; do say "  $(grep -c '^  CC ' log) files compiled, $(($(date +%s) - $1)) s so far"; done
}

cached() { find "$CACHE" -maxdepth 1 -type f -name 'linux-*' -perm -u+x 2>/dev/null | sort -V; }

# The newest linux-source package that apt knows.
newest() {
  command -v apt-cache >/dev/null 2>&1 || { say 'no user-mode Linux kernel: set SHEATH_UML_KERNEL to one with WireGuard in it'; exit 1; }
  [ -n "$(apt-cache search --names-only '^linux-source-[0-9.]+$')" ] || apt-get update >/dev/null 2>&1 || true
  apt-cache search --names-only '^linux-source-[0-9.]+$' | sed 's/^linux-source-\([0-9.]*\) .*/\1/' | sort -V | tail -n 1
}

if [ -n "${SHEATH_UML_KERNEL:-}" ]; then
  echo "$SHEATH_UML_KERNEL" | tr : '\n' | while read -r kernel; do
    [ -x "$kernel" ] || { say "SHEATH_UML_KERNEL: $kernel is not an executable kernel"; exit 1; }
    echo "$kernel"
  done
  exit 0
fi
if [ $# -gt 0 ]; then
  [ -x "$CACHE/linux-$1" ] || (build "$1")
  echo "$CACHE/linux-$1"
  exit 0
fi
if [ -z "$(cached)" ]; then
  version=$(newest)
  [ -n "$version" ] || { say 'apt knows no linux-source package: set SHEATH_UML_KERNEL'; exit 1; }
  (build "$version")
fi
cached
