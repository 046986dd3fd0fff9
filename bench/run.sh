#!/bin/sh
# npm run bench: sets up what is missing, then measures. `npm run bench -- --help` says how to run a part.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
sh test/setup/packages.sh wg=wireguard-tools nft=nftables ip=iproute2 busybox=busybox-static unshare=util-linux \
  setpriv=util-linux taskset=util-linux xz=xz-utils iperf3=iperf3 tcpdump=tcpdump update-ca-certificates=ca-certificates \
  charon-systemd=charon-systemd swanctl=strongswan-swanctl \
  /usr/lib/ipsec/plugins/libstrongswan-openssl.so=libstrongswan-standard-plugins
sh test/setup/node.sh
PATH=$PWD/node_modules/.bin:$PATH
export PATH
exec node --disable-warning=ExperimentalWarning bench/main.ts "$@"
