/**
 * The other ends of the tunnels of a mesh of simulated nodes: a WireGuard device for each node and generation, which answers handshakes.
 * Run in a network namespace of its own, with a channel to whoever started it.
 */
import { execFileSync } from 'node:child_process';
import { KernelWireGuard, PrivateKey, parsePublicKey } from 'wireguard-tools-wrapper';
import { nodeName } from './cluster.ts';

export type Ask =
  /** Devices of the nodes `from` to `to` - 1. */
  | { readonly ask: 'create'; readonly generation: number; readonly from: number; readonly to: number }
  /** The one that they speak with. */
  | { readonly ask: 'meet'; readonly generation: number; readonly publicKey: string };
/** Public keys by number of the node; empty for `meet`. */
export type Told = Readonly<Record<number, string>>;

/** One a node and generation: they share an address space. */
export function portOf(i: number, generation: number): number {
  return 20_000 + (generation % 2) * 20_000 + i;
}

const wireguard = new KernelWireGuard();
const created = new Map<number, readonly number[]>();

function deviceOf(i: number, generation: number): string {
  return `${nodeName(i)}-${generation}`;
}

async function create({ generation, from, to }: Ask & { ask: 'create' }): Promise<Told> {
  const numbers = Array.from({ length: to - from }, (_, index) => from + index);
  const names = numbers.map((i) => deviceOf(i, generation));
  batch(names.map((name) => `link add ${name} type wireguard`));
  const told: Record<number, string> = {};
  for (const i of numbers) {
    const privateKey = PrivateKey.generate();
    await wireguard.set(deviceOf(i, generation), { privateKey, listenPort: portOf(i, generation) });
    told[i] = privateKey.publicKey();
  }
  // Not before: a device that goes up without a port takes any, perhaps another's.
  batch(names.map((name) => `link set ${name} up`));
  created.set(generation, numbers);
  return told;
}

function batch(lines: readonly string[]): void {
  execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') });
}

async function meet({ generation, publicKey }: Ask & { ask: 'meet' }): Promise<Told> {
  const peer = { publicKey: parsePublicKey(publicKey), allowedIps: ['10.64.1.0/24'] };
  for (const i of created.get(generation) ?? [])
    await wireguard.set(deviceOf(i, generation), { peers: [peer] });
  return {};
}

process.on('message', (ask: Ask) => {
  void (ask.ask === 'create' ? create(ask) : meet(ask)).then((told) => process.send?.(told));
});
process.on('disconnect', () => process.exit());
