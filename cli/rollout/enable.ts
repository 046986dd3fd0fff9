/** `sheath enable`: looks first, writes the resource, and waits. Strict comes last, when nobody sends in clear any more. */
import type { Straggler } from '../../mesh/progress.ts';
import { FIELDS } from '../../operator/config/fields.ts';
import { type Spec, specSchema } from '../../operator/config/schema.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { RolloutCluster, type Snapshot, selected } from './cluster.ts';
import { confirm } from './confirm.ts';
import { preflight } from './goal.ts';
import { type RolloutFlags, timeoutOf } from './options.ts';
import { notCounted } from './pass-over.ts';
import { proposeClusterPrefixes } from './propose.ts';
import { finish, type RolloutResult } from './result.ts';
import { leftOut, members, wished } from './selection.ts';
import { type Waited, waitFor } from './wait.ts';
import { changeSpec, difference } from './write.ts';

export interface EnableFlags extends RolloutFlags {
  readonly encryption: 'wireguard' | 'ipsec';
  readonly strict?: boolean;
  readonly permissive?: boolean;
  readonly scope?: 'pods' | 'nodes';
  readonly nodes?: string;
  readonly clusterPrefixes?: string;
  readonly allowPartial?: boolean;
  readonly dryRun?: boolean;
}

/** @throws CliError, KubeError */
export async function enable(flags: EnableFlags, context: Context): Promise<void> {
  const timeout = timeoutOf(flags);
  const wish = wishOf(flags);
  const cluster = await RolloutCluster.open(flags, context);
  try {
    const snapshot = await cluster.snapshot();
    if (flags.strict === true) await requireClusterPrefixes(cluster, snapshot, wish);
    keepScope(snapshot, wish);
    const unable = checkNodes(snapshot, wish, flags);
    const changed = difference(wish, snapshot.mesh?.spec ?? {});
    const left = leftOut(snapshot, wish);
    if (flags.dryRun === true)
      return await finish(dryRun({ changed, unable, left, of: members(snapshot, wish) }), flags, context);
    await ask({ changed, snapshot, left, flags }, context);
    await finish(
      await carryOut({ cluster, snapshot, wish, unable, timeout, flags }, context),
      flags,
      context,
    );
  } finally {
    cluster.close();
  }
}

/** @throws CliError `USAGE` */
function wishOf(flags: EnableFlags): Spec {
  if (flags.strict === true && flags.permissive === true)
    throw usageError('--strict and --permissive contradict each other');
  const wish = {
    encryption: flags.encryption,
    ...(flags.strict === true ? { mode: 'strict' } : flags.permissive === true ? { mode: 'permissive' } : {}),
    ...(flags.scope === undefined ? {} : { scope: flags.scope }),
    ...(flags.nodes === undefined ? {} : { nodeSelector: selectorOf(flags.nodes) }),
    ...(flags.clusterPrefixes === undefined
      ? {}
      : { clusterPrefixes: fromText('clusterPrefixes', flags.clusterPrefixes) }),
  };
  const parsed = specSchema.safeParse(wish);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const flag = issue?.path[0] === 'nodeSelector' ? '--nodes' : '--cluster-prefixes';
  throw usageError(`${flag}: ${issue?.message ?? 'not understood'}`);
}

/** A variable that is empty in somebody's script is no wish for every node. @throws CliError `USAGE` */
function selectorOf(text: string): unknown {
  const selector = text === 'all' ? {} : fromText('nodeSelector', text);
  if (typeof selector === 'object' && (text === 'all' || Object.keys(selector ?? {}).length > 0))
    return selector;
  throw usageError(`--nodes "${text}": expected labels like pool=blue,tier=web, or all`);
}

function fromText(path: string, text: string): unknown {
  return FIELDS.find((field) => field.path === path)?.fromText(text);
}

async function requireClusterPrefixes(
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
function keepScope({ mesh }: Snapshot, wish: Spec): void {
  const { scope = 'pods', mode, encryption = 'none' } = mesh?.spec ?? {};
  if (encryption === 'none' || mode !== 'strict' || wish.mode === 'permissive') return;
  if (wish.scope === undefined || wish.scope === scope) return;
  throw new CliError(
    `the scope cannot change behind shut doors without losing packets: sheath enable --permissive --scope ${wish.scope} --wait, then sheath enable --strict --wait`,
    { code: 'SCOPE_WHILE_STRICT', exitCode: EXIT.wrong },
  );
}

/** Who cannot take part. @throws CliError `NODES_UNABLE` unless that was allowed */
function checkNodes(snapshot: Snapshot, wish: Spec, flags: EnableFlags): readonly Straggler[] {
  const asWished = wished(snapshot, wish);
  if (selected(asWished).length === 0)
    throw usageError(
      `no Node is selected${flags.nodes === undefined ? '' : ` by --nodes ${flags.nodes}`}: nothing would be encrypted`,
    );
  const unable = preflight(asWished, flags.encryption, flags.strict === true);
  const stuck = unable.filter((straggler) => straggler.stuck);
  if (stuck.length === 0 || flags.allowPartial === true || flags.dryRun === true) return unable;
  const names = stuck.slice(0, 5).map(({ node, reason }) => `${node} ${reason}`);
  const more = stuck.length > 5 ? `; and ${stuck.length - 5} more` : '';
  throw new CliError(
    `nothing was changed: ${names.join('; ')}${more}; mend that, leave them out with --nodes, or give --allow-partial`,
    { code: 'NODES_UNABLE', exitCode: EXIT.wrong },
  );
}

interface DryRun {
  readonly changed: RolloutResult['changed'];
  readonly unable: readonly Straggler[];
  readonly left: readonly string[];
  readonly of: string;
}

function dryRun({ changed, unable, left, of }: DryRun): RolloutResult {
  const what = Object.keys(changed).length === 0 ? 'nothing' : JSON.stringify(changed);
  const out = left.length === 0 ? '' : `, and leave out ${left.join(', ')}`;
  return { message: `would change ${what} for ${of}${out}; nothing was changed`, changed, waiting: unable };
}

interface Asked {
  readonly changed: RolloutResult['changed'];
  readonly snapshot: Snapshot;
  readonly left: readonly string[];
  readonly flags: EnableFlags;
}

/** Only what can cost somebody traffic is asked about: a door that shuts, or one that opens, and who goes back into clear. */
async function ask({ changed, snapshot, left, flags }: Asked, context: Context): Promise<void> {
  if (flags.yes === true) return;
  if (left.length > 0) {
    const text = `${left.length} Nodes that are encrypted now would be left out (${left.slice(0, 5).join(', ')}${left.length > 5 ? ', ...' : ''}): what they send will be in clear, and strict nodes drop it.`;
    await confirm([{ text, answer: 'leave out' }], context);
  }
  if (changed.mode === undefined) return;
  const opens = snapshot.mesh?.spec.mode === 'strict';
  if (changed.mode === 'strict')
    await confirm(
      [{ text: 'Whatever has no tunnel will be dropped, in both directions.', answer: 'yes' }],
      context,
    );
  else if (opens)
    await confirm([{ text: 'Traffic without a tunnel will pass in clear again.', answer: 'yes' }], context);
}

interface Work {
  readonly cluster: RolloutCluster;
  readonly snapshot: Snapshot;
  readonly wish: Spec;
  readonly unable: readonly Straggler[];
  readonly timeout: number;
  readonly flags: EnableFlags;
}

async function carryOut(work: Work, context: Context): Promise<RolloutResult> {
  const { cluster, snapshot, wish, unable, flags, timeout } = work;
  const until = performance.now() + timeout;
  const wait = (kind: 'encrypted' | 'strict'): Promise<Waited> =>
    waitFor(
      cluster,
      {
        goal: { kind },
        timeout: Math.max(0, until - performance.now()),
        ableOnly: flags.allowPartial === true,
      },
      context,
    );
  const shutsLater = wish.mode === 'strict' && snapshot.mesh?.spec.mode !== 'strict';
  const first = shutsLater ? { ...wish, mode: snapshot.mesh?.spec.mode ?? ('permissive' as const) } : wish;
  let changed = await changeSpec(cluster, snapshot, first);
  const stuck = unable.filter((straggler) => straggler.stuck);
  if (shutsLater) {
    const encrypted = await wait('encrypted');
    if (!encrypted.reached)
      return {
        ...outcome(encrypted, stuck),
        message: 'not strict: some nodes still send in clear, so no door was shut; the same command goes on',
        changed,
      };
    changed = { ...changed, ...(await changeSpec(cluster, await cluster.snapshot(), { mode: 'strict' })) };
  }
  if (flags.wait !== true)
    return {
      message: `${flags.encryption} is enabled; 'sheath enable --wait' tells when all is encrypted`,
      changed,
      waiting: unable,
    };
  const waited = await wait(wish.mode === 'strict' ? 'strict' : 'encrypted');
  const { done, total } = waited.progress;
  const message = waited.reached
    ? `encrypted: ${done} of ${total} Nodes${wish.mode === 'strict' ? ', doors shut' : ''}`
    : `NOT all encrypted: ${done} of ${total} Nodes`;
  return { ...outcome(waited, stuck), message: message + notCounted(waited.snapshot), changed };
}

function outcome({ reached, took, progress }: Waited, stuck: readonly Straggler[]) {
  const named = new Set(progress.stragglers.map(({ node }) => node));
  return {
    reached,
    took,
    waiting: [...progress.stragglers, ...stuck.filter(({ node }) => !named.has(node))],
  };
}
