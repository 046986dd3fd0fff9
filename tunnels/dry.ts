/** Doors that read the kernel and write nowhere: `preview` is a `set` behind them. */
import { type Device, type WireGuard, WireGuardError } from 'wireguard-tools-wrapper';
import type { Link, Netlink } from './netlink/types.ts';

/** Links made and removed here are so as far as the parts that need their index are concerned. */
export function dryNetlink(netlink: Netlink): Netlink {
  const imagined = new Map<string, Link>();
  const gone = new Set<string>();
  return {
    ...netlink,
    links: async () => {
      const real = (await netlink.links()).filter(({ name }) => !gone.has(name));
      const names = new Set(real.map(({ name }) => name));
      return [...real, ...[...imagined.values()].filter(({ name }) => !names.has(name))];
    },
    write: async (writes) => {
      for (const write of writes) {
        if (write.type === 'removeLink') gone.add(write.name);
        // wireguard-go makes its link by itself: what is set on a link shows as well that it is there.
        if (write.type === 'createLink' || write.type === 'setLink') {
          const link = imagined.get(write.name) ?? imaginedLink(write.name, imagined.size);
          imagined.set(write.name, { ...link, ...(write.type === 'setLink' ? write : {}) });
        }
      }
      return writes.map(() => undefined);
    },
  };
}

const imaginedLink = (name: string, count: number): Link => ({
  // Above what the kernel gives to any link.
  index: 0x7fff_ff00 + count,
  name,
  kind: 'wireguard',
  mtu: 0,
  up: false,
});

export function dryWireGuard(wireguard: WireGuard): WireGuard {
  return {
    interfaces: () => wireguard.interfaces(),
    show: async (name, options): Promise<Device> => {
      try {
        return await wireguard.show(name, options);
      } catch (error) {
        if (!(error instanceof WireGuardError)) throw error;
        return { name, listenPort: 0, fwmark: 0, peers: [] };
      }
    },
    set: async () => undefined,
    close: () => wireguard.close(),
  };
}
