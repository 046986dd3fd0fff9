/** Whatever is done to two worlds, in the same order and at the same pace: they look alike after each step. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Report } from '../../../tunnels/dataplane.ts';
import { slot, TRY_AGAIN } from './fates.ts';
import { keyOf, others, type Wanted, type World } from './world.ts';

export const SIZE = 3;
/** Numbers from one walk to the next, so that each begins with devices and keys that nobody knows. */
const APART = 10;

type Deed =
  | 'set'
  | 'send'
  | 'cut'
  | 'join'
  | 'delete device'
  | 'restart agent'
  | 'reboot'
  | 'back in time'
  | 'pass';

export interface Step {
  readonly deed: Deed;
  readonly node: number;
  /** Generations count from 0. */
  readonly wanted: Wanted;
  /** Milliseconds. */
  readonly lasts: number;
}

const nodes: fc.Arbitrary<readonly number[]> = fc.subarray([1, 2, 3]);
/** Mostly nobody. */
const few = fc.oneof(
  { weight: 3, arbitrary: fc.constant<readonly number[]>([]) },
  { weight: 1, arbitrary: nodes },
);

const wanted: fc.Arbitrary<Wanted> = fc
  .record({
    generations: fc.constantFrom<(readonly number[])[]>([], [0], [0], [0, 1], [0, 1], [1], [1, 2], [2]),
    oldest: fc.boolean(),
    unknown: few,
    unrouted: few,
    mode: fc.constantFrom('permissive' as const, 'strict' as const),
    restart: few,
    provoke: nodes,
    anew: few,
  })
  .map(({ generations, oldest, unknown, unrouted, anew, ...rest }) => ({
    ...rest,
    generations,
    ...(oldest && generations[0] !== undefined ? { routesOn: generations[0] } : {}),
    peers: [1, 2, 3].filter((n) => !unknown.includes(n)),
    routed: [1, 2, 3].filter((n) => !unrouted.includes(n) && !unknown.includes(n)),
    keys: Object.fromEntries(anew.map((n) => [n, 1])),
  }));

const DEEDS: readonly Deed[] = [
  ...(['set', 'set', 'set', 'set', 'set'] as const),
  ...(['send', 'cut', 'join', 'delete device', 'restart agent', 'reboot', 'back in time', 'pass'] as const),
];

export const walks: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    deed: fc.constantFrom(...DEEDS),
    node: fc.integer({ min: 1, max: SIZE }),
    wanted,
    lasts: fc.integer({ min: 0, max: 3_000 }),
  }),
  { minLength: 4, maxLength: 9 },
);

/** What both worlds show. */
interface View {
  readonly established: readonly string[];
  /** `n1 to n2: arrived, clear`. */
  readonly packets: readonly string[];
}

export class Walk {
  readonly #real: World;
  readonly #model: World;
  #first = 0;
  /** By which the model is behind. */
  #behind = 0;
  #told: string[] = [];
  readonly #cut = new Set<number>();

  constructor(parts: { real: World; model: World }) {
    this.#real = parts.real;
    this.#model = parts.model;
  }

  async go(steps: readonly Step[], nth: number): Promise<void> {
    this.#first = nth * APART;
    this.#told = [];
    this.#cut.clear();
    const begun = { generations: [this.#first] };
    for (const node of [1, 2, 3]) {
      await this.#both((world) => world.cut(node, false));
      await this.#both((world) => world.set(node, begun));
    }
    await this.#alike('at first');
    for (const step of steps) await this.#alike(tell(step), await this.#take(step));
  }

  async #take(step: Step): Promise<readonly (readonly string[])[]> {
    const { node, lasts, deed } = step;
    switch (deed) {
      case 'set':
        return this.#both(async (world) => pendingOf(await world.set(node, this.#wanted(step))));
      case 'cut':
      case 'join':
        if (deed === 'cut') this.#cut.add(node);
        else this.#cut.delete(node);
        return this.#both((world) => world.cut(node, deed === 'cut').then(nothing));
      case 'delete device':
        return this.#both((world) => world.deleteDevice(node, slot(lasts)).then(nothing));
      case 'restart agent':
        return this.#both((world) => world.restartAgent(node).then(nothing));
      case 'reboot':
        return this.#both((world) => world.reboot(node).then(nothing));
      case 'back in time':
        return this.#both((world) => world.reboot(node, 3_600_000).then(nothing));
      case 'send':
        return this.#both((world) => world.send(node, (node % SIZE) + 1).then(nothing));
      case 'pass':
        return this.#both((world) => world.pass(lasts).then(nothing));
    }
  }

  #wanted({ wanted: { generations, routesOn, peers = [], routed = [], ...rest }, node }: Step): Wanted {
    return {
      ...rest,
      generations: generations.map((n) => n + this.#first),
      ...(routesOn === undefined ? {} : { routesOn: routesOn + this.#first }),
      peers: peers.filter((n) => n !== node),
      routed: routed.filter((n) => n !== node),
    };
  }

  /** A try of a handshake may fall on this side of a look in one world and on that side in the other: then once more. */
  async #alike(what: string, answers: readonly (readonly string[])[] = []): Promise<void> {
    this.#told.push(what);
    assert.deepEqual(answers[0], answers[1], `real and model: ${this.#told.join('; ')}`);
    const [real, model] = await this.#both((world) => this.#look(world));
    if (same(real, model)) return;
    await this.#both((world) => world.pass(TRY_AGAIN).then(nothing));
    const [later, laterModel] = await this.#both((world) => this.#look(world));
    assert.deepEqual(later, laterModel, `real and model, ${this.#told.join('; ')}`);
  }

  async #look(world: World): Promise<View> {
    const packets: string[] = [];
    for (const from of [1, 2, 3])
      for (const to of others(from, SIZE)) {
        const { arrived, clear } = await world.send(from, to);
        // Who does not find a neighbour sends him nothing: whether he was found before is no matter of a mesh.
        const told = clear && !this.#cut.has(from) && !this.#cut.has(to);
        packets.push(`n${from} to n${to}:${arrived ? ' arrived' : ''}${told ? ' clear' : ''}`);
      }
    const established: string[] = [];
    for (const node of [1, 2, 3])
      for (const { generation, publicKey, lastHandshake } of await world.observe(node))
        if (lastHandshake !== undefined)
          established.push(`n${node} ${generation} ${this.#ownerOf(publicKey)}`);
    return { packets, established: established.sort() };
  }

  #ownerOf(key: string): string {
    for (const node of [1, 2, 3])
      for (const add of [0, 1, 2])
        for (const anew of [0, 1]) {
          const generation = this.#first + add;
          if (keyOf(node, generation, { generations: [], keys: { [node]: anew } }) === key)
            return `n${node}, ${generation}${anew === 1 ? ' anew' : ''}`;
        }
    return key;
  }

  /** In reality first, and then in the model, whose clock is then the same again. */
  async #both<T>(deed: (world: World) => Promise<T>): Promise<readonly [T, T]> {
    const began = this.#real.now();
    const real = await deed(this.#real);
    this.#behind += this.#real.now() - began;
    const before = this.#model.now();
    const model = await deed(this.#model);
    this.#behind -= this.#model.now() - before;
    if (this.#behind > 0) {
      await this.#model.pass(this.#behind);
      this.#behind = 0;
    }
    return [real, model];
  }
}

const nothing = (): readonly string[] => [];

function pendingOf({ pending, errors }: Report): readonly string[] {
  // In which order the kernel lists them says nothing.
  return [...pending.map(({ device }) => device).sort(), ...errors.map(({ message }) => message)];
}

function same(a: View, b: View): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function tell({ deed, node, wanted, lasts }: Step): string {
  if (deed === 'set') return `n${node} set ${JSON.stringify(wanted)}`;
  return deed === 'pass' || deed === 'delete device' ? `n${node} ${deed} ${lasts}` : `n${node} ${deed}`;
}
