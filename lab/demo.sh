#!/bin/sh
# npm run demo: sets up what is missing, then shows the mesh at work in about a minute. As root: it makes network namespaces.
# npm run demo -- --encryption ipsec: the same with IPsec; where this kernel has none for it, in user-mode Linux, which is slower.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
sh test/setup/packages.sh wg=wireguard-tools wireguard-go=wireguard-go nft=nftables ip=iproute2 tcpdump=tcpdump \
  mount=mount env=coreutils update-ca-certificates=ca-certificates
kernel=
case " $* " in
  *ipsec*)
    sh test/setup/packages.sh charon-systemd=charon-systemd unshare=util-linux setpriv=util-linux taskset=util-linux \
      /usr/lib/ipsec/plugins/libstrongswan-openssl.so=libstrongswan-standard-plugins \
      /usr/lib/ipsec/plugins/libstrongswan-error-notify.so=libcharon-extra-plugins
    if ! unshare --net ip link add probe type xfrm if_id 1 2>/dev/null; then
      sh test/setup/packages.sh /bin/busybox=busybox-static
      kernel=$(sh test/setup/kernel.sh | tail -n 1)
    fi
    ;;
esac
sh test/setup/node.sh
PATH=$PWD/node_modules/.bin:$PATH
export PATH
node bundle.mjs >/dev/null
set -- node --conditions=source --disable-warning=ExperimentalWarning lab/demo.ts "$@"
[ -n "$kernel" ] || exec "$@"
echo "This kernel has no XFRM interfaces, which IPsec takes: the demo runs in user-mode Linux ($(basename "$kernel"))."
UML_KERNEL=$kernel UML_MEM=2G exec test/kernel/uml-run env PATH="$PATH" HOME="${HOME:-/root}" "$@"
