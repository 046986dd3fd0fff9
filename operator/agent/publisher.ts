/**
 * Our annotations on our own Node: applied when they differ from what the watch shows, whoever changed them, and withdrawn by
 * applying none (server-side apply removes what its manager no longer names).
 */
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { type Clock, remaining } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { applied, type NodeMetadata, nodePath, parseNodeMetadata } from '../kube/node.ts';
import type { OwnNodeView } from '../records/source.ts';
import type { PublishStatus } from '../status.ts';
import { type Crowd, WriteShare } from './write-share.ts';

const FIELD_MANAGER = 'sheath-agent';
/** Milliseconds between two writes: whoever fights over them with us shall not make a storm. */
const PACE = 1_000;
/** Milliseconds until the watch must have shown what we wrote; then we believe the watch. */
const ECHO = 30_000;

export interface PublisherOptions {
  readonly client: KubeClient;
  readonly node: string;
  readonly clock: Clock;
  /** The annotations that are ours to write and to remove; all of them unless told otherwise. */
  readonly ours?: () => readonly string[];
  readonly onPublished: (changes: AnnotationChanges) => void;
}

const ALONE: Crowd = { nodes: 0, keyed: 0 };

/** What is to be written; `null`: to be removed. */
export type AnnotationChanges = Readonly<Record<string, string | null>>;

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #share: WriteShare;
  #status: PublishStatus;
  /** What the API server answered to our last write, until the watch shows it too. */
  #written: { readonly metadata: NodeMetadata; readonly at: number } | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#share = new WriteShare(options.node);
    this.#status = { state: 'pending', since: options.clock.now() };
  }

  get status(): PublishStatus {
    return this.#status;
  }

  /** How the Node stands to our best knowledge: the watch, or our own write where the watch lags behind it. */
  seen(view: OwnNodeView): NodeMetadata | undefined {
    if (view.state !== 'present') return undefined;
    const written = this.#written;
    if (written === undefined || written.metadata.uid !== view.metadata.uid) return view.metadata;
    const lagging = isOlder(view.metadata.resourceVersion, written.metadata.resourceVersion);
    return lagging && remaining(written.at, ECHO, this.#options.clock.now()) > 0
      ? written.metadata
      : view.metadata;
  }

  /**
   * Makes the Node carry `wanted` and no other annotation of ours. Returns milliseconds to come back after, when it is too early.
   * @throws KubeError
   */
  async publish(
    wanted: Readonly<Record<string, string>>,
    view: OwnNodeView,
    crowd: Crowd = ALONE,
  ): Promise<number | undefined> {
    const { client, node, clock, ours = allOurs, onPublished } = this.#options;
    const seen = this.seen(view);
    if (seen === undefined) return undefined;
    const changes = difference(wanted, seen.annotations, ours());
    const text = JSON.stringify(wanted);
    if (Object.keys(changes).length === 0) {
      this.#share.settled(text);
      this.#become(settled(wanted));
      return undefined;
    }
    const now = clock.now();
    const first = seen.annotations[ANNOTATIONS.generations] === undefined;
    const wait = Math.max(
      this.#written === undefined ? 0 : remaining(this.#written.at, PACE, now),
      this.#share.wait({ text, step: stepOf(wanted), first, crowd, now }),
    );
    if (wait > 0) return wait;
    try {
      this.#written = {
        metadata: await this.#apply(client, { node, uid: seen.uid, wanted, changes }),
        at: clock.now(),
      };
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    this.#share.settled(text);
    this.#become(settled(wanted));
    onPublished(changes);
    return undefined;
  }

  async #apply(
    client: KubeClient,
    {
      node,
      uid,
      wanted,
      changes,
    }: { node: string; uid: string; wanted: Readonly<Record<string, string>>; changes: AnnotationChanges },
  ): Promise<NodeMetadata> {
    const object = applied({ name: node, uid, annotations: wanted });
    const options = { fieldManager: FIELD_MANAGER, force: true, metadataOnly: true };
    let answer = parseNodeMetadata(await client.apply(nodePath(node), object, options));
    // An annotation that another manager wrote too survives our not naming it: taken, then dropped, it is gone.
    const foreign = Object.keys(changes).filter(
      (key) => changes[key] === null && answer?.annotations[key] !== undefined,
    );
    if (foreign.length > 0) {
      const removal = {
        metadata: { uid, annotations: Object.fromEntries(foreign.map((key) => [key, null])) },
      };
      answer = parseNodeMetadata(await client.merge(nodePath(node), removal));
    }
    if (answer === undefined)
      throw new KubeError('MALFORMED', `apply ${nodePath(node)}: the answer is not a Node`);
    return answer;
  }

  #fail(error: unknown): void {
    const code = error instanceof KubeError ? error.code : 'MALFORMED';
    const message = error instanceof Error ? error.message : String(error);
    this.#status = {
      state: 'failed',
      since: this.#status.state === 'failed' ? this.#status.since : this.#options.clock.now(),
      reason: { code, message },
    };
  }

  #become(state: PublishStatus['state']): void {
    if (this.#status.state !== state) this.#status = { state, since: this.#options.clock.now() };
  }
}

const allOurs = () => Object.values(ANNOTATIONS);

/** What must change so that `has` carries `wanted` and none else of `ours`. */
export function difference(
  wanted: Readonly<Record<string, string>>,
  has: Readonly<Record<string, string>>,
  ours: readonly string[],
): AnnotationChanges {
  const changes: Record<string, string | null> = {};
  for (const [key, value] of Object.entries(wanted)) if (has[key] !== value) changes[key] = value;
  for (const key of ours) if (wanted[key] === undefined && has[key] !== undefined) changes[key] = null;
  return changes;
}

/** What to tell a person whom the API server refused. */
export function wayOut(error: KubeError, node: string): string {
  switch (error.code) {
    case 'FORBIDDEN':
      return `the API server forbids this agent to change Node ${node}: what its message says must be met, or grant it patch on nodes (sheath manifests): ${error.message}`;
    case 'UNAUTHORIZED':
      return `the API server does not accept this agent's credentials: renew them: ${error.message}`;
    case 'NOT_FOUND':
    case 'CONFLICT':
    case 'INVALID':
      return `Node ${node} is not the one that this agent knew; it is read again: ${error.message}`;
    default:
      return error.message;
  }
}

/** Which step it is, whatever the keys are. */
function stepOf(wanted: Readonly<Record<string, string>>): string {
  return `${wanted[ANNOTATIONS.sending]} ${wanted[ANNOTATIONS.agent]}`;
}

function settled(wanted: Readonly<Record<string, string>>): 'published' | 'withdrawn' {
  return Object.keys(wanted).length === 0 ? 'withdrawn' : 'published';
}

function isOlder(version: string, than: string): boolean {
  return /^\d+$/.test(version) && /^\d+$/.test(than) && BigInt(version) < BigInt(than);
}
