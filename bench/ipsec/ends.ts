/**
 * The other ends: one charon in a network namespace of its own that answers as each of N nodes, at its address and with its key. It holds one
 * connection a node, and is the same whoever initiates.
 */
import { writeFileSync } from 'node:fs';
import type { PublicKey } from '../../keys/generation.ts';
import type { Address, PeerPlan } from '../../mesh/types.ts';
import { connectionOf } from '../../tunnels/ipsec/connection.ts';
import { privateKeyDer } from '../../tunnels/ipsec/key-encoding.ts';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { ViciClient } from '../../tunnels/ipsec/vici/client.ts';
import { addressesOf, nodeName, SELF } from '../cluster.ts';
import { sh } from '../machine.ts';
import { CharonProcess } from './charon-process.ts';
import { GENERATION, ipsecPrivateKey, ipsecPublicKey } from './cluster.ts';

const NETNS = 'ends';
const MARK = { mark: 0x1000, mask: 0x1000 };

/** This node's device to the others, and theirs with all their addresses. */
export function addEnds(count: number): void {
  const [v4, v6] = addressesOf(SELF);
  sh(`ip netns add ${NETNS}
      ip link add underlay type veth peer name ends netns ${NETNS}
      ip link set underlay mtu 1500 up
      ip -n ${NETNS} link set ends up; ip -n ${NETNS} link set lo up
      ip address add ${v4}/16 dev underlay
      ip -6 address add ${v6}/64 dev underlay nodad`);
  const lines = Array.from({ length: count }, (_, index) => {
    const [peer4, peer6] = addressesOf(SELF + 1 + index);
    return `address add ${peer4}/16 dev ends\naddress add ${peer6}/64 dev ends nodad\n`;
  });
  const batch = '/tmp/ends.batch';
  writeFileSync(batch, lines.join(''));
  sh(`ip -n ${NETNS} -batch ${batch}`);
}

export function removeEnds(): void {
  sh(`ip link del underlay; ip netns del ${NETNS}`);
}

/** To them all of us come from one address, which in a mesh nobody does. */
const UNLIMITED =
  'charon {\n  cookie_threshold = 100000\n  cookie_threshold_ip = 100000\n  block_threshold = 100000\n}\n';

export class Ends {
  readonly #charon: CharonProcess;
  readonly #count: number;

  constructor(folder: string, count: number) {
    this.#charon = new CharonProcess({ folder, netns: NETNS, more: UNLIMITED });
    this.#count = count;
  }

  get pid(): number {
    return this.#charon.pid;
  }

  /** Without any session, whatever there was before. @param key ours */
  async start(key = ipsecPublicKey(SELF)): Promise<void> {
    await this.#charon.kill();
    sh(`ip -n ${NETNS} xfrm state flush; ip -n ${NETNS} xfrm policy flush`);
    await this.#charon.start();
    const client = new ViciClient({ socket: this.#charon.socket, timeout: 60_000 });
    for (let i = SELF + 1; i <= SELF + this.#count; i += 1) {
      await client.request('load-key', { type: 'ed25519', data: privateKeyDer(ipsecPrivateKey(i)) });
      await client.request('load-conn', connectionAt(i, key));
    }
    client.close();
  }

  stop(): Promise<void> {
    return this.#charon.kill();
  }
}

/** The connection of node `i` to us, in the slot that is used first. */
function connectionAt(i: number, publicKey: PublicKey) {
  const [local] = addressesOf(i);
  const [endpoint] = addressesOf(SELF);
  const link = {
    generation: GENERATION,
    device: 'sheath1' as const,
    driver: 'ipsec' as const,
    publicKey,
    port: 0,
  };
  const peer: PeerPlan = {
    node: nodeName(SELF),
    uid: '',
    endpoint: endpoint as Address,
    links: [link],
    allowedIPs: [],
    prefixes: [],
    addresses: [],
  };
  const ends = { self: nodeName(i), ownKey: ipsecPublicKey(i), local: local as Address, peer, link };
  const { name, message } = connectionOf({
    ...ends,
    slot: 'a',
    mark: MARK,
    reqid: i,
    settings: DEFAULT_IPSEC,
  });
  const connection = message[name];
  if (typeof connection !== 'object') throw new Error('a connection without content');
  return { [`end-${i}`]: connection };
}
