/** The Lease object (coordination.k8s.io/v1), as far as leader election needs it. */
import { KubeError } from './errors.ts';

export interface SeenLease {
  /** `metadata.resourceVersion`; undefined: it was deleted meanwhile. */
  readonly version: string | undefined;
  /** Empty: nobody's. */
  readonly holder: string;
  /** Milliseconds; undefined where it does not say. */
  readonly duration: number | undefined;
  readonly transitions: number;
  readonly acquireTime: string | undefined;
}

/** Longer than that is nobody's intent. Seconds. */
const LONGEST = 3600;

/** @throws KubeError `MALFORMED` */
export function parseLease(object: unknown): SeenLease {
  const { metadata, spec = {} } = object as {
    metadata?: { resourceVersion?: unknown };
    spec?: Record<string, unknown>;
  };
  if (typeof metadata?.resourceVersion !== 'string')
    throw new KubeError('MALFORMED', 'the answer is not a Lease');
  const { holderIdentity, leaseDurationSeconds: seconds, leaseTransitions, acquireTime } = spec ?? {};
  const sane = typeof seconds === 'number' && seconds > 0 && seconds <= LONGEST;
  return {
    version: metadata.resourceVersion,
    holder: typeof holderIdentity === 'string' ? holderIdentity : '',
    duration: sane ? seconds * 1000 : undefined,
    transitions: typeof leaseTransitions === 'number' ? leaseTransitions : 0,
    acquireTime: typeof acquireTime === 'string' ? acquireTime : undefined,
  };
}

export interface LeaseClaim {
  readonly identity: string;
  /** Milliseconds. */
  readonly duration: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly before: SeenLease | undefined;
}

/** The `spec` by which `identity` takes the Lease, or renews it. */
export function leaseSpec({ identity, duration, now, before }: LeaseClaim): object {
  const microTime = new Date(now).toISOString().replace('Z', '000Z');
  const renews = before?.holder === identity;
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(duration / 1000),
    renewTime: microTime,
    acquireTime: renews ? (before.acquireTime ?? microTime) : microTime,
    leaseTransitions: (before?.transitions ?? -1) + (renews ? 0 : 1),
  };
}

export function leaseBody(named: { readonly name: string; readonly namespace: string }, spec: object) {
  const { name, namespace } = named;
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace },
    spec,
  };
}
