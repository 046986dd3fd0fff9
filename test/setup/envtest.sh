#!/bin/sh
# Prints the folder of a real kube-apiserver, etcd and kubectl: $KUBEBUILDER_ASSETS, else our cache, else built from Go modules.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
KUBERNETES=1.36.3
ETCD=3.6.8
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sheath/envtest

complete() { [ -x "$1/kube-apiserver" ] && [ -x "$1/etcd" ] && [ -x "$1/kubectl" ]; }
say() { echo "set-up: $*" >&2; }

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  complete "$KUBEBUILDER_ASSETS" && { echo "$KUBEBUILDER_ASSETS"; exit 0; }
  say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks kube-apiserver, etcd or kubectl; put them there, or unset it"
  exit 1
fi
if complete "$CACHE"; then echo "$CACHE"; exit 0; fi

go=$(sh "$HERE/go.sh")
say "building kube-apiserver $KUBERNETES, kubectl and etcd $ETCD from Go modules: once, about 6 minutes on 2 cores"
began=$(date +%s)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOFLAGS='-mod=mod -trimpath' GOTOOLCHAIN=local GOWORK=off
# Kubernetes replaces its own parts by folders of its repository; each of them is a module of the same minor version too.
mkdir "$work/kubernetes" "$work/etcd" "$work/bin"
cd "$work/kubernetes"
manifest=$("$go" mod download -json "k8s.io/kubernetes@v$KUBERNETES" | sed -n 's/^[[:space:]]*"GoMod": "\(.*\)",\{0,1\}$/\1/p')
{
  printf 'module envtest\n\ngo 1.26\n\nrequire k8s.io/kubernetes v%s\n\n' "$KUBERNETES"
  sed -n "s#^[[:space:]]*\(replace \)\{0,1\}\(k8s.io/[a-z-]*\) => ./staging/.*#replace \2 => \2 v0.${KUBERNETES#1.}#p" "$manifest"
} >go.mod
flags="-s -w -X k8s.io/component-base/version.gitVersion=v$KUBERNETES"
for program in kube-apiserver kubectl; do
  say "  $program, $(($(date +%s) - began)) s so far"
  "$go" build -ldflags "$flags" -o "$work/bin/$program" "k8s.io/kubernetes/cmd/$program" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; say "building $program failed; set KUBEBUILDER_ASSETS to a folder that has it"; exit 1; }
done
cd "$work/etcd"
say "  etcd, $(($(date +%s) - began)) s so far"
{
  printf 'module etcd\n\ngo 1.26\n' >go.mod
  "$go" get "go.etcd.io/etcd/server/v3@v$ETCD"
  "$go" build -ldflags '-s -w' -o "$work/bin/etcd" go.etcd.io/etcd/server/v3
} >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; say 'building etcd failed; set KUBEBUILDER_ASSETS to a folder that has it'; exit 1; }
mkdir -p "$CACHE"
mv "$work"/bin/* "$CACHE/"
say "the API server is in $CACHE, after $(($(date +%s) - began)) s"
echo "$CACHE"
