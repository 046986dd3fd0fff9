/** The part of a record's judgement in which no other record has a say: this node's own claims, and the configuration. */
import { type Claim, claimsOf } from './claims.ts';
import type { Context } from './context.ts';
import { contains, overlaps, type Range } from './prefix.ts';
import type { NodeRecord, Refusal } from './types.ts';

export interface Screened {
  /** Those that are left, sorted by `compareRanges`. */
  readonly claims: readonly Claim[];
  readonly refusals: readonly Refusal[];
}

/** What of a record's claims is refused whatever the other records say. */
export function screen(context: Context, record: NodeRecord): Screened {
  const all = claimsOf(record);
  const reasons = all.map((claim) =>
    claim.kind === 'prefix' ? screenPrefix(context, claim, all) : screenEndpoint(context, claim),
  );
  const refused = reasons.filter((reason) => reason !== undefined);
  if (refused.length === 0 && record.problems.length === 0) return { claims: all, refusals: NONE };
  const { name: node, uid } = record;
  return {
    claims: all.filter((_, at) => reasons[at] === undefined),
    refusals: [...record.problems, ...refused].map((reason) => ({ node, uid, ...reason })),
  };
}

const NONE: readonly Refusal[] = [];

type Reason = Omit<Refusal, 'node' | 'uid'>;

function screenPrefix(context: Context, claim: Claim, all: readonly Claim[]): Reason | undefined {
  const own = context.ownClaims.find((ours) => overlaps(ours, claim));
  if (own !== undefined)
    return {
      code: 'PREFIX_OWN',
      message: `${claim.text} overlaps ${own.text} of this node; remove it from the prefixes of ${claim.owner.name}`,
      inFavourOf: context.self.name,
    };
  const inside = all.find((other) => other.kind === 'endpoint' && contains(claim, other));
  if (inside !== undefined)
    return {
      code: 'PREFIX_INVALID',
      message: `${claim.text} holds the node's own address ${inside.text}, which the tunnel itself needs`,
    };
  const reserved = context.reservedRanges.find((each) => contains(claim, each.range));
  if (reserved !== undefined)
    return {
      code: 'PREFIX_INVALID',
      message: `${claim.text} holds ${reserved.address}, where this node reaches the API server; remove it from the prefixes of ${claim.owner.name}`,
    };
  if (context.nodeRanges.some((range) => overlaps(range, claim)) && !isIn(context.clusterRanges, claim))
    return {
      code: 'PREFIX_INVALID',
      message: `${claim.text} overlaps nodePrefixes, the range of the nodes' own addresses`,
    };
  if (context.clusterRanges.length === 0 || isIn(context.clusterRanges, claim)) return undefined;
  return {
    code: 'PREFIX_INVALID',
    message: `${claim.text} is outside of clusterPrefixes; add its range there if pods have such addresses`,
  };
}

function screenEndpoint(context: Context, claim: Claim): Reason | undefined {
  const { name } = claim.owner;
  const own = context.ownClaims.find((ours) => contains(ours, claim));
  if (own !== undefined)
    return {
      code: 'ENDPOINT_OWN',
      message: `${claim.text} is ${own.kind === 'prefix' ? `in ${own.text}` : 'an address'} of this node; remove it from the endpoints of ${name}`,
      inFavourOf: context.self.name,
    };
  const node = context.nodeRanges.find((range) => contains(range, claim));
  if (node === undefined && context.nodeRanges.length > 0)
    return {
      code: 'ENDPOINT_INVALID',
      message: `${claim.text} is outside of nodePrefixes; add its range there if nodes have such addresses`,
    };
  // Nodes may have a range of their own inside the pods' range: the narrower one is what the administrator meant.
  const pods = context.clusterRanges.find((range) => contains(range, claim));
  if (pods === undefined || (node !== undefined && contains(pods, node))) return undefined;
  return {
    code: 'ENDPOINT_INVALID',
    message: `${claim.text} is inside clusterPrefixes, the range of the pods; a node's own address is needed`,
  };
}

function isIn(ranges: readonly Range[], claim: Range): boolean {
  return ranges.some((range) => contains(range, claim));
}
