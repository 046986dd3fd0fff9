/** Records to what this node wants the kernel to be. Pure: the same input, in whatever order, gives the same text. */
import type { PublicKey } from '../keys/generation.ts';
import { compareText } from './address.ts';
import { type Defeat, judge } from './claims.ts';
import { type BuiltPeer, type Context, contextOf } from './context.ts';
import { inTurn } from './key-claims.ts';
import { sorted } from './lists.ts';
import { buildPeer, type Losses } from './peer.ts';
import type { Address, Evidence, MeshConfig, MeshPlan, NodeRecord, PeerPlan, Refusal } from './types.ts';

export { type KeyContention, keyContenders } from './key-claims.ts';

export interface PlanInput {
  /** This node's own record: its live generations, addresses and prefixes. */
  readonly self: NodeRecord;
  /** All records; our own is skipped, by name or uid. */
  readonly records: readonly NodeRecord[];
  readonly config: MeshConfig;
  readonly evidence: Evidence;
  /** Where this node reaches the API server, sorted: behind no peer, whoever claims it. Default: none. */
  readonly reserved?: readonly Address[];
}

const NONE: readonly Address[] = [];

/**
 * A record that did not change, and whose claims are judged as before, gives the same `PeerPlan` object as before: what changed
 * is told by `===`. While `contested` is not empty the plan is provisional: read those Nodes into `evidence.nodes` first.
 */
export function plan({ self, records, config, evidence, reserved = NONE }: PlanInput): MeshPlan {
  const context = contextOf(self, config, reserved);
  const base = {
    self: self.name,
    encryption: config.encryption,
    mode: config.mode,
    scope: config.scope,
    routing: config.routing,
    prefixSource: config.prefixSource,
    ownPrefixes: self.prefixes,
    ownAddresses: self.endpoints,
    exempt: config.exempt,
    clusterPrefixes: config.clusterPrefixes,
    nodePrefixes: config.nodePrefixes,
  };
  if (config.encryption === 'none') return { ...base, devices: [], peers: [], refused: [], contested: [] };
  const others = records.filter(({ name, uid }) => name !== self.name && uid !== self.uid);
  const entries = context.index.update(sorted(others, (a, b) => compareText(a.name, b.name)));
  const { losses, contested } = settle(context, evidence);
  const built = entries.map((entry) =>
    buildPeer(context, entry, losses.size === 0 ? undefined : losses.get(entry.record)),
  );
  return { ...base, devices: context.devices, ...collect(built), contested };
}

function collect(built: readonly BuiltPeer[]): Pick<MeshPlan, 'peers' | 'refused'> {
  const peers: PeerPlan[] = [];
  const refused: Refusal[] = [];
  for (const { peer, refusals } of built) {
    if (peer !== undefined) peers.push(peer);
    for (const refusal of refusals) refused.push(refusal);
  }
  return { peers, refused };
}

interface Settlement {
  /** Only of records that lost something. */
  readonly losses: ReadonlyMap<NodeRecord, Losses>;
  readonly contested: readonly string[];
}

interface Mutable {
  readonly defeats: Defeat[];
  readonly keys: Map<PublicKey, string>;
}

function settle({ index, config }: Context, evidence: Evidence): Settlement {
  const { defeats, contenders } = judge(index.contentions, evidence, config.prefixSource);
  const losses = new Map<NodeRecord, Mutable>();
  const lossesOf = (record: NodeRecord): Mutable => {
    const found = losses.get(record) ?? { defeats: [], keys: new Map<PublicKey, string>() };
    losses.set(record, found);
    return found;
  };
  for (const defeat of defeats) lossesOf(defeat.claim.owner).defeats.push(defeat);
  for (const dispute of index.disputes) {
    const [holder, ...waiting] = inTurn(dispute, evidence);
    if (holder !== undefined)
      for (const record of waiting) lossesOf(record).keys.set(dispute[0], holder.name);
  }
  const unread = [...contenders].filter(({ uid }) => !evidence.nodes.has(uid)).map(({ name }) => name);
  return { losses, contested: unread.sort(compareText) };
}
