#!/bin/sh
# npm test: sets up what is missing, then runs everything. `npm test -- --help` says how to run a part.
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ] && [ "${1:-}" != --help ]; then
  echo 'npm test: needs root, for network namespaces and packets on the wire (npm run check needs none): sudo npm test' >&2
  exit 1
fi
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
sh test/setup/packages.sh wg=wireguard-tools wireguard-go=wireguard-go nft=nftables ip=iproute2 iptables=iptables \
  tcpdump=tcpdump ping=iputils-ping ps=procps busybox=busybox-static unshare=util-linux setpriv=util-linux \
  taskset=util-linux xz=xz-utils iperf3=iperf3 update-ca-certificates=ca-certificates \
  charon-systemd=charon-systemd /usr/lib/ipsec/plugins/libstrongswan-openssl.so=libstrongswan-standard-plugins \
  /usr/lib/ipsec/plugins/libstrongswan-error-notify.so=libcharon-extra-plugins perl=perl-base
sh test/setup/node.sh
PATH=$PWD/node_modules/.bin:$PATH
export PATH
exec node --disable-warning=ExperimentalWarning test/runner/main.ts "$@"
