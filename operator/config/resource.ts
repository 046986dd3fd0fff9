/** The custom resource `EncryptionMesh` named `default`: what a person wishes (`spec`) and what the controller says of it (`status`). */
import type { Spec } from './schema.ts';

export const GROUP = 'sheath.dev';
export const VERSION = 'v1alpha1';
export const PLURAL = 'encryptionmeshes';
export const RESOURCE_NAME = 'default';
/** Collection and object. */
export const MESHES = `/apis/${GROUP}/${VERSION}/${PLURAL}`;
export const MESH = `${MESHES}/${RESOURCE_NAME}`;
/** Keeps `default` from going while nodes are still encrypted, or behind closed doors. */
export const FINALIZER = 'sheath.dev/disable-first';

export interface EncryptionMesh {
  readonly apiVersion: `${typeof GROUP}/${typeof VERSION}`;
  readonly kind: 'EncryptionMesh';
  readonly metadata: {
    readonly name: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    /** Raised by the API server when the spec changes: what `observedGeneration` compares with. */
    readonly generation?: number;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
  };
  readonly spec: Spec;
  readonly status?: MeshStatus;
}

/** Written by the controller alone, at most once a second. Times are RFC 3339. */
export interface MeshStatus {
  readonly observedGeneration?: number;
  /** The newest generation that every encrypted node sends on; absent while there is none. */
  readonly generation?: number;
  /** What that generation is made with. */
  readonly driver?: 'wireguard' | 'ipsec';
  readonly nodes?: {
    /** That take part: selected by `nodeSelector`. */
    readonly total: number;
    readonly encrypted: number;
    /** `3/3`, for the printer column. */
    readonly summary: string;
    /** That do not, each with the reason; the first 20 by name. */
    readonly waiting: readonly NodeReason[];
  };
  /** While one is under way. */
  readonly rotation?: RotationStatus;
  /** When the last rotation ended, or encryption was enabled: what `rotation.interval` counts from. */
  readonly lastRotationTime?: string;
  readonly conditions?: readonly Condition[];
}

export interface NodeReason {
  readonly node: string;
  /** A sentence that says what to do. */
  readonly reason: string;
}

export interface RotationStatus {
  readonly from: number;
  readonly to: number;
  /** What they are made with; they differ while the cluster moves from one to the other. */
  readonly fromDriver?: 'wireguard' | 'ipsec';
  readonly toDriver?: 'wireguard' | 'ipsec';
  readonly startedAt: string;
  /** How many nodes published the new key, sent their last packet on the old one, and withdrew the old one. */
  readonly published: number;
  readonly switched: number;
  readonly withdrawn: number;
  readonly total: number;
  /** Who holds it up now; the first 20 by name. */
  readonly waiting: readonly NodeReason[];
}

export interface Condition {
  readonly type: 'Ready' | 'Encrypted' | 'Rotating' | 'Degraded';
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase, stable. */
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

/**
 * What is wished, for agents and for the controller alike: of a resource that is being deleted, that everything goes. Its finalizer
 * keeps it until every node has done so.
 */
export function wishOf({ metadata, spec }: Pick<EncryptionMesh, 'metadata' | 'spec'>): Spec {
  return metadata.deletionTimestamp === undefined
    ? spec
    : { ...spec, encryption: 'none', mode: 'permissive' };
}
