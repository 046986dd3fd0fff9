import { KernelWireGuard, UserspaceWireGuard, type WireGuard } from 'wireguard-tools-wrapper';
import { desired, publicKey } from '../../states.ts';
import { socketDir, userspace } from '../place.ts';
import type { DriverUnderTest } from './driver.ts';

/** Another hand, with the library's own client. */
async function withWireGuard<T>(task: (wireguard: WireGuard) => Promise<T>): Promise<T> {
  const wireguard = userspace
    ? new UserspaceWireGuard({ socketDirectory: socketDir })
    : new KernelWireGuard();
  try {
    return await task(wireguard);
  } finally {
    wireguard.close();
  }
}

export const wireguard: DriverUnderTest = {
  name: 'wireguard',
  title: userspace ? 'wireguard-go' : "the kernel's WireGuard",
  implementation: userspace ? 'userspace' : 'kernel',
  mtu: { 1500: 1420, 9000: 8920 },
  options: { userspace: userspace ? 'always' : 'never', socketDir },
  desired,
  expected: ({ plan, privateKey }) =>
    plan.devices.flatMap(({ name, generation, port }) => [
      `device ${name} key ${privateKey(generation).publicKey()} port ${port} mark ${plan.routing.fwmark.mark}`,
      ...plan.peers.flatMap((peer) =>
        peer.links
          .filter((link) => link.generation === generation)
          .map((link) => {
            const allowed = [...peer.allowedIPs].sort().join(',');
            return `peer ${link.publicKey} dev ${name} to ${peer.endpoint}:${link.port} allows ${allowed}`;
          }),
      ),
    ]),
  actual: (name) =>
    withWireGuard(async (client) => {
      const device = await client.show(name);
      const peers = device.peers.map(({ publicKey, endpoint, allowedIps }) => {
        const allowed = [...allowedIps].sort().join(',');
        return `peer ${publicKey} dev ${name} to ${endpoint?.address}:${endpoint?.port} allows ${allowed}`;
      });
      const { listenPort, fwmark } = device;
      return [`device ${name} key ${device.publicKey} port ${listenPort} mark ${fwmark}`, ...peers];
    }),
  peers: (name) => withWireGuard(async (client) => (await client.show(name)).peers.length),
  repairs: 3,
  meddle: () =>
    withWireGuard((client) =>
      client.set('sheath1', {
        peers: [
          { publicKey: publicKey(207), remove: true },
          { publicKey: publicKey(307), updateOnly: true, removeAllowedIps: ['10.244.3.0/24'] },
          { publicKey: publicKey(999), allowedIps: ['10.77.0.0/24'] },
        ],
      }),
    ),
};
