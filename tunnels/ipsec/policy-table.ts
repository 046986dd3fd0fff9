/** The policies of one device: what each prefix of a peer may be, and by whose states. */
import type { DeviceName } from '../../mesh/types.ts';
import { Delta } from '../delta.ts';
import { change, type Outcome, refused } from '../failure.ts';
import { policiesOf, type WantedLink, type Way } from './link.ts';
import type { FoundPolicy, Policy, Xfrm } from './xfrm/types.ts';

/** As the kernel keys it, but for the interface. */
const keyOf = ({ direction, prefix }: Policy) => `${direction} ${prefix}`;

/** Readings, one of which reads all: what another hand changed in place is found then. */
export const SELDOM = 6;

interface Wanted extends Policy {
  readonly node: string;
}

export class PolicyTable {
  readonly #device: DeviceName;
  readonly #xfrm: Xfrm;
  readonly #delta = new Delta<Wanted, FoundPolicy>(samePolicy);

  /** When all were read, and how often they were not since. */
  #count: string | undefined;
  #passed = 0;

  constructor(device: DeviceName, xfrm: Xfrm) {
    this.#device = device;
    this.#xfrm = xfrm;
  }

  get disturbed(): boolean {
    return (
      this.#delta.updates().some(({ repaired }) => repaired) ||
      this.#delta.removals().some(({ repaired }) => repaired)
    );
  }

  want(link: WantedLink, way: Way | undefined): void {
    for (const policy of policiesOf(link, way))
      this.#delta.want(keyOf(policy), { ...policy, node: link.node });
  }

  /** Those that this link has and no other: a prefix that moved is somebody else's by now. */
  unwant(link: WantedLink, way: Way | undefined): void {
    for (const policy of policiesOf(link, way)) {
      const key = keyOf(policy);
      if (this.#delta.wanted(key)?.node === link.node) this.#delta.unwant(key);
    }
  }

  /** By which way the prefixes of this link are sent to now. */
  wayOf({ prefixes, slots }: WantedLink): Way | undefined {
    for (const prefix of prefixes) {
      const found = this.#delta.actual(`out ${prefix}`);
      const [reqid = 0] = found?.reqids ?? [];
      if (found === undefined || found.strange || !slots.some((slot) => slot.reqid === reqid)) continue;
      return { reqid, local: found.local, remote: found.remote };
    }
    return undefined;
  }

  /** Request ids by which anybody is sent to now. */
  sentBy(): ReadonlySet<number> {
    const sending = [...this.#delta.actualEntries()].filter(
      ([, { direction, strange }]) => direction === 'out' && !strange,
    );
    return new Set(sending.flatMap(([, { reqids }]) => reqids));
  }

  /** All of them only when there are more or fewer than before, and now and then. */
  async read(id: number): Promise<void> {
    const count = await this.#xfrm.policyCount();
    if (count === this.#count && ++this.#passed < SELDOM) return;
    this.#count = count;
    this.#passed = 0;
    const found = await this.#xfrm.policies((interfaceId) => interfaceId === id);
    this.#delta.read(new Map(found.map((policy) => [keyOf(policy), policy])));
  }

  async add(outcome: Outcome): Promise<void> {
    const updates = this.#delta.updates();
    const answers = await this.#xfrm.write(
      updates.map(({ wanted }) => ({ type: 'setPolicy', policy: wanted })),
    );
    const told = new Map<string, { action: 'add' | 'change'; repaired: boolean; prefixes: Set<string> }>();
    for (const [i, { key, wanted, actual, repaired }] of updates.entries()) {
      const error = answers[i];
      if (error !== undefined) {
        const what = `${wanted.node} on ${this.#device}: policy ${key}`;
        outcome.failed({ ...refused('peer', what, error), node: wanted.node });
        continue;
      }
      this.#delta.wrote(key, { ...wanted, strange: false });
      const one = told.get(wanted.node) ?? {
        action: actual === undefined ? 'add' : 'change',
        repaired,
        prefixes: new Set(),
      };
      told.set(wanted.node, { ...one, prefixes: one.prefixes.add(wanted.prefix) });
    }
    // One line a peer, and not three a prefix.
    for (const [node, { action, repaired, prefixes }] of told) {
      const what = `${node} on ${this.#device}: allowed-ips ${[...prefixes].join(',')}`;
      outcome.changed(change('peer', action, { what, repaired }));
    }
  }

  /** What sends is taken away before what accepts. */
  async remove(outcome: Outcome): Promise<void> {
    const gone = this.#delta
      .removals()
      .flatMap(({ key, actual, repaired }) =>
        actual === undefined ? [] : [{ key, policy: actual, repaired }],
      )
      .sort((a, b) => Number(b.policy.direction === 'out') - Number(a.policy.direction === 'out'));
    const answers = await this.#xfrm.write(gone.map(({ policy }) => ({ type: 'removePolicy', policy })));
    const told = new Map<string, boolean>();
    for (const [i, { key, policy, repaired }] of gone.entries()) {
      const error = answers[i];
      if (error !== undefined && error.code !== 'ENOENT') {
        outcome.failed(refused('peer', `policy ${key} on ${this.#device}`, error));
        continue;
      }
      this.#delta.removed(key);
      told.set(policy.prefix, repaired);
    }
    for (const [prefix, repaired] of told) {
      outcome.changed(
        change('peer', 'remove', { what: `allowed-ips -${prefix} on ${this.#device}`, repaired }),
      );
    }
  }
}

function samePolicy(wanted: Policy, actual: FoundPolicy): boolean {
  const sameEnds = wanted.remote === actual.remote && wanted.local === actual.local;
  return (
    !actual.strange &&
    wanted.reqids.length === actual.reqids.length &&
    wanted.reqids.every((reqid, i) => reqid === actual.reqids[i]) &&
    (wanted.direction !== 'out' || sameEnds)
  );
}
