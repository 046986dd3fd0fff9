import assert from 'node:assert/strict';
import { Keyring } from '../../../keys/keyring.ts';
import { nodeFolders } from '../../../lab/nodes/folder.ts';
import { keysFolder } from '../../../operator/agent/folders.ts';
import { KINDS } from '../rotation/schedule.ts';
import { answerByCharon, ipsecKeys } from './crowd-ipsec.ts';
import type { Mesh } from './mesh.ts';
import type { View } from './view.ts';

export const ipsec: View = {
  encryption: 'ipsec',
  handshakesTellTime: false,
  faults: ['charon killed', ...KINDS],
  mtu: 1418,
  publicKey: async (mesh, node) => keyOf(mesh, node).publicKey,
  async privateKeys(mesh, node) {
    const bytes = keyOf(mesh, node).privateKey.bytes();
    return [Buffer.from(bytes).toString('base64'), Buffer.from(bytes).toString('hex')];
  },
  async peers(mesh, node) {
    const routes = await mesh.on(node, 'ip route show table 51830 dev sheath1').catch(() => '');
    const through = new Set([...routes.matchAll(/^(10\.24[45]\.\d+)\.0\/24 /gm)].map(([, prefix]) => prefix));
    return through.size;
  },
  async sessions(mesh, node) {
    const states = await statesOf(mesh, node);
    return states
      .map(({ from, to, spi, reqid }) => `${from} ${to} ${spi} ${reqid}\n`)
      .sort()
      .join('');
  },
  async assertPeers(mesh) {
    assert.match(await mesh.on('n1', 'ip -d link show sheath1'), /xfrm if_id 0x73680001/);
    const states = await statesOf(mesh, 'n1');
    const others = ['192.0.2.12', '192.0.2.13'];
    for (const other of others)
      for (const ends of [`192.0.2.11 ${other}`, `${other} 192.0.2.11`])
        assert.ok(
          states.some(({ from, to }) => `${from} ${to}` === ends),
          `a state for ${ends}`,
        );
    const sas = await mesh.on('n1', `swanctl --list-sas --raw --uri unix://${viciOf(mesh, 'n1')}`);
    for (const other of others) assert.match(sas, new RegExp(`remote-host=${other.replaceAll('.', '\\.')} `));
    const spis = new Set(
      [...sas.matchAll(/spi-in=([0-9a-f]+) spi-out=([0-9a-f]+)/g)].flatMap(([, a, b]) => [a, b]),
    );
    assert.deepEqual([...spis].sort(), states.map(({ spi }) => spi.replace('0x', '')).sort());
    const { items } = await ipsec.held(mesh, 'n1');
    const from = (prefix: string) => items.some((item) => item.startsWith(`in ${prefix} `));
    for (const prefix of ['10.244.2.0/24', '192.0.2.12/32', '2001:db8::12/128', 'fd00:10:244:2::/64'])
      assert.ok(from(prefix), `a policy for what comes from ${prefix}`);
    assert.ok(!from('10.244.1.0/24'));
  },
  async held(mesh, node) {
    const received = new Map<string, number>();
    for (const { from, to, bytes } of await statesOf(mesh, node))
      if (to === addressOf(mesh, node)) received.set(from, (received.get(from) ?? 0) + bytes);
    return { items: await policiesOf(mesh, node), received };
  },
  keys: ipsecKeys,
  answer: answerByCharon,
};

function keyOf(mesh: Mesh, node: string) {
  const [key] = Keyring.open(keysFolder(nodeFolders(mesh.lab, node).state)).list();
  assert.ok(key);
  return key;
}

const viciOf = (mesh: Mesh, node: string): string => `${nodeFolders(mesh.lab, node).run}/ipsec/charon.vici`;

const addressOf = (mesh: Mesh, node: string): string | undefined =>
  mesh.lab.topology.members.find(({ name }) => name === node)?.addresses[0];

interface State {
  readonly from: string;
  readonly to: string;
  readonly spi: string;
  readonly reqid: string;
  readonly bytes: number;
}

/** By ip-xfrm(8). */
async function statesOf(mesh: Mesh, node: string): Promise<readonly State[]> {
  const blocks = (await mesh.on(node, 'ip -s xfrm state')).split(/^(?=src )/m);
  return blocks.flatMap((block) => {
    const ends = /^src (\S+) dst (\S+)\n\s+proto esp spi (0x[0-9a-f]+)\(\d+\) reqid (\d+)/.exec(block);
    if (ends === null) return [];
    const [, from = '', to = '', spi = '', reqid = ''] = ends;
    const bytes = Number(/lifetime current:\s+(\d+)\(bytes\)/.exec(block)?.[1] ?? 0);
    return [{ from, to, spi, reqid, bytes }];
  });
}

/** `in 10.244.2.0/24 0.0.0.0/0 tmpl src 0.0.0.0 dst 0.0.0.0 reqid 1073741824`. */
async function policiesOf(mesh: Mesh, node: string): Promise<readonly string[]> {
  const blocks = (await mesh.on(node, 'ip xfrm policy')).split(/^(?=src )/m);
  return blocks.flatMap((block) => {
    const [, source, destination, direction] = /^src (\S+) dst (\S+).*\n\s+dir (\w+)/.exec(block) ?? [];
    const templates = [...block.matchAll(/tmpl src (\S+) dst (\S+)\n\s+proto esp.* reqid (\d+)/g)];
    if (direction === undefined || templates.length === 0) return [];
    const ways = templates.map(([, from, to, reqid]) => `${from} ${to} ${reqid}`);
    return [`${direction} ${source} ${destination} ${ways.join(' ')}`];
  });
}
