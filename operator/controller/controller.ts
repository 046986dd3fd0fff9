/**
 * What the leader does: one turn at a time, each from all that is known, never two within a second.
 *
 *   Nodes, resource, the clock ──▶ turn: finalizer ──▶ status ──▶ Events ──▶ scheduled rotation
 *
 * It writes the resource and Events and nothing else, each write naming the resourceVersion that it rests on: one that comes late, from a
 * leader that is none any more, is refused. No node waits for any of it.
 */
import type { Logger } from 'pino';
import { type Clock, remaining } from '../clock.ts';
import { MESHES, type MeshStatus } from '../config/resource.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import type { SaidEvent } from '../kube/events.ts';
import { reflect } from '../kube/reflector.ts';
import { WorkQueue } from '../workqueue.ts';
import { encryptedNodes } from './facts.ts';
import { wantedFinalizers } from './finalizer.ts';
import { happenings, lost, orphaned } from './happenings.ts';
import { keepMesh, newest, type SeenMesh } from './mesh.ts';
import type { ClusterNode } from './node.ts';
import { ClusterNodes } from './nodes.ts';
import { schedule } from './schedule.ts';
import { meshStatus } from './status.ts';
import { MeshWriter, NotLeading, type Written } from './writer.ts';

export interface ControllerParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly say: (event: SaidEvent) => void;
  readonly count: ControllerCounters;
  /** Asked before every write. */
  readonly leading: () => boolean;
}

export interface ControllerCounters {
  turn(seconds: number): void;
  write(what: Written): void;
  error(part: string, code: string): void;
}

/** Milliseconds between two turns, and so between two writes of the status. */
const PACE = 1_000;
/** A turn at least this often: conditions depend on the clock. */
const REST = 30_000;

export class Controller {
  readonly #parts: ControllerParts;
  readonly #queue: WorkQueue<'turn'>;
  readonly #nodes: ClusterNodes;
  readonly #writer: MeshWriter;
  readonly #ending = new AbortController();
  #seen: SeenMesh | undefined;
  #meshListed = false;
  #turnedAt = Number.NEGATIVE_INFINITY;
  #encrypted: ReadonlySet<string> = new Set();
  #status: MeshStatus | undefined;
  /** What the last turn was about. */
  #last: SeenMesh | undefined;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    const { client, clock, random, leading, count } = parts;
    this.#writer = new MeshWriter({
      client,
      leading,
      onWrite: (what) => count.write(what),
      signal: this.#ending.signal,
    });
    this.#queue = new WorkQueue({
      work: () => this.#turn(),
      failed: (_key, error) => this.#failed('turn', error),
      clock,
      random,
      firstRetry: PACE,
    });
    this.#nodes = new ClusterNodes({
      client,
      clock,
      random,
      onChange: () => this.#turnDue(),
      onTrouble: (error) => this.#trouble('nodes', error),
      onFault: (error) => this.#failed('nodes', error),
    });
  }

  /** What was said last of the mesh. */
  get status(): MeshStatus | undefined {
    return this.#status;
  }

  /** Resolves when the signal aborted and nothing is under way. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#ending.abort(), { once: true });
    if (signal.aborted) this.#ending.abort();
    await Promise.all([this.#nodes.run(this.#ending.signal), this.#watchMesh()]);
    await this.#queue.close();
  }

  #watchMesh(): Promise<void> {
    const { client, clock, random } = this.#parts;
    const see = (mesh: SeenMesh | undefined) => {
      this.#seen = mesh;
      this.#turnDue();
    };
    const handler = {
      replace: (items: readonly SeenMesh[]) => {
        this.#meshListed = true;
        see(items[0]);
      },
      upsert: (mesh: SeenMesh) => see(mesh),
      remove: () => see(undefined),
      trouble: (error: KubeError | undefined) =>
        // Before the definition is installed there is nothing to do.
        this.#trouble('resource', error?.code === 'NOT_FOUND' ? undefined : error),
      failed: (error: unknown) => this.#failed('resource', error),
    };
    return reflect({ client, clock, random, path: MESHES, keep: keepMesh, handler }, this.#ending.signal);
  }

  #turnDue(): void {
    this.#queue.addAfter('turn', remaining(this.#turnedAt, PACE, this.#parts.clock.now()));
  }

  async #turn(): Promise<void> {
    const nodes = this.#nodes.list();
    const { clock, count } = this.#parts;
    if (nodes === undefined || !this.#meshListed) return;
    const early = remaining(this.#turnedAt, PACE, clock.now());
    if (early > 0) return this.#queue.addAfter('turn', early);
    this.#turnedAt = clock.now();
    this.#queue.addAfter('turn', REST);
    const mesh = newest(this.#seen, this.#writer.written);
    if (mesh === undefined) return this.#forget(nodes);
    this.#last = mesh;
    const startedAt = performance.now();
    await this.#tend(mesh, nodes);
    count.turn((performance.now() - startedAt) / 1000);
  }

  #forget(nodes: readonly ClusterNode[]): void {
    for (const event of this.#last === undefined ? [] : orphaned(this.#last, nodes)) this.#parts.say(event);
    this.#last = undefined;
    this.#status = undefined;
    this.#encrypted = new Set();
  }

  async #tend(found: SeenMesh, nodes: readonly ClusterNode[]): Promise<void> {
    const now = this.#parts.clock.now();
    const held = await this.#finalize(found, nodes);
    if (held === undefined) return;
    const status = meshStatus({ mesh: held, nodes, previous: held.status, now });
    const turned = { mesh: held, nodes, previous: held.status, status, now };
    const mesh = await this.#writer.status(held, status);
    this.#status = status;
    for (const event of [...happenings(turned), ...lost(turned, this.#encrypted)]) this.#parts.say(event);
    this.#encrypted = new Set(encryptedNodes(turned).map(({ name }) => name));
    const next = schedule({ mesh, nodes, status, now });
    if (next.kind === 'wait') this.#queue.addAfter('turn', Math.min(REST, next.until - now));
    if (next.kind !== 'raise') return;
    const { generation } = next;
    await this.#writer.generation(mesh, generation);
    this.#parts.log.info(
      { event: 'rotation', generation },
      `scheduled: rotation to generation ${generation}`,
    );
    this.#turnDue();
  }

  /** Undefined when there is nothing left to speak of. */
  async #finalize(mesh: SeenMesh, nodes: readonly ClusterNode[]): Promise<SeenMesh | undefined> {
    const finalizers = wantedFinalizers(mesh, nodes);
    if (finalizers === undefined) return mesh;
    const { deletionTimestamp } = mesh.metadata;
    const written = await this.#writer.finalizers(mesh, finalizers);
    if (deletionTimestamp === undefined || finalizers.length > 0) return written;
    this.#parts.log.info({ event: 'released' }, 'every node is off: the resource may go');
    return undefined;
  }

  #failed(part: string, error: unknown): void {
    if (error instanceof NotLeading || this.#ending.signal.aborted) return;
    const code = error instanceof KubeError ? error.code : 'INTERNAL';
    const { log, count } = this.#parts;
    count.error(part, code);
    // Somebody else wrote meanwhile, or it is gone: the watch will tell.
    const level = code === 'CONFLICT' || code === 'NOT_FOUND' ? 'debug' : 'warn';
    log[level](
      { event: 'failed', part, code, err: error },
      error instanceof Error ? error.message : `${error}`,
    );
  }

  #trouble(part: string, error: KubeError | undefined): void {
    if (error !== undefined && error.code !== 'GONE') this.#failed(part, error);
  }
}
