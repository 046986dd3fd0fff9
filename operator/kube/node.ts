/** What we read of a Node: from its metadata alone, or from the whole object where only that will do. */
import { parseAddress } from '../../mesh/address.ts';
import { networkOf } from '../../mesh/prefix.ts';
import type { Address, Prefix } from '../../mesh/types.ts';
import { KubeError } from './errors.ts';

export const NODES = '/api/v1/nodes';
export const ANNOTATION_PREFIX = 'sheath.dev/';

export function nodePath(name: string): string {
  return `${NODES}/${encodeURIComponent(name)}`;
}

/** The part of a Node's metadata that we keep. */
export interface NodeMetadata {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** RFC 3339. */
  readonly creationTimestamp: string;
  /** Only ours: those whose name begins with `sheath.dev/`. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Only of our own Node, sorted by name. */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * The object to apply for these annotations. Where there are none they are not named: whoever applied an empty map would hold
 * it, and stay among the `managedFields` of a Node that he has left.
 */
export function applied({
  annotations,
  ...metadata
}: {
  readonly name: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly annotations: Readonly<Record<string, string>>;
}): object {
  const named = Object.keys(annotations).length === 0 ? {} : { annotations };
  return { apiVersion: 'v1', kind: 'Node', metadata: { ...metadata, ...named } };
}

/** The labels of an object, of which metadata is enough. */
export function labelsOf(object: unknown): Readonly<Record<string, string>> {
  const { labels } = (object as { metadata?: { labels?: unknown } } | null)?.metadata ?? {};
  if (typeof labels !== 'object' || labels === null) return {};
  return Object.fromEntries(
    Object.entries(labels)
      .filter((pair): pair is [string, string] => typeof pair[1] === 'string')
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Undefined when it is no object with a name and a uid. */
export function parseNodeMetadata(object: unknown): NodeMetadata | undefined {
  const metadata = (object as { metadata?: unknown } | null)?.metadata;
  if (typeof metadata !== 'object' || metadata === null) return undefined;
  const { name, uid, resourceVersion, creationTimestamp, annotations } = metadata as Record<string, unknown>;
  if (typeof name !== 'string' || typeof uid !== 'string') return undefined;
  return {
    name,
    uid,
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    creationTimestamp: typeof creationTimestamp === 'string' ? creationTimestamp : '',
    annotations: ownAnnotations(annotations),
  };
}

function ownAnnotations(annotations: unknown): Record<string, string> {
  const ours: Record<string, string> = {};
  if (typeof annotations !== 'object' || annotations === null) return ours;
  for (const [key, value] of Object.entries(annotations)) {
    if (key.startsWith(ANNOTATION_PREFIX) && typeof value === 'string') ours[key] = value;
  }
  return ours;
}

/** What the API server vouches for. */
export interface VouchedMetadata extends NodeMetadata {
  readonly labels: Readonly<Record<string, string>>;
  readonly podCIDRs: readonly Prefix[];
  /** `status.addresses` of type `InternalIP`, in their order. */
  readonly internalAddresses: readonly Address[];
  /** Every IP of `status.addresses`. */
  readonly addresses: readonly Address[];
}

/** @throws KubeError `MALFORMED` */
export function parseNode(object: unknown): VouchedMetadata {
  const metadata = parseNodeMetadata(object);
  if (metadata === undefined) throw new KubeError('MALFORMED', 'the answer is not a Node');
  const { spec, status } = object as {
    spec?: { podCIDR?: unknown; podCIDRs?: unknown };
    status?: { addresses?: unknown };
  };
  const cidrs: readonly unknown[] = Array.isArray(spec?.podCIDRs) ? spec.podCIDRs : [spec?.podCIDR];
  const addresses: readonly unknown[] = Array.isArray(status?.addresses) ? status.addresses : [];
  return {
    ...metadata,
    labels: labelsOf(object),
    podCIDRs: unique(cidrs.flatMap((text) => (typeof text === 'string' ? (networkOf(text) ?? []) : []))),
    internalAddresses: unique(addresses.flatMap((entry) => addressOf(entry, ['InternalIP']))),
    addresses: unique(addresses.flatMap((entry) => addressOf(entry, ['InternalIP', 'ExternalIP']))),
  };
}

function addressOf(entry: unknown, types: readonly string[]): readonly Address[] {
  const { type, address } = (entry ?? {}) as { type?: unknown; address?: unknown };
  if (typeof type !== 'string' || !types.includes(type) || typeof address !== 'string') return [];
  const parsed = parseAddress(address);
  return parsed === undefined ? [] : [parsed];
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
