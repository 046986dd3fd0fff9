#!/bin/sh
# Installs what is missing of the programs and files named: packages.sh COMMAND=DEBIAN-PACKAGE FILE=DEBIAN-PACKAGE ...
# Looks for the command, not for the package: on another distribution whoever has the programs needs nothing from here.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
missing= packages=
for pair in "$@"; do
  command -v "${pair%%=*}" >/dev/null 2>&1 && continue
  case ${pair%%=*} in /*) [ ! -e "${pair%%=*}" ] || continue ;; esac
  missing="$missing ${pair%%=*}"
  case " $packages " in *" ${pair#*=} "*) ;; *) packages="$packages ${pair#*=}" ;; esac
done
[ -n "$missing" ] || exit 0

install="apt-get install --yes --no-install-recommends$packages"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "set-up: missing programs:$missing (on Debian: $install); install them and try again" >&2
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "set-up: missing programs:$missing; as root: $install" >&2
  exit 1
fi
echo "set-up: installing$packages" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Without recommendations: wireguard-tools alone would bring a whole kernel.
# shellcheck disable=SC2086
if ! { apt-get update && apt-get install --yes --no-install-recommends $packages; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "set-up: apt-get could not install$packages; install them by hand and try again" >&2
  exit 1
fi
