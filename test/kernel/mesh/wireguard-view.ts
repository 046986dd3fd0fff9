import assert from 'node:assert/strict';
import { KINDS } from '../rotation/schedule.ts';
import { answerByWireGuard, wireguardKeys } from './crowd-wireguard.ts';
import type { View } from './view.ts';

export const wireguard: View = {
  encryption: 'wireguard',
  handshakesTellTime: true,
  faults: KINDS,
  mtu: 1420,
  publicKey: async (mesh, node) => (await mesh.on(node, 'wg show sheath1 public-key')).trim(),
  privateKeys: async (mesh, node) => [(await mesh.on(node, 'wg show sheath1 private-key')).trim()],
  async peers(mesh, node) {
    const peers = await mesh.on(node, 'wg show sheath1 peers').catch(() => '');
    return peers.split('\n').filter((line) => line !== '').length;
  },
  async sessions(mesh, node) {
    const handshakes = await mesh.on(node, 'wg show sheath1 latest-handshakes');
    // They go on being made.
    return handshakes.replace(/\t\d+$/gm, '');
  },
  async assertPeers(mesh) {
    const [device, ...peers] = (await mesh.on('n1', 'wg show sheath1 dump'))
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    assert.equal(device?.[2], '51831', 'generation 1 listens on port 51830 + 1');
    assert.equal(device?.[3], '0x1000');
    const byEndpoint = new Map(peers.map((peer) => [peer[2], peer]));
    assert.deepEqual([...byEndpoint.keys()].sort(), ['192.0.2.12:51831', '192.0.2.13:51831']);
    const allowed = byEndpoint.get('192.0.2.12:51831')?.[3]?.split(',').sort();
    assert.deepEqual(allowed, ['10.244.2.0/24', '192.0.2.12/32', '2001:db8::12/128', 'fd00:10:244:2::/64']);
    for (const peer of peers) assert.ok(Number(peer[4]) > 0, 'a handshake was seen');
  },
  async held(mesh, node) {
    const dump = (await mesh.on(node, 'wg show sheath1 dump')).trim().split('\n').slice(1);
    const peers = dump.map((line) => line.split('\t'));
    return {
      items: peers.flatMap(([key, , endpoint, allowed = '', , , , keepalive]) => [
        `peer ${key} ${endpoint} ${keepalive}`,
        ...allowed.split(',').map((prefix) => `allowed ${key} ${prefix}`),
      ]),
      received: new Map(peers.map(([key = '', , , , , received]) => [key, Number(received)])),
    };
  },
  keys: wireguardKeys,
  async answer(crowd) {
    await answerByWireGuard(crowd);
    return async () => {};
  },
};
