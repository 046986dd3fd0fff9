#!/bin/sh
# Prints the path of a Go that can build Kubernetes: the machine's own, or one fetched as the module golang.org/toolchain.
# Any Go with modules can fetch it, checked against the checksum database; so Debian's old golang-go is enough to begin with.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
VERSION=1.26.8
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sheath/go-$VERSION

export GOTOOLCHAIN=local

# Succeeds when Go $1 is recent enough: 1.26 or later.
recent() {
  number=$("$1" env GOVERSION 2>/dev/null) || return 1
  minor=${number#go1.}
  minor=${minor%%[!0-9]*}
  [ -n "$minor" ] && [ "$minor" -ge 26 ]
}

own=$(command -v go || true)
if [ -n "$own" ] && recent "$own"; then echo "$own"; exit 0; fi
if [ -x "$CACHE/bin/go" ]; then echo "$CACHE/bin/go"; exit 0; fi

[ -n "$own" ] || { sh "$HERE/packages.sh" go=golang-go; own=$(command -v go); }
case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
module=golang.org/toolchain@v0.0.1-go$VERSION.linux-$arch
echo "set-up: Go here is $("$own" version | cut -d' ' -f3); fetching $VERSION as a module" >&2
folder=$(cd / && GOFLAGS=-mod=mod "$own" mod download -json "$module" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p')
[ -n "$folder" ] || { echo "set-up: could not fetch $module; install Go 1.26 or later from https://go.dev/dl and try again" >&2; exit 1; }

# A module zip carries no execute bits and no go.mod files below its root (they are named _go.mod in it).
mkdir -p "$(dirname "$CACHE")"
rm -rf "$CACHE.part"
cp -r "$folder" "$CACHE.part"
chmod -R u+w "$CACHE.part"
find "$CACHE.part" -name _go.mod -execdir mv _go.mod go.mod \;
chmod +x "$CACHE.part"/bin/* "$CACHE.part"/pkg/tool/*/* 2>/dev/null || true
mv "$CACHE.part" "$CACHE"
echo "$CACHE/bin/go"
