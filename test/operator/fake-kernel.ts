/**
 * A kernel that several data planes may open one after the other, and several of which may reach each other. It takes the whole
 * plan as wanted, counts what it had to write, and makes a handshake as soon as both ends know each other's key.
 */

import { ed25519PublicKey } from '../../keys/ed25519.ts';
import type { PublicKey } from '../../keys/generation.ts';
import type { MeshPlan, Observation } from '../../mesh/types.ts';
import type {
  Change,
  Dataplane,
  DataplaneError,
  DesiredState,
  Part,
  Report,
} from '../../tunnels/dataplane.ts';

interface FakePeer extends Pick<Observation, 'device' | 'generation' | 'endpoint'> {
  readonly since: number;
}

export class FakeNetwork {
  readonly kernels: FakeKernel[] = [];
}

export class FakeKernel {
  /** `part what`, as it would be listed. */
  readonly items = new Set<string>();
  readonly writes: Change[] = [];
  readonly #network: FakeNetwork;
  peers = new Map<PublicKey, FakePeer>();
  /** By generation. */
  ownKeys = new Map<number, PublicKey>();
  /** Played by a test: whoever has its key as a peer gets a handshake. */
  welcomes = false;
  errors: DataplaneError[] = [];
  onChange: (what: string) => void = () => {};

  constructor(network: FakeNetwork) {
    this.#network = network;
    network.kernels.push(this);
  }

  /** What somebody else's hand does. */
  lose(match: RegExp): void {
    for (const item of this.items) if (match.test(item)) this.items.delete(item);
    if (![...this.items].some((item) => item.startsWith('device'))) this.reboot();
    this.onChange('something of ours');
  }

  reboot(): void {
    this.items.clear();
    this.peers.clear();
    this.ownKeys.clear();
  }

  listed(part: Part): string[] {
    return [...this.items].filter((item) => item.startsWith(`${part} `)).sort();
  }

  handshakeWith(key: PublicKey): number | undefined {
    const peer = this.peers.get(key);
    if (peer === undefined) return undefined;
    const other = this.#network.kernels.find(({ ownKeys }) => [...ownKeys.values()].includes(key));
    const ours = this.ownKeys.get(peer.generation);
    if (other === undefined || ours === undefined) return undefined;
    const back = other.welcomes ? peer : other.peers.get(ours);
    return back === undefined ? undefined : Math.max(peer.since, back.since);
  }
}

export function fakeDataplane(kernel: FakeKernel): Dataplane {
  return {
    async set(desired) {
      const changes = difference(kernel, desired);
      kernel.writes.push(...changes);
      apply(kernel, desired, changes);
      return report(kernel, desired.plan, changes);
    },
    preview: async (desired) => difference(kernel, desired),
    observe: async () => observations(kernel),
    watch(onChange, signal) {
      kernel.onChange = onChange;
      signal.addEventListener('abort', () => {
        kernel.onChange = () => {};
      });
    },
    close: async () => {},
  };
}

function wantedItems({ plan, routes }: DesiredState): Set<string> {
  return new Set([
    ...plan.devices.map(
      (device) => `device ${device.name} generation ${device.generation} port ${device.port}`,
    ),
    ...plan.peers.flatMap((peer) =>
      peer.links.map((link) => `peer ${peer.node} ${link.publicKey} allowed ${peer.allowedIPs.join(',')}`),
    ),
    ...routes.routes.map((route) => `route ${route.prefix} ${route.action.type} table ${route.table}`),
    ...routes.rules.map((rule) => `rule ${JSON.stringify(rule)}`),
  ]);
}

function difference(kernel: FakeKernel, desired: DesiredState): Change[] {
  const wanted = wantedItems(desired);
  const change =
    (action: Change['action']) =>
    (item: string): Change => {
      const [part = ''] = item.split(' ');
      return { part: part as Part, action, what: item };
    };
  return [
    ...[...wanted].filter((item) => !kernel.items.has(item)).map(change('add')),
    ...[...kernel.items].filter((item) => !wanted.has(item)).map(change('remove')),
  ];
}

function apply(kernel: FakeKernel, { plan, privateKey }: DesiredState, changes: readonly Change[]): void {
  for (const { action, what } of changes) {
    if (action === 'add') kernel.items.add(what);
    else kernel.items.delete(what);
  }
  kernel.ownKeys = new Map(
    plan.devices.map(({ generation, driver }) => {
      const secret = privateKey(generation);
      return [generation, driver === 'ipsec' ? ed25519PublicKey(secret) : secret.publicKey()];
    }),
  );
  const links = plan.peers.flatMap(({ endpoint, links }) => links.map((link) => ({ ...link, endpoint })));
  for (const { publicKey, generation, device, endpoint: address, port } of links) {
    if (kernel.peers.has(publicKey)) continue;
    kernel.peers.set(publicKey, { generation, device, endpoint: { address, port }, since: Date.now() });
  }
  const keys = new Set(links.map((link) => link.publicKey));
  for (const key of kernel.peers.keys()) if (!keys.has(key)) kernel.peers.delete(key);
}

function report(kernel: FakeKernel, plan: MeshPlan, changes: readonly Change[]): Report {
  const devices = plan.devices.map(({ name, generation, port }) => ({
    name,
    generation,
    port,
    mtu: 1420,
    implementation: 'kernel' as const,
  }));
  return { changes, errors: kernel.errors, devices, pending: [] };
}

function observations(kernel: FakeKernel): readonly Observation[] {
  return [...kernel.peers].map(([publicKey, { since: _, ...peer }]) => {
    const lastHandshake = kernel.handshakeWith(publicKey);
    return {
      ...peer,
      publicKey,
      receivedBytes: 0,
      sentBytes: 0,
      ...(lastHandshake === undefined ? {} : { lastHandshake }),
    };
  });
}
