/** What `sheath enable` is to write, from its flags. Pure. */
import type { Driver } from '../../mesh/progress.ts';
import { FIELDS } from '../../operator/config/fields.ts';
import { putAt } from '../../operator/config/paths.ts';
import { type Spec, specSchema } from '../../operator/config/schema.ts';
import { usageError } from '../exit.ts';
import type { Snapshot } from './cluster.ts';
import type { RolloutFlags } from './options.ts';

export interface EnableFlags extends RolloutFlags {
  /** Absent: as it is, or WireGuard. */
  readonly encryption?: Driver;
  readonly strict?: boolean;
  readonly permissive?: boolean;
  readonly scope?: 'pods' | 'nodes';
  readonly nodes?: string;
  readonly clusterPrefixes?: string;
  readonly ipsecProfile?: string;
  readonly ipsecIkeProposals?: string;
  readonly ipsecEspProposals?: string;
  readonly ipsecLifetime?: string;
  readonly allowPartial?: boolean;
  readonly dryRun?: boolean;
}

/** What is to be written, whatever the cluster has. */
export interface Wish extends Spec {
  readonly encryption: Driver;
}

/** Flags that stand for one field each. */
const TEXTS = [
  ['clusterPrefixes', 'clusterPrefixes', '--cluster-prefixes'],
  ['ipsecProfile', 'ipsec.profile', '--ipsec-profile'],
  ['ipsecIkeProposals', 'ipsec.ikeProposals', '--ipsec-ike-proposals'],
  ['ipsecEspProposals', 'ipsec.espProposals', '--ipsec-esp-proposals'],
  ['ipsecLifetime', 'ipsec.lifetime', '--ipsec-lifetime'],
] as const satisfies readonly (readonly [keyof EnableFlags, string, string])[];

/** @throws CliError `USAGE` */
export function wishOf(flags: EnableFlags, { mesh }: Pick<Snapshot, 'mesh'>): Wish {
  if (flags.strict === true && flags.permissive === true)
    throw usageError('--strict and --permissive contradict each other');
  const encryption = driverOf(flags, mesh?.spec.encryption);
  const given = TEXTS.filter(([flag]) => flags[flag] !== undefined);
  const wish: Record<string, unknown> = {
    encryption,
    ...(flags.strict === true ? { mode: 'strict' } : flags.permissive === true ? { mode: 'permissive' } : {}),
    ...(flags.scope === undefined ? {} : { scope: flags.scope }),
    ...(flags.nodes === undefined ? {} : { nodeSelector: selectorOf(flags.nodes) }),
  };
  for (const [flag, path, name] of given) {
    if (path.startsWith('ipsec.') && encryption !== 'ipsec')
      throw usageError(`${name} goes with --encryption ipsec only`);
    putAt(wish, path.split('.'), fromText(path, flags[flag] ?? ''));
  }
  const parsed = specSchema.safeParse(wish);
  if (parsed.success) return { ...parsed.data, encryption };
  const [issue] = parsed.error.issues;
  const at = issue?.path.join('.') ?? '';
  const blamed = given.find(([, path]) => at.startsWith(path));
  throw usageError(`${blamed?.[2] ?? '--nodes'}: ${issue?.message ?? 'not understood'}`);
}

/** Whoever changes something else keeps the driver that there is. */
function driverOf({ encryption }: EnableFlags, has: Spec['encryption'] = 'none'): Driver {
  return encryption ?? (has === 'none' ? 'wireguard' : has);
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
