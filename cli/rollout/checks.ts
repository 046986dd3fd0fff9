/** What is looked at before anything is changed. */
import type { Straggler } from '../../mesh/progress.ts';
import type { Spec } from '../../operator/config/schema.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { type RolloutCluster, type Snapshot, selected } from './cluster.ts';
import { preflight } from './goal.ts';
import { proposeClusterPrefixes } from './propose.ts';
import { wished } from './selection.ts';
import type { EnableFlags, Wish } from './wish.ts';

/** @throws CliError `CLUSTER_PREFIXES_MISSING` */
export async function requireClusterPrefixes(
  cluster: RolloutCluster,
  { mesh }: Snapshot,
  wish: Spec,
): Promise<void> {
  const given = wish.clusterPrefixes ?? mesh?.spec.clusterPrefixes ?? [];
  if (given.length > 0) return;
  const seen = await proposeClusterPrefixes(cluster.client);
  const proposal = seen.length === 0 ? 'the ranges of your pods' : seen.join(',');
  throw new CliError(
    `--strict needs the ranges that all pods come from; from what the Nodes have now: --cluster-prefixes ${proposal} (take the whole range that your CNI is set to, so that nodes to come are inside)`,
    { code: 'CLUSTER_PREFIXES_MISSING', exitCode: EXIT.usage },
  );
}

/** A door that is shut for hosts stops those that have not moved into the tunnel yet. @throws CliError `SCOPE_WHILE_STRICT` */
export function keepScope({ mesh }: Snapshot, wish: Spec): void {
  const { scope = 'pods', mode, encryption = 'none' } = mesh?.spec ?? {};
  if (encryption === 'none' || mode !== 'strict' || wish.mode === 'permissive') return;
  if (wish.scope === undefined || wish.scope === scope) return;
  throw new CliError(
    `the scope cannot change behind shut doors without losing packets: sheath enable --permissive --scope ${wish.scope} --wait, then sheath enable --strict --wait`,
    { code: 'SCOPE_WHILE_STRICT', exitCode: EXIT.wrong },
  );
}

/** Who cannot take part. @throws CliError `NODES_UNABLE` unless that was allowed */
export function checkNodes(snapshot: Snapshot, wish: Wish, flags: EnableFlags): readonly Straggler[] {
  const asWished = wished(snapshot, wish);
  if (selected(asWished).length === 0)
    throw usageError(
      `no Node is selected${flags.nodes === undefined ? '' : ` by --nodes ${flags.nodes}`}: nothing would be encrypted`,
    );
  const unable = preflight(asWished, wish.encryption, flags.strict === true);
  const stuck = unable.filter((straggler) => straggler.stuck);
  if (stuck.length === 0 || flags.allowPartial === true || flags.dryRun === true) return unable;
  const names = stuck.slice(0, 5).map(({ node, reason }) => `${node} ${reason}`);
  const more = stuck.length > 5 ? `; and ${stuck.length - 5} more` : '';
  throw new CliError(
    `nothing was changed: ${names.join('; ')}${more}; mend that, leave them out with --nodes, or give --allow-partial`,
    { code: 'NODES_UNABLE', exitCode: EXIT.wrong },
  );
}
