/**
 * A node between a pod of its own and the rest of the world, each a network namespace, and packets without a tunnel between them.
 *
 *   pod 10.244.1.2 ── pod0 [ node 192.0.2.1 ] under0 ── wire: node 192.0.2.2, pod 10.244.2.2, 192.0.2.99, 198.51.100.9
 *
 * The node is the namespace of the test. IPv6 alike. Whatever is sent to a wrong place is sent all the same: who stops it is the question.
 */
import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  execFileSync,
  spawn,
} from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../../tunnels/parts.ts';
import { ip, ipQuietly, makeUnderlay, removeUnderlay } from './machine.ts';

const PLACES = ['node', 'pod', 'wire'] as const;
export type Place = (typeof PLACES)[number];

/** One UDP datagram. */
export interface Probe {
  readonly at: Place;
  readonly from: string;
  readonly sourcePort?: number;
  readonly to: string;
  /** How it is told from others where it arrives. */
  readonly port: number;
}

/** What others have besides the addresses of a pod and a node: an address that a pod only pretends to have, for one. */
const ADDRESSES: Readonly<Record<Exclude<Place, 'node'>, readonly string[]>> = {
  pod: ['10.244.1.2/32', 'fd00:10:244:1::2/128', '10.244.2.77/32', 'fd00:10:244:2::77/128', '192.0.2.98/32'],
  wire: [
    ...['10.244.2.2/32', 'fd00:10:244:2::2/128', '192.0.2.99/32', '2001:db8::99/128'],
    ...['198.51.100.9/32', '2001:db8:ffff::9/128'],
    ...['10.244.1.77/32', 'fd00:10:244:1::77/128', '10.244.1.78/32', 'fd00:10:244:1::78/128'],
  ],
};

const ROUTES = {
  node: [
    'route add 10.244.1.2 dev pod0',
    '-6 route add fd00:10:244:1::2 dev pod0',
    'route add default via 192.0.2.2 dev under0',
    '-6 route add default via 2001:db8::2 dev under0',
  ],
  pod: ['route add default dev pod1', '-6 route add default dev pod1'],
  wire: [
    'route add 10.244.1.0/24 via 192.0.2.1 dev under1',
    '-6 route add fd00:10:244:1::/64 via 2001:db8::1 dev under1',
  ],
};

/** Each namespace writes down the ports of what arrives; the node's only what is for itself. */
const WITNESS = (hook: string) =>
  `table inet witness { set seen { type inet_service; flags dynamic; size 65535; }
   chain seen { type filter hook ${hook} priority -500; udp dport 7000-7999 add @seen { udp dport }; }; }`;

type Holders = Readonly<Record<Exclude<Place, 'node'>, ChildProcess>>;

export class Neighbours {
  readonly #holders: Holders;
  readonly #senders = new Map<Place, ChildProcessWithoutNullStreams>();

  private constructor(holders: Holders) {
    this.#holders = holders;
  }

  static async create(): Promise<Neighbours> {
    await makeUnderlay();
    const neighbours = new Neighbours({ pod: await holder(), wire: await holder() });
    ip('link add pod0 type veth peer name pod1');
    for (const [link, place] of [
      ['pod1', 'pod'],
      ['under1', 'wire'],
    ] as const) {
      ip(`link set ${link} netns ${neighbours.#holders[place].pid}`);
    }
    neighbours.#settle();
    return neighbours;
  }

  /** Runs a program where that place is. */
  run(place: Place, program: string, ...args: readonly string[]): string {
    return execFileSync('nsenter', [...this.#enter(place), program, ...args], { encoding: 'utf8' });
  }

  /** @returns ports of the probes that arrived somewhere. */
  async send(probes: readonly Probe[]): Promise<ReadonlySet<number>> {
    await Promise.all(PLACES.map((place) => this.#nft(place, 'flush', 'set', 'inet', 'witness', 'seen')));
    for (const place of PLACES)
      await this.#sendAt(
        place,
        probes.filter(({ at }) => at === place),
      );
    await sleep(50);
    const seen = await Promise.all(
      PLACES.map(async (place) => {
        const text = await this.#nft(place, '-j', 'list', 'set', 'inet', 'witness', 'seen');
        const { nftables } = JSON.parse(text) as { nftables: { set?: { elem?: number[] } }[] };
        return nftables.flatMap(({ set }) => set?.elem ?? []);
      }),
    );
    return new Set(seen.flat());
  }

  /** While it runs, so does the event loop, and with it the dataplane under test. */
  #nft(place: Place, ...args: readonly string[]): Promise<string> {
    return runProgram('nsenter', [...this.#enter(place), 'nft', ...args]);
  }

  #enter(place: Place): string[] {
    const pid = place === 'node' ? process.pid : this.#holders[place].pid;
    return ['-t', String(pid), '-n'];
  }

  async #sendAt(place: Place, probes: readonly Probe[]): Promise<void> {
    if (probes.length === 0) return;
    const known = this.#senders.get(place);
    const sender = known ?? spawn('nsenter', [...this.#enter(place), process.execPath, '-e', SENDER]);
    this.#senders.set(place, sender);
    const sent = once(sender.stdout, 'data');
    sender.stdin.write(`${JSON.stringify(probes)}\n`);
    await sent;
  }

  close(): void {
    for (const one of [...Object.values(this.#holders), ...this.#senders.values()]) one.kill('SIGKILL');
    // It may have gone with the other end's namespace.
    ipQuietly('link del pod0');
    this.run('node', 'nft', 'delete table inet witness');
    removeUnderlay();
  }

  #settle(): void {
    this.run('node', 'sh', '-c', 'echo 0 >/proc/sys/net/ipv6/conf/pod0/accept_dad');
    ip('link set pod0 up');
    for (const key of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']) {
      this.run('node', 'sh', '-c', `echo 1 >/proc/sys/net/${key}`);
    }
    // What is not stopped by us must not be stopped by the kernel.
    for (const device of ['all', 'under0', 'pod0']) {
      this.run('node', 'sh', '-c', `echo 0 >/proc/sys/net/ipv4/conf/${device}/rp_filter`);
    }
    for (const [place, link] of [
      ['pod', 'pod1'],
      ['wire', 'under1'],
    ] as const) {
      const setUp = [
        'ip link set lo up',
        `echo 0 >/proc/sys/net/ipv6/conf/${link}/accept_dad`,
        `ip link set ${link} up`,
      ];
      for (const address of ADDRESSES[place]) setUp.push(`ip addr add ${address} dev ${link} nodad`);
      this.run(place, 'sh', '-ec', setUp.join('\n').replaceAll(/(\d+\.\d+\.\d+\.\d+\/32 .*) nodad/g, '$1'));
    }
    this.run(
      'wire',
      'sh',
      '-ec',
      'ip addr add 192.0.2.2/24 dev under1; ip addr add 2001:db8::2/64 dev under1 nodad',
    );
    ip('addr add 169.254.1.1/32 dev pod0');
    for (const [place, routes] of Object.entries(ROUTES)) {
      this.run(place as Place, 'sh', '-ec', routes.map((route) => `ip ${route}`).join('\n'));
      this.run(place as Place, 'nft', WITNESS(place === 'node' ? 'input' : 'prerouting'));
    }
    this.#introduce();
  }

  /** Who has which address is told by hand: to ask takes time, and a pod's gateway answers for the whole world. */
  #introduce(): void {
    const mac = (place: Place, link: string) =>
      (JSON.parse(this.run(place, 'ip', '-j', 'link', 'show', link)) as { address: string }[])[0]?.address ??
      '';
    const node = mac('node', 'pod0');
    const pod = mac('pod', 'pod1');
    const lines = (to: readonly string[], lladdr: string, dev: string) =>
      to.map((one) => `ip neigh replace ${one} lladdr ${lladdr} dev ${dev}`).join('\n');
    this.run('node', 'sh', '-ec', lines(['10.244.1.2', 'fd00:10:244:1::2'], pod, 'pod0'));
    this.run('pod', 'sh', '-ec', lines(FROM_POD, node, 'pod1'));
    for (const there of ['192.0.2.2', '192.0.2.99', '2001:db8::2', '2001:db8::99']) {
      this.run('node', 'ping', '-c', '1', '-W', '10', there);
    }
  }
}

const FROM_POD = [
  ...['10.244.2.2', '10.244.1.77', '192.0.2.1', '192.0.2.2', '192.0.2.99', '198.51.100.9', '203.0.113.1'],
  ...['fd00:10:244:2::2', '2001:db8::1', '2001:db8::2', '2001:db8::99', '2001:db8:ffff::9'],
];

/** A process that does nothing but hold a network namespace. */
async function holder(): Promise<ChildProcess> {
  const child = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

/** Sends all probes of a line, each from its own address, and says when that is done. */
const SENDER = `
  const { createSocket } = require('node:dgram');
  const send = ({ from, sourcePort = 0, to, port }) => new Promise((resolve) => {
    const socket = createSocket({ type: from.includes(':') ? 'udp6' : 'udp4', reuseAddr: true });
    const done = () => socket.close(resolve);
    socket.on('error', done);
    socket.bind({ address: from, port: sourcePort }, () => socket.send('sheath', port, to, done));
  });
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) =>
    Promise.all(JSON.parse(line).map(send)).then(() => console.log('sent')));
`;
