/** Watches the one `EncryptionMesh`, keeps the last good one on disk, and tells `LayeredConfig` what came. */
import type { Logger } from 'pino';
import type { ProblemFacts } from '../agent/problems.ts';
import { type Clock, pause } from '../clock.ts';
import { MESHES, RESOURCE_NAME } from '../config/resource.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeError } from '../kube/errors.ts';
import { reflect } from '../kube/reflector.ts';
import { saveResource } from './kept.ts';
import type { LayeredConfig } from './live.ts';

export interface FollowOptions {
  readonly config: LayeredConfig;
  readonly client: KubeClient;
  readonly stateDir: string;
  /** What the disk holds. */
  readonly kept: unknown;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** What `LayeredConfig.live` says may be another. */
  readonly onChange: () => void;
  /** All that is wrong with the resource now. */
  readonly onProblems: (problems: readonly ProblemFacts[]) => void;
}

/** Milliseconds between two looks for a kind of resource that the API server does not know. */
const NO_SUCH_KIND = 30_000;
/** Milliseconds until a file that could not be written is tried again. */
const SAVE_AGAIN = 30_000;
/** The watch of the Nodes tells of every other trouble too. */
const OUR_TROUBLES: readonly string[] = ['FORBIDDEN', 'UNAUTHORIZED', 'MALFORMED', 'INVALID'];

export class ResourceFollower {
  readonly #options: FollowOptions;
  /** One after the other: what came last is what holds. */
  #work: Promise<void> = Promise.resolve();
  /** What came last, as text, whether good or not. */
  #last = '';
  /** What the disk holds, as text. */
  #saved: string;
  #unsaved: Wish | undefined;
  #saveError: ProblemFacts | undefined;
  #trouble: ProblemFacts | undefined;
  #told = '';

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#saved = JSON.stringify(options.kept ?? null);
  }

  /** Resolves when the signal aborted and nothing is under way. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, random, log } = this.#options;
    this.#tell();
    const savingAgain = this.#saveAgain(signal);
    await reflect<Wish>(
      {
        client,
        clock,
        random,
        path: MESHES,
        fieldSelector: `metadata.name=${RESOURCE_NAME}`,
        keep: wishIn,
        waitAfter: ({ code }) => (code === 'NOT_FOUND' ? NO_SUCH_KIND * (0.75 + random() / 2) : 0),
        handler: {
          replace: ([wish]) => this.#then(() => (wish === undefined ? this.#gone() : this.#came(wish))),
          upsert: (wish) => this.#then(() => this.#came(wish)),
          remove: () => this.#then(() => this.#gone()),
          trouble: (error) => this.#then(() => this.#troubled(error)),
          failed: (error) => log.error({ event: 'fault', err: error }, 'the resource could not be taken in'),
        },
      },
      signal,
    );
    await savingAgain;
    await this.#work;
  }

  #then(work: () => void | Promise<void>): void {
    const { log } = this.#options;
    this.#work = this.#work
      .then(work)
      .then(() => this.#tell())
      .catch((error: unknown) =>
        log.error({ event: 'fault', err: error }, 'the resource could not be taken in'),
      );
  }

  async #came(wish: Wish): Promise<void> {
    const { config, onChange } = this.#options;
    const text = JSON.stringify(wish);
    // The controller writes its status every now and then.
    if (text === this.#last) return;
    this.#last = text;
    const good = config.check(wish);
    // Our Node is to say that we do not follow.
    if (good === undefined) return onChange();
    // On disk first: a node that boots in the next moment shall not go by what was before, least of all with its door open.
    await this.#save(wish);
    config.follow(good);
    this.#sayFollowed();
    onChange();
  }

  #sayFollowed(): void {
    const { config, log } = this.#options;
    const { observedGeneration, unknownFields } = config.status;
    log.info(
      { event: 'resource', generation: observedGeneration },
      `follows EncryptionMesh ${RESOURCE_NAME}`,
    );
    if (unknownFields.length > 0)
      log.warn(
        { event: 'resource', fields: unknownFields },
        `this version does not know these fields of the resource: ${unknownFields.join(', ')}`,
      );
  }

  #gone(): void {
    const { config, onChange } = this.#options;
    const before = config.status.state;
    this.#last = '';
    config.gone();
    if (config.status.state !== before) onChange();
  }

  #troubled(error: KubeError | undefined): void {
    // The kind is not there, and so none of it.
    if (error?.code === 'NOT_FOUND') this.#gone();
    this.#trouble =
      error === undefined || !OUR_TROUBLES.includes(error.code)
        ? undefined
        : {
            code: error.code,
            message: `cannot read EncryptionMesh ${RESOURCE_NAME}: grant this agent get, list and watch on encryptionmeshes: ${error.message}`,
          };
  }

  async #save(wish: Wish): Promise<void> {
    const { stateDir } = this.#options;
    const text = JSON.stringify(wish);
    if (text === this.#saved) return;
    try {
      await saveResource(stateDir, wish);
      this.#saved = text;
      this.#unsaved = undefined;
      this.#saveError = undefined;
    } catch (error) {
      this.#unsaved = wish;
      this.#saveError = {
        code: 'RESOURCE_NOT_KEPT',
        message: `cannot keep the resource in ${stateDir}: a boot without the API server would go by an older one: ${String(error)}`,
      };
    }
  }

  async #saveAgain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(this.#options.clock, SAVE_AGAIN, signal);
      const wish = this.#unsaved;
      if (wish !== undefined && !signal.aborted) this.#then(() => this.#save(wish));
    }
  }

  #tell(): void {
    const all = [...this.#options.config.problems, this.#saveError, this.#trouble].filter(
      (problem) => problem !== undefined,
    );
    const text = JSON.stringify(all);
    if (text === this.#told) return;
    this.#told = text;
    this.#options.onProblems(all);
  }
}

/** Of the object what makes it another wish: neither its status nor who wrote which field. */
interface Wish {
  readonly metadata: {
    readonly name: typeof RESOURCE_NAME;
    readonly uid: unknown;
    readonly generation: unknown;
    readonly deletionTimestamp?: unknown;
  };
  readonly spec: unknown;
}

function wishIn(object: unknown): Wish | undefined {
  const { metadata, spec } = (object ?? {}) as { metadata?: Partial<Wish['metadata']>; spec?: unknown };
  if (metadata?.name !== RESOURCE_NAME) return undefined;
  const { name, uid, generation, deletionTimestamp } = metadata;
  return {
    metadata: { name, uid, generation, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
    spec,
  };
}
