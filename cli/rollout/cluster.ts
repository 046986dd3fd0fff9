/** The cluster as a rollout sees it: the resource, and what every Node published. Agents are not asked. */

import type { NodeOnItsWay } from '../../mesh/progress.ts';
import { parseRecord } from '../../mesh/record.ts';
import { systemClock } from '../../operator/clock.ts';
import {
  VERSION as API_VERSION,
  type EncryptionMesh,
  FINALIZER,
  GROUP,
  MESH,
  MESHES,
  RESOURCE_NAME,
} from '../../operator/config/resource.ts';
import { type Labels, selects } from '../../operator/config/selector.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import { NODES, parseNodeMetadata } from '../../operator/kube/node.ts';
import { type KubeClient, openCluster } from '../../operator/kube/open.ts';
import { reflect } from '../../operator/kube/reflector.ts';
import { parseMesh } from '../../operator/resource/parse.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { VERSION } from '../version.ts';
import type { AccessFlags } from './options.ts';

export interface RolloutNode extends NodeOnItsWay {
  readonly name: string;
  readonly labels: Labels;
}

export interface Snapshot {
  /** Undefined: there is none yet. */
  readonly mesh: EncryptionMesh | undefined;
  /** All Nodes, sorted by name. */
  readonly nodes: readonly RolloutNode[];
}

/** Nodes that take part, as the spec selects them. */
export function selected({ mesh, nodes }: Snapshot): readonly RolloutNode[] {
  const selector = mesh?.spec.nodeSelector ?? {};
  return nodes.filter(({ labels }) => selects(selector, labels));
}

/** Milliseconds that a timer takes (2^31 - 1). */
const LONGEST = 0x7fff_ffff;

export class RolloutCluster {
  readonly client: KubeClient;
  readonly #nodes = new Map<string, RolloutNode>();
  readonly #stop = new AbortController();
  readonly #context: Context;
  #listed: Promise<void> | undefined;
  #deadline: AbortSignal | undefined;
  #trouble: KubeError | undefined;

  private constructor(client: KubeClient, context: Context) {
    this.client = client;
    this.#context = context;
  }

  /** @param timeout as of `within` @throws OperatorError `KUBECONFIG_MISSING`, `KUBECONFIG_INVALID` */
  static async open(
    flags: AccessFlags,
    { timeout, context }: { readonly timeout?: number; readonly context: Context },
  ): Promise<RolloutCluster> {
    const access = { kubeconfig: flags.kubeconfig, context: flags.context, environment: context.env };
    const { client } = await openCluster(access, `sheath/${VERSION}`);
    const cluster = new RolloutCluster(client, context);
    if (timeout !== undefined) cluster.within(timeout);
    return cluster;
  }

  /** From now on what is asked must be answered in so many milliseconds, all in all; else `API_UNREACHABLE`. */
  within(milliseconds: number): void {
    this.#deadline = AbortSignal.timeout(Math.min(Math.ceil(milliseconds), LONGEST));
  }

  /** What keeps us from seeing more; undefined: nothing. */
  get trouble(): KubeError | undefined {
    return this.#trouble;
  }

  /** As of now: Nodes are watched from the first call on. @throws KubeError; CliError `CRD_MISSING`, `API_UNREACHABLE` */
  async snapshot(): Promise<Snapshot> {
    // First: it says in one line what is wrong where nobody answers.
    const mesh = await this.#readMesh();
    return { mesh, nodes: await this.nodes() };
  }

  /** All Nodes, sorted by name. @throws KubeError */
  async nodes(): Promise<readonly RolloutNode[]> {
    this.#listed ??= this.#watchNodes();
    await this.#inTime(this.#listed);
    return [...this.#nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Writes these fields of the spec and no others (`null` takes one away); makes the resource where there is none. Returns it as it is then.
   * What is to be encrypted is held by our finalizer from the first moment on: there may be no controller yet to put it.
   * @throws KubeError `CONFLICT` when it is not as in `seen` any more
   */
  async change(
    spec: Readonly<Record<string, unknown>>,
    seen: EncryptionMesh | undefined,
  ): Promise<EncryptionMesh> {
    const held = finalizers(spec, seen);
    if (seen === undefined) {
      const object = {
        apiVersion: `${GROUP}/${API_VERSION}`,
        kind: 'EncryptionMesh',
        metadata: { name: RESOURCE_NAME, ...held },
        spec,
      };
      return readMesh(
        await this.#inTime(this.client.create(MESHES, object, { signal: this.#context.signal })),
      );
    }
    const { resourceVersion } = seen.metadata;
    const metadata = { ...held, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    const { signal } = this.#context;
    return readMesh(await this.#inTime(this.client.merge(MESH, { metadata, spec }, { signal })));
  }

  close(): void {
    this.#stop.abort();
    this.client.close();
  }

  /** What was asked goes on: it ends with the client. */
  async #inTime<T>(asked: Promise<T>): Promise<T> {
    const deadline = this.#deadline;
    if (deadline === undefined) return asked;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const end = () => reject(notInTime());
    deadline.addEventListener('abort', end, { once: true });
    if (deadline.aborted) end();
    try {
      return await Promise.race([asked, late]);
    } finally {
      deadline.removeEventListener('abort', end);
    }
  }

  async #readMesh(): Promise<EncryptionMesh | undefined> {
    const { signal } = this.#context;
    try {
      return readMesh(await this.#inTime(this.client.get(MESH, { signal })));
    } catch (error) {
      if (!(error instanceof KubeError && error.code === 'NOT_FOUND')) throw error;
      await this.#requireDefinition();
      return undefined;
    }
  }

  /** Not found may mean the object, or the whole kind. */
  async #requireDefinition(): Promise<void> {
    try {
      for await (const _ of this.client.list(MESHES, { limit: 1, signal: this.#context.signal })) return;
    } catch (cause) {
      if (!(cause instanceof KubeError && cause.code === 'NOT_FOUND')) throw cause;
      throw new CliError(
        'this cluster does not know the resource EncryptionMesh: install Sheath first (sheath manifests | kubectl apply -f -)',
        { code: 'CRD_MISSING', exitCode: EXIT.wrong, cause },
      );
    }
  }

  #watchNodes(): Promise<void> {
    return new Promise((resolve, reject) => {
      let listed = false;
      const handler = {
        replace: (items: readonly RolloutNode[]) => {
          this.#nodes.clear();
          for (const node of items) this.#nodes.set(node.name, node);
          listed = true;
          resolve();
        },
        upsert: (node: RolloutNode) => void this.#nodes.set(node.name, node),
        remove: (node: RolloutNode) => void this.#nodes.delete(node.name),
        trouble: (error: KubeError | undefined) => {
          this.#trouble = error;
          if (!listed && error !== undefined) reject(error);
        },
      };
      const options = {
        client: this.client,
        path: NODES,
        metadataOnly: true,
        keep,
        handler,
        clock: systemClock,
        random: Math.random,
      };
      void reflect(options, AbortSignal.any([this.#stop.signal, this.#context.signal]));
    });
  }
}

function notInTime(): CliError {
  return new CliError('the API server did not answer in the time given by --timeout', {
    code: 'API_UNREACHABLE',
    exitCode: EXIT.unreachable,
  });
}

/** None to be written where nothing is switched on, and none that is new of what is being deleted: the API server takes no such. */
function finalizers(
  { encryption = 'none' }: Readonly<Record<string, unknown>>,
  seen: EncryptionMesh | undefined,
): { readonly finalizers?: readonly string[] } {
  const { finalizers: has = [], deletionTimestamp } = seen?.metadata ?? {};
  if (
    encryption === 'none' ||
    encryption === null ||
    deletionTimestamp !== undefined ||
    has.includes(FINALIZER)
  )
    return {};
  return { finalizers: [...has, FINALIZER] };
}

function keep(object: unknown): RolloutNode | undefined {
  const metadata = parseNodeMetadata(object);
  if (metadata === undefined) return undefined;
  const { labels } = (object as { metadata: { labels?: unknown } }).metadata;
  const known = textsOf(labels);
  return { name: metadata.name, record: parseRecord(metadata), labels: known, os: known['kubernetes.io/os'] };
}

function textsOf(labels: unknown): Labels {
  if (typeof labels !== 'object' || labels === null) return {};
  return Object.fromEntries(
    Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** What is wished, of one that is being deleted too. @throws OperatorError `CONFIG_INVALID` */
function readMesh(object: unknown): EncryptionMesh {
  // The API server checked its shape; the spec is checked as the agents do it.
  const mesh = object as EncryptionMesh;
  return { ...mesh, spec: parseMesh(object).spec };
}
