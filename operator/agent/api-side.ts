/** What the agent asks of the API server and of its disk, one thing of a kind at a time, each tried again when it fails. */

import type { NodeRecord } from '../../mesh/types.ts';
import { remaining } from '../clock.ts';
import { OperatorError } from '../errors.ts';
import { KubeError } from '../kube/errors.ts';
import { nodePath, parseNode, type VouchedMetadata } from '../kube/node.ts';
import { WorkQueue } from '../workqueue.ts';
import type { AgentParts } from './agent.ts';
import { ownNodeOf, published, sameLabels, sameOwnNode } from './own-node.ts';
import { OWN_NODE_PACE, OWN_NODE_REST, SAVE_AFTER, TOUCH_EVERY } from './pace.ts';
import { wayOut } from './publisher.ts';
import type { Crowd } from './write-share.ts';

type Key = 'own' | 'publish' | 'save' | 'touch';

function crowdOf(records: readonly NodeRecord[]): Crowd {
  return { nodes: records.length, keyed: records.filter(({ generations }) => generations.length > 0).length };
}

export interface ApiSideEvents {
  /** Something that the kernel must follow. */
  readonly turnDue: () => void;
  /** The agent cannot go on. */
  readonly died: (error: OperatorError) => void;
}

/** After these the Node is read again: it is gone, or another one of that name. */
const ANOTHER_NODE: readonly string[] = ['NOT_FOUND', 'CONFLICT', 'INVALID'];

export class ApiSide {
  readonly #parts: AgentParts;
  readonly #events: ApiSideEvents;
  readonly #queue: WorkQueue<Key>;
  #unsaved = false;
  #ownReadAt = Number.NEGATIVE_INFINITY;
  /** As it was read last. */
  #node: VouchedMetadata | undefined;

  constructor(parts: AgentParts, events: ApiSideEvents) {
    this.#parts = parts;
    this.#events = events;
    this.#queue = new WorkQueue<Key>({
      work: (key) => this.#work(key),
      failed: (key, error) => this.#failed(key, error),
      clock: parts.clock,
      random: parts.random,
      workers: 4,
      firstRetry: 250,
    });
  }

  start(): void {
    this.#queue.add('own');
    this.#queue.addAfter('touch', TOUCH_EVERY);
  }

  /** What our Node is to carry, or carries, may have changed. */
  publish(): void {
    this.#queue.add('publish');
  }

  /** What we know is no longer what the disk holds. */
  known(): void {
    this.#unsaved = true;
    this.#queue.addAfter('save', SAVE_AFTER);
  }

  /** The watch told something of our own Node. */
  ownMoved(): void {
    const { records, mesher, clock } = this.#parts;
    this.#queue.add('publish');
    this.ownPrefixes();
    const view = records.own();
    const stranger =
      view.state !== 'present' ||
      view.metadata.uid !== mesher.own?.uid ||
      !sameLabels(view.metadata.labels, mesher.own.labels);
    this.#queue.addAfter('own', stranger ? 0 : remaining(this.#ownReadAt, OWN_NODE_PACE, clock.now()));
  }

  /** Ends what is under way, and puts on disk what is not there yet. */
  async close(): Promise<void> {
    await this.#queue.close();
    if (!this.#unsaved) return;
    await this.#parts
      .save()
      .catch((error: unknown) => this.#parts.log.warn({ event: 'save', err: error }, 'not saved'));
  }

  #work(key: Key): Promise<void> {
    switch (key) {
      case 'own':
        return this.#readOwn();
      case 'publish':
        return this.#publish();
      case 'save':
        return this.#save();
      case 'touch':
        return this.#touch();
    }
  }

  async #readOwn(): Promise<void> {
    const { client, node, clock } = this.#parts;
    this.#node = parseNode(await client.get(nodePath(node)));
    this.#ownReadAt = clock.now();
    this.#queue.addAfter('own', OWN_NODE_REST);
    this.ownPrefixes();
  }

  /** What is behind our Node may have changed. */
  ownPrefixes(): void {
    const { mesher, narrator, prefixes, live } = this.#parts;
    if (this.#node === undefined) return;
    const behind = prefixes.of(this.#node.podCIDRs);
    if (behind === undefined) return;
    const own = ownNodeOf(this.#node, behind);
    narrator.ownNode(own, live().config.mesh.prefixSource);
    if (sameOwnNode(mesher.own, own)) return;
    mesher.own = own;
    this.known();
    this.publish();
    this.#events.turnDue();
  }

  async #publish(): Promise<void> {
    const { mesher, records, publisher, narrator, live } = this.#parts;
    if (mesher.wanted === undefined || records.status().source !== 'api') return;
    const wanted = published(mesher.wanted, mesher.own ?? {}, live().config.mesh.prefixSource);
    const before = publisher.seen(records.own());
    const wait = await publisher.publish(wanted, records.own(), crowdOf(records.records()));
    if (wait !== undefined) return this.#queue.addAfter('publish', wait);
    narrator.published();
    // What was withdrawn frees the next step of the withdrawal. Where nothing was written nothing is freed: a turn would ask for this again, for ever.
    if (mesher.withdrawing && publisher.seen(records.own()) !== before) this.#events.turnDue();
  }

  async #save(): Promise<void> {
    if (this.#parts.mesher.own === undefined) return;
    this.#unsaved = false;
    try {
      await this.#parts.save();
    } catch (error) {
      this.#unsaved = true;
      throw error;
    }
    this.#parts.narrator.wentWell('save');
  }

  async #touch(): Promise<void> {
    const { records, clock, touch, narrator } = this.#parts;
    this.#queue.addAfter('touch', TOUCH_EVERY);
    if (records.status().connected) await touch(clock.now());
    narrator.wentWell('touch');
  }

  #failed(key: Key, error: unknown): void {
    const { node, mesher, narrator } = this.#parts;
    const code = error instanceof KubeError ? error.code : undefined;
    if (key === 'own' && code === 'NOT_FOUND' && mesher.own === undefined) {
      const message = `there is no Node ${node}: give the name that kubectl get nodes shows with --node-name`;
      this.#events.died(new OperatorError('NODE_NOT_FOUND', message, { cause: error }));
    }
    narrator.callFailed(key, error, error instanceof KubeError ? wayOut(error, node) : String(error));
    if (key === 'publish' && code !== undefined && ANOTHER_NODE.includes(code)) this.#queue.add('own');
  }
}
