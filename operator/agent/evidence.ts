/** What the API server vouches for about Nodes whose claims contend: read when a plan asks for it, and kept. */
import type { PublicKey } from '../../keys/generation.ts';
import type {
  Address,
  Evidence,
  MeshConfig,
  MeshPlan,
  NodeRecord,
  Prefix,
  VouchedNode,
} from '../../mesh/types.ts';
import { remaining } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { nodePath, parseNode } from '../kube/node.ts';
import { aggregate } from '../prefixes/aggregate.ts';
import { PODS, parsePod, podsOn } from '../prefixes/pods.ts';

/** Milliseconds: a plan that waits for evidence is worked out without it then. */
const PATIENCE = 2_000;
/** How many Nodes are read at once. */
const AT_ONCE = 4;
/** Milliseconds between two tries to read one Node: its claims may change as often as it likes. */
const PACE = 10_000;
/** Milliseconds between two readings of Nodes whose claims go on to contend, where pods vouch for them: those come and go. */
export const PODS_PACE = 60_000;

export const NO_EVIDENCE: Evidence = { nodes: new Map(), keyHolders: new Map(), endpointHolders: new Map() };

export interface Question {
  /** Of which Nodes. */
  readonly names: readonly string[];
  /** What is known. */
  readonly evidence: Evidence;
  /** Who vouches for prefixes: the Node, or the pods on it. */
  readonly source: MeshConfig['prefixSource'];
}

/** Evidence with what could be read of these Nodes; the same value when nothing could. */
export async function readEvidence(
  client: KubeClient,
  { names, evidence, source }: Question,
): Promise<Evidence> {
  const nodes = new Map<string, VouchedNode>();
  const signal = AbortSignal.timeout(PATIENCE);
  const queue = [...names];
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      try {
        const { uid, podCIDRs, addresses } = parseNode(await client.get(nodePath(name), { signal }));
        const vouched = source === 'pods' ? await podPrefixes(client, name, signal) : podCIDRs;
        nodes.set(uid, { podCIDRs: vouched, addresses });
      } catch (error) {
        // One that is gone is soon gone from the records too.
        if (!(error instanceof KubeError && error.code === 'NOT_FOUND')) return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, names.length) }, worker));
  return nodes.size === 0 ? evidence : { ...evidence, nodes: new Map([...evidence.nodes, ...nodes]) };
}

/** The addresses of the pods that are on a node, as the prefixes that it may claim for them. */
async function podPrefixes(
  client: KubeClient,
  node: string,
  signal: AbortSignal,
): Promise<readonly Prefix[]> {
  const addresses: Address[] = [];
  for await (const { items } of client.list(PODS, { limit: 500, fieldSelector: podsOn(node), signal }))
    for (const item of items) addresses.push(...(parsePod(item)?.addresses ?? []));
  return aggregate(addresses);
}

/**
 * Whose evidence may be out of date: Nodes whose claims are others than when it was read, for what a Node claims changes with what the
 * API server vouches for. Evidence from the disk was read by
 * another agent, for claims that nobody remembers.
 */
export class ClaimsRead {
  readonly #claims = new Map<string, string>();

  /** Names of such Nodes, all of them in the records. */
  outdated({ nodes }: Evidence, records: readonly NodeRecord[]): readonly string[] {
    if (nodes.size === 0) {
      this.#claims.clear();
      return [];
    }
    for (const uid of this.#claims.keys()) if (!nodes.has(uid)) this.#claims.delete(uid);
    return records.flatMap((record) => {
      if (!nodes.has(record.uid)) return [];
      const claims = claimsText(record);
      return this.#claims.get(record.uid) === claims ? [] : [record.name];
    });
  }

  /** It was read anew, after these records came. */
  read(before: Evidence, after: Evidence, records: readonly NodeRecord[]): void {
    for (const record of records) {
      const vouched = after.nodes.get(record.uid);
      if (vouched !== undefined && vouched !== before.nodes.get(record.uid))
        this.#claims.set(record.uid, claimsText(record));
    }
  }
}

/** Who may be asked about now: whoever was not for a while. */
export class EvidencePace {
  readonly #pace: number;
  readonly #triedAt = new Map<string, number>();

  /** @param pace Milliseconds. */
  constructor(pace = PACE) {
    this.#pace = pace;
  }

  /** Those of `names` that are due, which are taken to be tried. `now` in milliseconds of any clock that goes on. */
  take(names: readonly string[], now: number): string[] {
    for (const [name, at] of this.#triedAt)
      if (remaining(at, this.#pace, now) === 0) this.#triedAt.delete(name);
    const due = names.filter((name) => !this.#triedAt.has(name));
    for (const name of due) this.#triedAt.set(name, now);
    return due;
  }
}

/** Who contends for a prefix in this plan, one side and the other. */
export function contenders({ refused }: Pick<MeshPlan, 'refused'>): readonly string[] {
  const names = refused.flatMap(({ code, node, inFavourOf }) =>
    code !== 'PREFIX_CLAIMED' ? [] : inFavourOf === undefined ? [node] : [node, inFavourOf],
  );
  return [...new Set(names)];
}

/** Until `contested` can be read, what stands of them is taken as vouched for: a new claim takes nothing from who is in force. */
export function withStanding(
  evidence: Evidence,
  contested: readonly string[],
  { peers }: MeshPlan,
): Evidence {
  const unread = new Set(contested);
  const standing = peers
    .filter(({ node, uid }) => unread.has(node) && !evidence.nodes.has(uid))
    .map(({ uid, prefixes, addresses }) => [uid, { podCIDRs: prefixes, addresses }] as const);
  return standing.length === 0 ? evidence : { ...evidence, nodes: new Map([...evidence.nodes, ...standing]) };
}

function claimsText({ endpoints, prefixes }: NodeRecord): string {
  return `${endpoints.join()} ${prefixes.join()}`;
}

/** Without Nodes that are gone, and without endpoints that their holders no longer claim; the same value when there are none. */
export function forgetGone(evidence: Evidence, records: readonly NodeRecord[]): Evidence {
  const { nodes, keyHolders, endpointHolders } = evidence;
  if (nodes.size + keyHolders.size + endpointHolders.size === 0) return evidence;
  const byUid = new Map(records.map((record) => [record.uid, record]));
  const claims = ([address, uid]: readonly [Address, string]) =>
    byUid.get(uid)?.endpoints.includes(address) === true;
  const gone = [...nodes.keys(), ...keyHolders.values()].some((uid) => !byUid.has(uid));
  if (!gone && [...endpointHolders].every(claims)) return evidence;
  return {
    nodes: new Map([...nodes].filter(([uid]) => byUid.has(uid))),
    keyHolders: new Map<PublicKey, string>([...keyHolders].filter(([, uid]) => byUid.has(uid))),
    endpointHolders: new Map([...endpointHolders].filter(claims)),
  };
}
