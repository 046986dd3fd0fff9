/** What may happen to a cluster, at random; and how it is done to the model. */
import fc from 'fast-check';
import type { Cluster } from './cluster.ts';
import type { Machine } from './machine.ts';

export interface Happening {
  readonly kind: Kind;
  /** Milliseconds until the next. */
  readonly pause: number;
  /** Whom it meets, where it meets one. */
  readonly node: number;
  /** Milliseconds, where it lasts. */
  readonly lasts: number;
}

/** After these, with nothing else, not a packet may be missing. */
const HARMLESS = [
  'rotate',
  'rotate twice',
  'other driver',
  'other driver twice',
  'switch on or off',
  'strict or permissive',
  'kill the agent',
  'cut from the API',
  'stale watch',
  'join',
] as const;

/** After these some are, and the mesh heals. */
const HARMFUL = [
  'partition',
  'reboot',
  'reboot with the clock an hour back',
  'clock set back',
  'down and passed over',
  'Node deleted',
  'Node deleted, back after three generations',
] as const;

export type Kind = (typeof HARMLESS)[number] | (typeof HARMFUL)[number];

export interface Schedule {
  readonly seed: number;
  readonly size: number;
  readonly happenings: readonly Happening[];
}

/**
 * `sparse`: pairs fall silent. Without switching off then, for a node that does not hear of that sends into a tunnel whose other end is
 * silent and gone.
 */
export type Sort = 'harmless' | 'sparse' | 'any';

const KINDS: Readonly<Record<Sort, readonly Kind[]>> = {
  harmless: HARMLESS,
  sparse: [
    ...HARMLESS.filter((kind) => kind !== 'switch on or off'),
    // What a silence could hide.
    'rotate',
    'kill the agent',
    'kill the agent',
  ],
  any: [...HARMLESS, ...HARMFUL],
};

export function schedules(what: Sort): fc.Arbitrary<Schedule> {
  const kinds = KINDS[what];
  const happening = fc.record({
    kind: fc.constantFrom(...kinds),
    pause: fc.oneof(fc.integer({ min: 0, max: 1_500 }), fc.integer({ min: 0, max: 25_000 })),
    node: fc.nat(9),
    lasts: fc.oneof(fc.integer({ min: 100, max: 6_000 }), fc.integer({ min: 100, max: 60_000 })),
  });
  return fc.record({
    seed: fc.nat(),
    size: fc.integer({ min: 3, max: 5 }),
    happenings: fc.array(happening, { minLength: 1, maxLength: 7 }),
  });
}

export async function happen(cluster: Cluster, { kind, node, lasts }: Happening): Promise<void> {
  await DEEDS[kind](cluster, cluster.machine(node), lasts);
}

function move({ api }: Cluster): void {
  const { encryption, generation } = api.wish;
  if (encryption === 'none') return;
  api.say({ encryption: encryption === 'ipsec' ? 'wireguard' : 'ipsec', generation: generation + 1 });
}

type Deed = (cluster: Cluster, machine: Machine, lasts: number) => void | Promise<void>;

const DEEDS: Readonly<Record<Kind, Deed>> = {
  rotate: ({ api }) => api.say({ generation: api.wish.generation + 1 }),
  'rotate twice': async (cluster) => {
    cluster.api.say({ generation: cluster.api.wish.generation + 1 });
    await cluster.run(50);
    cluster.api.say({ generation: cluster.api.wish.generation + 1 });
  },
  'other driver': move,
  'other driver twice': async (cluster) => {
    move(cluster);
    await cluster.run(50);
    move(cluster);
  },
  // On again with either at the number that it had, when all is off; else with the one that some still hold.
  'switch on or off': async (cluster, _machine, lasts) => {
    const { api, machines } = cluster;
    const held = machines.flatMap(({ agent }) => agent?.mesher.stance?.held ?? [])[0]?.driver;
    const either = lasts % 2 === 0 || !cluster.isOff() ? 'wireguard' : 'ipsec';
    if (api.wish.encryption === 'none') api.say({ encryption: held ?? either, mode: 'permissive' });
    else if (await doorsAreSaid(cluster)) api.say({ encryption: 'none', mode: 'permissive' });
  },
  // As `sheath enable --strict` does it: only when nobody says any more that he sends in clear.
  'strict or permissive': async (cluster) => {
    const { api } = cluster;
    if (api.wish.mode === 'strict') {
      if (await doorsAreSaid(cluster)) api.say({ mode: 'permissive' });
    } else if (
      api.wish.encryption !== 'none' &&
      (await cluster.until(() => cluster.saysEncrypted(), 20_000))
    ) {
      api.say({ mode: 'strict' });
    }
  },
  'kill the agent': ({ time }, machine, lasts) => {
    machine.killAgent();
    time.after(lasts, () => machine.up && machine.agent === undefined && machine.startAgent());
  },
  'cut from the API': (cluster, machine, lasts) => cluster.cutApi(machine, lasts),
  'stale watch': ({ api, time }, { name }, lasts) => {
    api.stale.set(name, time.now() + lasts);
  },
  join: (cluster) => {
    if (cluster.machines.length < 6) cluster.add();
  },
  partition(cluster, machine, lasts) {
    cluster.network.cut.add(machine.name);
    cluster.cutApi(machine, lasts);
    cluster.time.after(lasts, () => cluster.network.cut.delete(machine.name));
  },
  reboot: (cluster, machine, lasts) => reboot(cluster, machine, Math.min(lasts, 20_000)),
  'reboot with the clock an hour back'(cluster, machine, lasts) {
    machine.offset -= 3_600_000;
    reboot(cluster, machine, Math.min(lasts, 20_000));
  },
  'clock set back'(_cluster, machine) {
    machine.offset -= 3_600_000;
  },
  'down and passed over'(cluster, machine, lasts) {
    const { api } = cluster;
    api.say({ passOver: [machine.name], generation: api.wish.generation + 2 });
    reboot(cluster, machine, lasts);
  },
  'Node deleted'(cluster, machine, lasts) {
    machine.stop();
    if (cluster.api.has(machine.name)) cluster.api.remove(machine.name);
    cluster.time.after(lasts, () => back(machine));
  },
  async 'Node deleted, back after three generations'(cluster, machine) {
    const { api } = cluster;
    machine.stop();
    if (api.has(machine.name)) api.remove(machine.name);
    api.say({ generation: api.wish.generation + 3 });
    const done = () => cluster.isEncrypted(api.wish.generation) || api.wish.encryption === 'none';
    await cluster.until(done, 90_000);
    back(machine);
  },
};

/**
 * Nobody takes back strict mode before the nodes have said that they follow it: who shut his door and did not say so yet would drop what
 * others then send in clear. `sheath enable --strict` waits for it.
 */
function doorsAreSaid(cluster: Cluster): Promise<boolean> | boolean {
  return cluster.api.wish.mode === 'permissive' || cluster.until(() => cluster.followed(), 20_000);
}

function reboot({ time }: Cluster, machine: Machine, down: number): void {
  machine.stop();
  time.after(down, () => {
    if (machine.agent === undefined) machine.startAgent();
  });
}

function back(machine: Machine): void {
  if (!machine.api.has(machine.name)) machine.register();
  machine.startAgent();
}
