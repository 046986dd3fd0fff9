/** A modelled API server: Nodes and the wish of the people; far away, cut off, or with a watch that tells nothing new. */
import type { Target } from '../../mesh/stance.ts';
import { NODES, type NodeMetadata, parseNodeMetadata } from '../../operator/kube/node.ts';
import { Store } from './store.ts';
import type { Time } from './time.ts';

/** Its `version` is raised with every change. */
export type Wish = Pick<Target, 'encryption' | 'mode' | 'generation' | 'passOver'> & {
  readonly version: number;
};

export const WISHES = '/wishes';
const WISH = 'default';

export class Api {
  readonly time: Time;
  readonly random: () => number;
  readonly store: Store;
  /** Nodes that do not reach it; and until when the watches of a node tell nothing new. */
  readonly cut = new Set<string>();
  readonly stale = new Map<string, number>();
  writes = 0;
  #wish: Wish;
  readonly #waiting = new Set<() => void>();

  constructor(time: Time, random: () => number, wish: Omit<Wish, 'version'>) {
    this.time = time;
    this.random = random;
    this.store = new Store(() => time.now());
    this.store.onChange = () => this.#move();
    this.#wish = { ...wish, version: 1 };
    this.store.create(WISHES, { metadata: { name: WISH }, spec: this.#wish });
  }

  get nodes(): readonly NodeMetadata[] {
    return this.store.list(NODES).flatMap((object) => parseNodeMetadata(object) ?? []);
  }

  get wish(): Wish {
    return this.#wish;
  }

  has(node: string): boolean {
    return this.store.has(NODES, node);
  }

  register(node: string): void {
    this.store.create(NODES, { metadata: { name: node } });
  }

  remove(node: string): void {
    this.store.delete(NODES, node);
  }

  say(wish: Partial<Wish>): void {
    this.#wish = { ...this.#wish, ...wish, version: this.#wish.version + 1 };
    this.store.replace(WISHES, WISH, this.#wish);
  }

  /** What it has under way is broken off. */
  disconnect(node: string): void {
    this.cut.add(node);
    this.#move();
  }

  reconnect(node: string): void {
    this.cut.delete(node);
  }

  /** Whoever is cut off or late is so no more. */
  heal(): void {
    this.cut.clear();
    this.stale.clear();
    this.#move();
  }

  /** Resolves when something was changed, by whomever, or after so many milliseconds. */
  moved(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        callOff();
        this.#waiting.delete(done);
        resolve();
      };
      const callOff = this.time.after(ms, done);
      this.#waiting.add(done);
    });
  }

  #move(): void {
    for (const done of [...this.#waiting]) done();
  }
}
