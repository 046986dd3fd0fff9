/** Who wins: the first layer that names a value, else the default. Keeps where each came from, and refuses what would be weaker than asked. */

import type { IpsecConfig } from '../../mesh/config.ts';
import { parsePrefix } from '../../mesh/prefix.ts';
import type { MeshConfig, Prefix } from '../../mesh/types.ts';
import { PROFILES } from '../../tunnels/ipsec/proposals.ts';
import { OperatorError } from '../errors.ts';
import { DEFAULTS, type FullSpec } from './defaults.ts';
import { FIELDS } from './fields.ts';
import type { Layer } from './load.ts';
import { getAt, putAt } from './paths.ts';
import type { ConfigView, Origin } from './schema.ts';
import { TOGETHER } from './together.ts';
import { parseDuration, parseFwmark } from './values.ts';

export interface ResolvedConfig {
  readonly mesh: MeshConfig;
  readonly spec: FullSpec;
  readonly view: ConfigView;
}

/**
 * @param layers Best first.
 * @throws OperatorError `CONFIG_INVALID`, `NOT_IMPLEMENTED`
 */
export function resolveConfig(layers: readonly Layer[]): ResolvedConfig {
  const view: Record<string, Origin> = {};
  const spec: Record<string, unknown> = {};
  for (const { path } of [...FIELDS].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const origin = originOf(path, layers);
    view[path] = origin;
    putAt(spec, path.split('.'), origin.value);
  }
  // Every leaf was set, from a layer that the schema checked or from DEFAULTS.
  const full = spec as unknown as FullSpec;
  checkTogether(full, view);
  refuseUnimplemented(full, view);
  return { mesh: meshConfig(full), spec: full, view };
}

function originOf(path: string, layers: readonly Layer[]): Origin {
  const keys = path.split('.');
  for (const layer of layers) {
    const value = getAt(layer.spec, keys);
    if (value !== undefined) return { value, source: layer.source, name: layer.nameOf(path) };
  }
  return { value: getAt(DEFAULTS, keys), source: 'default' };
}

/** What no single layer can see: values of two layers that do not go together. */
function checkTogether(spec: FullSpec, view: ConfigView): void {
  for (const { fields, holds, must, why, details } of TOGETHER) {
    if (holds(spec)) continue;
    const [blamed, other] = fields.map((path) => said(view, path));
    throw invalid(`${blamed} ${must} ${other}${why}${details?.(spec) ?? ''}`);
  }
}

/** Never silently weaker than asked: what this version cannot do stops the start. */
function refuseUnimplemented(spec: FullSpec, view: ConfigView): void {
  const refuse = (path: string, instead: string): never => {
    throw new OperatorError(
      'NOT_IMPLEMENTED',
      `${said(view, path)} is not implemented in this version: ${instead}`,
    );
  };
  if (spec.wireguard.threadedNapi !== 'unset') refuse('wireguard.threadedNapi', 'leave it unset');
  if (spec.ipsec.userspace === 'always') refuse('ipsec.userspace', NO_USERSPACE_ESP);
}

const NO_USERSPACE_ESP =
  'kernel-libipsec has policies of its own, in which peers are not kept apart; use auto, on a kernel with ESP, or WireGuard, which has wireguard-go';

function meshConfig(spec: FullSpec): MeshConfig {
  return {
    encryption: spec.encryption,
    mode: spec.mode,
    scope: spec.scope,
    generation: spec.generation,
    rotation: { drain: parseDuration(spec.rotation.drain) ?? 180_000, passOver: spec.rotation.passOver },
    prefixSource: spec.prefixes.source,
    wireguard: {
      port: spec.wireguard.port,
      keepalive: Math.ceil((parseDuration(spec.wireguard.keepalive) ?? 0) / 1000),
      userspace: spec.wireguard.userspace,
    },
    ipsec: ipsecConfig(spec.ipsec),
    mtu: spec.mtu,
    routing: { ...spec.routing, fwmark: parseFwmark(spec.routing.fwmark) ?? { mark: 0x1000, mask: 0x1000 } },
    clusterPrefixes: prefixes(spec.clusterPrefixes),
    nodePrefixes: prefixes(spec.nodePrefixes),
    exempt: prefixes(spec.exempt),
  };
}

function ipsecConfig({ profile, ikeProposals, espProposals, ...ipsec }: FullSpec['ipsec']): IpsecConfig {
  return {
    // Both or none: what goes together says so.
    ...(ikeProposals.length === 0 ? PROFILES[profile] : { ikeProposals, espProposals }),
    lifetime: Math.ceil((parseDuration(ipsec.lifetime) ?? 3_600_000) / 1000),
    vici: ipsec.vici,
    userspace: ipsec.userspace,
  };
}

function prefixes(texts: readonly string[]): readonly Prefix[] {
  return [...new Set(texts.flatMap((text) => parsePrefix(text) ?? []))].sort();
}

/** `mode "strict" (--mode)`. */
function said(view: ConfigView, path: string): string {
  const origin = view[path];
  const where = origin?.name ?? origin?.source ?? 'default';
  return `${path} ${JSON.stringify(origin?.value)} (${where})`;
}

function invalid(message: string): OperatorError {
  return new OperatorError('CONFIG_INVALID', message);
}
