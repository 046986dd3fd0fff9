/** Records and configuration for the tests of `mesh/`: valid, and small enough to read. */
import { createHash } from 'node:crypto';
import { PrivateKey, type PublicKey, publicKeyFromBytes } from 'wireguard-tools-wrapper';
import { ed25519PublicKey } from '../../keys/ed25519.ts';
import { parseAddress } from '../../mesh/address.ts';
import { parsePrefix } from '../../mesh/prefix.ts';
import { type NodeMetadata, parseRecord } from '../../mesh/record.ts';
import type { Address, Evidence, MeshConfig, NodeRecord, Prefix, VouchedNode } from '../../mesh/types.ts';

export function key(seed: string): PublicKey {
  return publicKeyFromBytes(createHash('sha256').update(seed).digest());
}

/** Of Ed25519: of numbers at random one in two is no key of it. */
export function signingKey(seed: string): PublicKey {
  const known =
    signingKeys.get(seed) ??
    ed25519PublicKey(PrivateKey.fromBytes(createHash('sha256').update(seed).digest()));
  signingKeys.set(seed, known);
  return known;
}

/** Some milliseconds each. */
const signingKeys = new Map<string, PublicKey>();

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`${text} is no prefix`);
  return parsed;
}

export const config: MeshConfig = {
  encryption: 'wireguard',
  mode: 'permissive',
  scope: 'pods',
  generation: 7,
  rotation: { drain: 180_000, passOver: [] },
  prefixSource: 'podCIDRs',
  wireguard: { port: 51830, keepalive: 0, userspace: 'auto' },
  ipsec: {
    ikeProposals: ['aes256gcm16-prfsha384-x25519'],
    espProposals: ['aes256gcm16-x25519-esn'],
    lifetime: 3600,
    vici: undefined,
    userspace: 'auto',
  },
  mtu: 'auto',
  routing: {
    table: 51830,
    rulePriority: 95,
    podTable: 51831,
    podRulePriority: 94,
    fwmark: { mark: 0x1000, mask: 0x1000 },
  },
  clusterPrefixes: [],
  nodePrefixes: [],
  exempt: [],
};

export const noEvidence: Evidence = { nodes: new Map(), keyHolders: new Map(), endpointHolders: new Map() };

export function generationsText(name: string, ...numbers: readonly number[]): string {
  return JSON.stringify(
    numbers.map((number) => ({
      generation: number,
      driver: 'wireguard',
      publicKey: key(`${name} ${number}`),
      port: 51830 + (number % 2),
    })),
  );
}

/** Node `i` of a cluster (0 to 65535): both families, generation 7, the older the lower. */
export function metadataOf(i: number, annotations: Record<string, string> = {}): NodeMetadata {
  const name = `n${i}`;
  return {
    name,
    uid: `uid-${String(i).padStart(5, '0')}`,
    creationTimestamp: new Date(Date.UTC(2026, 0, 1) + i * 60_000).toISOString().replace('.000', ''),
    annotations: {
      'sheath.dev/generations': generationsText(name, 7),
      'sheath.dev/endpoints': `192.0.${2 + (i >> 8)}.${i & 255},2001:db8::${(i + 1).toString(16)}`,
      'sheath.dev/prefixes': `10.${100 + (i >> 8)}.${i & 255}.0/24,fd00:10:244:${i.toString(16)}::/64`,
      'sheath.dev/sending': '7',
      ...annotations,
    },
  };
}

export function recordOf(i: number, annotations: Record<string, string> = {}): NodeRecord {
  return parseRecord(metadataOf(i, annotations));
}

/** What the API server vouches for when a node's record is true. */
export function vouchFor(records: readonly NodeRecord[]): ReadonlyMap<string, VouchedNode> {
  return new Map(
    records.map(({ uid, prefixes, endpoints }) => [uid, { podCIDRs: prefixes, addresses: endpoints }]),
  );
}
