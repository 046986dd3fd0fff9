/** Members of a crowd on IPsec: one charon, with a connection for each of them and each who may ask. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { PrivateKey, parsePublicKey } from 'wireguard-tools-wrapper/keys';
import { exited } from '../../../lab/processes.ts';
import { parseAddress } from '../../../mesh/address.ts';
import type { Address, PeerLink, PeerPlan } from '../../../mesh/types.ts';
import { connectionOf } from '../../../tunnels/ipsec/connection.ts';
import { privateKeyDer } from '../../../tunnels/ipsec/key-encoding.ts';
import { DEFAULT_IPSEC } from '../../../tunnels/ipsec/settings.ts';
import { strongswanConf } from '../../../tunnels/ipsec/strongswan-conf.ts';
import { ViciClient } from '../../../tunnels/ipsec/vici/client.ts';
import type { Message } from '../../../tunnels/ipsec/vici/message.ts';
import type { Honest } from '../../operator/bad-records.ts';
import type { Crowd, KeyPair, Member } from './crowd.ts';

const MARK = { mark: 0x1000, mask: 0x1000 };
const SLOTS = ['a', 'b'] as const;
/** Milliseconds. */
const STARTED_WITHIN = 30_000;

export function ipsecKeys(): KeyPair {
  const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const [publicKey = '', privateKey = ''] = [x, d].map((text) =>
    Buffer.from(text, 'base64url').toString('base64'),
  );
  return { driver: 'ipsec', publicKey, privateKey };
}

/** The result ends it. */
export async function answerByCharon({
  netns,
  folder,
  members,
  agents,
}: Crowd): Promise<() => Promise<void>> {
  const home = `${folder}/crowd`;
  await mkdir(home);
  const socket = `${home}/charon.vici`;
  const conf = strongswanConf({
    ...{ socket, fwmark: MARK.mark, ports: { ike: 500, natt: 4500 } },
  });
  await writeFile(`${home}/strongswan.conf`, conf);
  const child = spawn('ip', ['netns', 'exec', netns, 'charon-systemd'], {
    env: { ...process.env, STRONGSWAN_CONF: `${home}/strongswan.conf` },
    stdio: 'ignore',
  });
  const client = new ViciClient({ socket });
  try {
    await untilListening(client);
    for (const member of members) await load(client, member, agents);
  } finally {
    client.close();
  }
  return async () => {
    child.kill('SIGKILL');
    await exited(child);
  };
}

async function untilListening(client: ViciClient): Promise<void> {
  const deadline = performance.now() + STARTED_WITHIN;
  const listens = () =>
    client.request('version').then(
      () => true,
      () => false,
    );
  while (!(await listens())) {
    if (performance.now() > deadline) throw new Error('the charon of the crowd does not listen');
    await sleep(50);
  }
}

async function load(client: ViciClient, self: Member, agents: readonly Honest[]): Promise<void> {
  const data = privateKeyDer(PrivateKey.parse(self.privateKey));
  await client.request('load-key', { type: 'ed25519', data });
  for (const agent of agents)
    for (const slot of SLOTS) await client.request('load-conn', connection(self, agent, slot));
}

let requestIds = 0;

function connection(self: Member, agent: Honest, slot: 'a' | 'b'): Message {
  const link: PeerLink = {
    ...{ generation: self.generation, publicKey: parsePublicKey(agent.publicKey), port: 0 },
    device: 'sheath1',
    driver: 'ipsec',
  };
  const peer: PeerPlan = {
    ...{ node: agent.name, uid: '', links: [link], endpoint: addressOf(agent) },
    ...{ allowedIPs: [], prefixes: [], addresses: [] },
  };
  requestIds += 1;
  const { name, message } = connectionOf({
    ...{ self: self.name, ownKey: parsePublicKey(self.publicKey), local: addressOf(self), peer, link },
    ...{ slot, mark: MARK, reqid: requestIds, settings: DEFAULT_IPSEC },
  });
  // All of them in one charon: a name each.
  return { [`${self.name}-${slot}-${agent.name}`]: message[name] ?? {} };
}

function addressOf({ address }: Honest): Address {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new Error(`${address} is no address`);
  return parsed;
}
