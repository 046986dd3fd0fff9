import { join } from 'node:path';
import { ed25519PublicKey } from '../../../../keys/ed25519.ts';
import type { PublicKey } from '../../../../keys/generation.ts';
import type { DeviceName, PeerPlan } from '../../../../mesh/types.ts';
import { connectionName, interfaceId, requestId } from '../../../../tunnels/ipsec/connection.ts';
import { charonKeyId } from '../../../../tunnels/ipsec/key-encoding.ts';
import { ViciClient } from '../../../../tunnels/ipsec/vici/client.ts';
import { listAt } from '../../../../tunnels/ipsec/vici/message.ts';
import type { Xfrm } from '../../../../tunnels/ipsec/xfrm/types.ts';
import { openXfrm } from '../../../../tunnels/ipsec/xfrm/xfrm.ts';
import { ipsecDesired } from '../../../kernel/ipsec/shape.ts';
import { folder, ip } from '../place.ts';
import type { DriverUnderTest } from './driver.ts';

const charon = join(folder, 'ipsec');

async function withCharon<T>(task: (client: ViciClient) => Promise<T>): Promise<T> {
  const client = new ViciClient({ socket: join(charon, 'charon.vici') });
  try {
    return await task(client);
  } finally {
    client.close();
  }
}

async function withXfrm<T>(task: (xfrm: Xfrm) => Promise<T>): Promise<T> {
  const xfrm = openXfrm();
  try {
    return await task(xfrm);
  } finally {
    xfrm.close();
  }
}

const generationOf = (device: DeviceName) =>
  Number(/sheath generation (\d+)/.exec(ip(`link show ${device}`))?.[1]);
const deviceLine = (device: DeviceName, id: number) => `device ${device} if_id 0x${id.toString(16)}`;
const policyLine = (direction: string, prefix: string, of: { id: number; reqids: readonly number[] }) =>
  `policy ${direction} ${prefix} if_id 0x${of.id.toString(16)} by ${of.reqids.join(',')}`;

function linkLines(peer: PeerPlan, generation: number, key: PublicKey): string[] {
  const first = requestId(generation, peer.node, key);
  const of = { id: interfaceId(generation), reqids: [first, first + 1] };
  return [
    `connection ${connectionName(generation, 'a', peer.node)}`,
    // Nothing is sent as long as there is no session.
    ...peer.allowedIPs.flatMap((prefix) => [policyLine('in', prefix, of), policyLine('fwd', prefix, of)]),
  ];
}

export const ipsec: DriverUnderTest = {
  name: 'ipsec',
  title: "charon and the kernel's ESP",
  implementation: 'kernel',
  mtu: { 1500: 1418, 9000: 8918 },
  options: { ipsec: { folder: charon } },
  desired: (shape, more = {}) => ({ ...ipsecDesired(shape), ...more }),
  expected: ({ plan, privateKey }) =>
    plan.devices.flatMap(({ name, generation }) => [
      deviceLine(name, interfaceId(generation)),
      `key ${charonKeyId(ed25519PublicKey(privateKey(generation)))}`,
      ...plan.peers.flatMap((peer) =>
        peer.links
          .filter((link) => link.generation === generation)
          .flatMap(({ publicKey }) => linkLines(peer, generation, publicKey)),
      ),
    ]),
  async actual(device) {
    const generation = generationOf(device);
    const id = Number(/if_id (0x[0-9a-f]+)/.exec(ip(`-d link show ${device}`))?.[1]);
    const policies = await withXfrm((xfrm) => xfrm.policies((one) => one === id));
    const { connections, keys } = await withCharon(async (client) => ({
      connections: listAt(await client.request('get-conns'), 'conns'),
      keys: listAt(await client.request('get-keys'), 'keys'),
    }));
    // The key of each generation is named with its device, and so the keys of all with each: the first tells them.
    const told = device === 'sheath1' || !/ sheath1[:@]/.test(ip('-o link')) ? keys : [];
    return [
      deviceLine(device, id),
      ...told.map((key) => `key ${key}`),
      ...connections
        .filter((name) => name.startsWith(`sheath-${generation}-a-`))
        .map((name) => `connection ${name}`),
      ...policies.map(({ direction, prefix, reqids }) => policyLine(direction, prefix, { id, reqids })),
    ];
  },
  async peers(device) {
    const generation = generationOf(device);
    const names = await withCharon(async (client) => listAt(await client.request('get-conns'), 'conns'));
    return names.filter((name) => name.startsWith(`sheath-${generation}-a-`)).length;
  },
  repairs: 2,
  async meddle() {
    await withCharon((client) => client.request('unload-conn', { name: 'sheath-7-a-n2' }));
    ip('xfrm policy delete src 10.244.3.0/24 dst 0.0.0.0/0 dir fwd if_id 0x73680007');
  },
};
