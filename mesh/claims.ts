/**
 * What records claim of the address space, and who is right when two claim the same.
 *
 * Two claims of different Nodes contend when they share an address: prefixes that are equal or nested, one endpoint published
 * twice, an endpoint inside another Node's prefix. The order in which they are heard is the same on every node and after every
 * restart, whoever was seen first:
 *
 *   1. vouched for: a prefix inside the Node's `spec.podCIDRs`, an endpoint among its `status.addresses`
 *   2. not covering: a prefix that swallows claims of two or more other Nodes is heard after theirs
 *   3. proved: an endpoint at which the Node answers, for `status.addresses` is but the kubelet's word
 *   4. older: the Node's creation time, then its uid
 *
 * A claim stands unless one that stands already contends with it. A refused claim therefore takes nothing from anybody.
 */
import { compareText, rangeOfAddress } from './address.ts';
import { contains, type Range, rangeOf } from './prefix.ts';
import { compareRanges } from './range.ts';
import type { Address, Evidence, MeshConfig, NodeRecord, Prefix } from './types.ts';

export type Claim = Range & { readonly owner: NodeRecord } & (
    | { readonly kind: 'prefix'; readonly text: Prefix }
    | { readonly kind: 'endpoint'; readonly text: Address }
  );

/** A claim that does not stand, the one that stands in its way, and by which of the rules. */
export interface Defeat {
  readonly claim: Claim;
  readonly winner: Claim;
  readonly rule: 'vouched' | 'covering' | 'proved' | 'older';
}

export interface Judgement {
  readonly defeats: readonly Defeat[];
  /** What the API server vouches for them decides. */
  readonly contenders: ReadonlySet<NodeRecord>;
}

/** Sorted by `compareRanges`. */
export function claimsOf(record: NodeRecord): readonly Claim[] {
  const claims: Claim[] = [];
  for (const text of record.prefixes) {
    const { family, length, a, b, c, d } = rangeOf(text);
    insert(claims, { owner: record, kind: 'prefix', text, family, length, a, b, c, d });
  }
  for (const text of record.endpoints) {
    const { family, length, a, b, c, d } = rangeOfAddress(text);
    insert(claims, { owner: record, kind: 'endpoint', text, family, length, a, b, c, d });
  }
  return [...claims];
}

/** Behind all that are not after it. A record's lists are sorted and short, so the place is near the end. */
function insert(claims: Claim[], claim: Claim): void {
  let place = claims.length;
  for (let at = place - 1; at >= 0; at--) {
    const before = claims[at];
    if (before === undefined || compareRanges(before, claim) <= 0) break;
    claims[at + 1] = before;
    place = at;
  }
  claims[place] = claim;
}

type PrefixSource = MeshConfig['prefixSource'];

export function judge({ rivals, covered }: Contentions, evidence: Evidence, source: PrefixSource): Judgement {
  const hearing: Hearing = { covered, evidence, source };
  const ranked = Array.from(rivals.keys(), (claim) => rank(claim, hearing)).sort(compareRanks);
  const ranks = new Map(ranked.map((entry) => [entry.claim, entry]));
  const standing = new Set<Claim>();
  const defeats: Defeat[] = [];
  for (const entry of ranked) {
    const winner = rivals.get(entry.claim)?.find((rival) => standing.has(rival));
    const winning = winner === undefined ? undefined : ranks.get(winner);
    if (winning === undefined) standing.add(entry.claim);
    else defeats.push({ claim: entry.claim, winner: winning.claim, rule: decidedBy(winning, entry) });
  }
  const contenders = new Set<NodeRecord>();
  for (const entry of ranked) {
    const others = rivals.get(entry.claim) ?? [];
    if (others.some((rival) => isOpen(entry, ranks.get(rival)))) contenders.add(entry.claim.owner);
  }
  return { defeats, contenders };
}

/**
 * Whether it matters to a rivalry if the first claim is vouched for. A claim that covers several and is not vouched for itself is heard
 * after all that it covers: else one annotation, `10.0.0.0/8`, would make every agent read every Node.
 */
function isOpen(own: Rank, rival: Rank | undefined): boolean {
  return rival === undefined || own.covering || !rival.covering || rival.vouched;
}

/** Who contends with whom, before anybody is asked. */
export interface Contentions {
  readonly rivals: ReadonlyMap<Claim, readonly Claim[]>;
  /** Claims that swallow claims of other Nodes: of which one, or of several. */
  readonly covered: ReadonlyMap<Claim, NodeRecord | 'several'>;
  /** No two claims share an address, not even two of one Node. */
  readonly disjoint: boolean;
}

export const NO_CONTENTIONS: Contentions = { rivals: new Map(), covered: new Map(), disjoint: true };

/** `sorted` by `compareRanges`. One sweep: prefixes nest or are apart, so those that are still open when a claim begins are exactly those that hold it. */
export function contentions(sorted: readonly Claim[]): Contentions {
  const rivals = new Map<Claim, Claim[]>();
  const covered = new Map<Claim, NodeRecord | 'several'>();
  const open: Claim[] = [];
  let disjoint = true;
  for (const claim of sorted) {
    for (let top = open.at(-1); top !== undefined && !contains(top, claim); top = open.at(-1)) open.pop();
    disjoint &&= open.length === 0;
    for (const outer of open) {
      if (outer.owner === claim.owner) continue;
      append(rivals, outer, claim);
      append(rivals, claim, outer);
      const inside = covered.get(outer);
      if (contains(claim, outer)) continue;
      covered.set(outer, inside === undefined || inside === claim.owner ? claim.owner : 'several');
    }
    open.push(claim);
  }
  return { rivals, covered, disjoint };
}

function append(map: Map<Claim, Claim[]>, key: Claim, value: Claim): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

interface Rank {
  readonly claim: Claim;
  readonly vouched: boolean;
  /** Vouched for by `spec.podCIDRs`, which no kubelet may change; `status.addresses` are the kubelet's word. */
  readonly assigned: boolean;
  readonly covering: boolean;
  readonly proved: boolean;
}

interface Hearing extends Pick<Contentions, 'covered'> {
  readonly evidence: Evidence;
  readonly source: PrefixSource;
}

function rank(claim: Claim, { covered, evidence, source }: Hearing): Rank {
  const vouched = isVouched(claim, evidence);
  return {
    claim,
    vouched,
    assigned: vouched && claim.kind === 'prefix' && source === 'podCIDRs',
    covering: covered.get(claim) === 'several',
    proved: claim.kind === 'endpoint' && evidence.endpointHolders.get(claim.text) === claim.owner.uid,
  };
}

function compareRanks(a: Rank, b: Rank): number {
  return (
    Number(b.vouched) - Number(a.vouched) ||
    Number(a.covering) - Number(b.covering) ||
    Number(b.proved) - Number(a.proved) ||
    Number(b.assigned) - Number(a.assigned) ||
    compareAge(a.claim.owner, b.claim.owner) ||
    compareRanges(a.claim, b.claim)
  );
}

function decidedBy(winner: Rank, loser: Rank): Defeat['rule'] {
  if (winner.vouched !== loser.vouched) return 'vouched';
  if (winner.covering !== loser.covering) return 'covering';
  if (winner.proved !== loser.proved) return 'proved';
  return winner.assigned !== loser.assigned ? 'vouched' : 'older';
}

/** The older Node first; of two made in the same second, the lower uid. */
export function compareAge(a: NodeRecord, b: NodeRecord): number {
  return compareText(a.createdAt, b.createdAt) || compareText(a.uid, b.uid);
}

function isVouched(claim: Claim, evidence: Evidence): boolean {
  const node = evidence.nodes.get(claim.owner.uid);
  if (node === undefined) return false;
  if (claim.kind === 'endpoint') return node.addresses.includes(claim.text);
  return node.podCIDRs.some((cidr) => contains(rangeOf(cidr), claim));
}
