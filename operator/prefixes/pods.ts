/** The addresses of the pods on one node, by the API server's word. Pods of the host's own network have none of their own. */
import { parseAddress } from '../../mesh/address.ts';
import type { Address } from '../../mesh/types.ts';
import type { Clock } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeError } from '../kube/errors.ts';
import { reflect } from '../kube/reflector.ts';

export const PODS = '/api/v1/pods';

/** Which pods are on a node: what the API server has an index for. */
export function podsOn(node: string): string {
  return `spec.nodeName=${node}`;
}

export interface PodItem {
  readonly uid: string;
  /** None while it has none yet, and when it has ended: its network is gone then, its object may stay. */
  readonly addresses: readonly Address[];
}

/** Undefined when it is no object with a uid. */
export function parsePod(object: unknown): PodItem | undefined {
  const { metadata, spec, status } = (object ?? {}) as {
    metadata?: { uid?: unknown };
    spec?: { hostNetwork?: unknown };
    status?: { phase?: unknown; podIP?: unknown; podIPs?: unknown };
  };
  if (typeof metadata?.uid !== 'string') return undefined;
  const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  const has = !ended && spec?.hostNetwork !== true;
  return { uid: metadata.uid, addresses: has ? addressesIn(status) : [] };
}

function addressesIn(status: { podIP?: unknown; podIPs?: unknown } | undefined): readonly Address[] {
  const entries: readonly unknown[] = Array.isArray(status?.podIPs) ? status.podIPs : [{ ip: status?.podIP }];
  return entries.flatMap((entry) => {
    const { ip } = (entry ?? {}) as { ip?: unknown };
    return typeof ip === 'string' ? (parseAddress(ip) ?? []) : [];
  });
}

export interface PodAddressesOptions {
  readonly client: KubeClient;
  readonly node: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onChange: () => void;
  /** Undefined: it is over. */
  readonly onTrouble: (error: KubeError | undefined) => void;
  readonly onFault: (error: unknown) => void;
}

export class PodAddresses {
  readonly #options: PodAddressesOptions;
  readonly #pods = new Map<string, readonly Address[]>();
  #known = false;

  constructor(options: PodAddressesOptions) {
    this.#options = options;
  }

  /** Undefined until the first list. */
  addresses(): ReadonlySet<Address> | undefined {
    return this.#known ? new Set([...this.#pods.values()].flat()) : undefined;
  }

  /** Resolves when the signal aborted. */
  run(signal: AbortSignal): Promise<void> {
    const { client, node, clock, random, onChange, onTrouble, onFault } = this.#options;
    return reflect<PodItem>(
      {
        client,
        clock,
        random,
        path: PODS,
        fieldSelector: podsOn(node),
        keep: parsePod,
        handler: {
          replace: (pods) => {
            this.#pods.clear();
            for (const { uid, addresses } of pods) this.#pods.set(uid, addresses);
            this.#known = true;
            onChange();
          },
          upsert: ({ uid, addresses }) => {
            const before = this.#pods.get(uid) ?? [];
            this.#pods.set(uid, addresses);
            if (before.join() !== addresses.join()) onChange();
          },
          remove: ({ uid }) => {
            const before = this.#pods.get(uid) ?? [];
            this.#pods.delete(uid);
            if (before.length > 0) onChange();
          },
          trouble: onTrouble,
          failed: onFault,
        },
      },
      signal,
    );
  }
}
