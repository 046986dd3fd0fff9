#!/bin/sh
# npm run demo: sets up what is missing, then shows the mesh at work in about a minute. As root: it makes network namespaces.
# npm run demo -- --encryption ipsec: the same with IPsec.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
sh test/setup/packages.sh wg=wireguard-tools wireguard-go=wireguard-go nft=nftables ip=iproute2 tcpdump=tcpdump \
  mount=mount env=coreutils update-ca-certificates=ca-certificates
case " $* " in
  *ipsec*) sh test/setup/packages.sh charon-systemd=charon-systemd \
    /usr/lib/ipsec/plugins/libstrongswan-openssl.so=libstrongswan-standard-plugins ;;
esac
sh test/setup/node.sh
PATH=$PWD/node_modules/.bin:$PATH
export PATH
node bundle.mjs >/dev/null
exec node --conditions=source --disable-warning=ExperimentalWarning lab/demo.ts "$@"
