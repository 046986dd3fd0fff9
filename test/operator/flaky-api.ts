/** The embedded API's store behind a bad network, in virtual time: what is sent may come late, twice as late be answered, or get lost. */
import { RESOURCES, type Resource } from '../../lab/api/objects.ts';
import { route } from '../../lab/api/routes.ts';
import { StatusError } from '../../lab/api/status-error.ts';
import { Store } from '../../lab/api/store.ts';
import { type Write, Writes } from '../../lab/api/writes.ts';
import type { Clock } from '../../operator/clock.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { codeOfStatus, KubeError } from '../../operator/kube/errors.ts';
import { seeded } from './seeded.ts';

/** How one request fares; milliseconds. */
export interface Fate {
  readonly there: number;
  readonly back: number;
  readonly lost?: 'there' | 'back';
}

export class FlakyApi {
  readonly #store = new Store();
  readonly #writes = new Writes(this.#store);
  readonly #clock: Clock;
  writes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    const namespaces = RESOURCES.find(({ plural }) => plural === 'namespaces');
    if (namespaces === undefined) throw new Error('no namespaces');
    this.#writes.create(this.#write(namespaces, ''), { metadata: { name: 'sheath-system' } });
  }

  /** A client whose every request fares as `fate` says. */
  client(fate: () => Fate): Pick<KubeClient, 'get' | 'create' | 'merge'> {
    return {
      get: (path, options) => this.#send(fate(), options?.signal, () => this.#get(path)),
      create: (path, object, options) =>
        this.#send(fate(), options?.signal, () => {
          const { resource, namespace = '' } = found(path);
          return this.#counted(() => this.#writes.create(this.#write(resource, namespace), json(object)));
        }),
      merge: (path, patch, options) =>
        this.#send(fate(), options?.signal, () => {
          const { resource, namespace = '', name = '' } = found(path);
          const write = { ...this.#write(resource, namespace), name };
          return this.#counted(() => this.#writes.mergePatch(write, json(patch)));
        }),
    };
  }

  #get(path: string): unknown {
    const { resource, namespace = '', name = '' } = found(path);
    const object = this.#store.get(resource, { namespace, name });
    if (object === undefined) throw new StatusError(404, 'NotFound', path);
    return object;
  }

  #counted<T>(write: () => T): T {
    const answer = write();
    this.writes += 1;
    return answer;
  }

  /** What is given up by the signal still reaches the server. */
  #send(fate: Fate, signal: AbortSignal | undefined, serve: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (fate.lost === 'there') return;
      this.#clock.after(fate.there, () => {
        const answer = attempt(serve);
        if (fate.lost !== 'back')
          this.#clock.after(fate.back, () =>
            answer.error === undefined ? resolve(answer.value) : reject(answer.error),
          );
      });
    });
  }

  #write(resource: Resource, namespace: string): Write {
    return { resource, namespace, manager: 'test', force: false, now: '2026-01-01T00:00:00Z' };
  }
}

function found(path: string) {
  const place = route(path);
  if (place === undefined) throw new Error(`no such path: ${path}`);
  return place;
}

function attempt(serve: () => unknown): { value?: unknown; error?: KubeError } {
  try {
    return { value: serve() };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { error: new KubeError(codeOfStatus(error.code), error.message, { status: error.code }) };
  }
}

function json(object: object) {
  return JSON.parse(JSON.stringify(object));
}

/** Fates drawn from a seed: most requests fare well. */
export function badNetwork(seed: number): () => Fate {
  const random = seeded(seed);
  return () => {
    const there = random() < 0.2 ? random() * 12_000 : random() * 50;
    const back = random() < 0.1 ? random() * 12_000 : random() * 50;
    const dice = random();
    return { there, back, ...(dice < 0.1 ? { lost: 'there' } : dice < 0.2 ? { lost: 'back' } : {}) };
  };
}
