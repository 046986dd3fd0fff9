/**
 * What the agent goes by: flags, environment, file, resource, default, and the node's own labels. Pure bookkeeping: it is told what came
 * and says what holds.
 *
 * What cannot be followed changes nothing: the last good resource stays in force, and a problem says so.
 */
import type { AgentFacts } from '../../mesh/types.ts';
import type { LiveConfig } from '../agent/live.ts';
import type { ProblemFacts } from '../agent/problems.ts';
import type { Layer } from '../config/load.ts';
import { type ResolvedConfig, resolveConfig } from '../config/resolve.ts';
import { RESOURCE_NAME } from '../config/resource.ts';
import { type Labels, selects } from '../config/selector.ts';
import { OperatorError } from '../errors.ts';
import type { ResourceStatus } from '../status.ts';
import { type Mesh, parseMesh, resourceLayer } from './parse.ts';

export interface LayeredConfigOptions {
  /** What people said on this machine: `loadLayers`, best first. */
  readonly layers: readonly Layer[];
  /** The same object until something changed. */
  readonly facts: () => Pick<AgentFacts, 'version' | 'cannot'>;
  /** Of our own Node; undefined while it is not known. */
  readonly labels: () => Labels | undefined;
}

/** A resource that goes with all the layers; or the layers alone. */
export interface Good {
  readonly mesh: Mesh | undefined;
  readonly config: ResolvedConfig;
}

interface Made {
  readonly of: readonly unknown[];
  readonly value: LiveConfig;
}

/** Where encryption was spoken of by somebody on this machine. */
const SPOKEN: readonly string[] = ['flag', 'environment', 'file'];

export class LayeredConfig {
  readonly #options: LayeredConfigOptions;
  #good: Good;
  /** Whether the API server told of the resource what we go by now: the resource, or that there is none. */
  #heard = false;
  #state: ResourceStatus['state'] = 'unknown';
  #problem: ProblemFacts | undefined;
  /** For who reads our Node only. */
  #refused: string | undefined;
  #made: Made | undefined;

  /** @throws OperatorError when the layers alone are wrong */
  constructor(options: LayeredConfigOptions) {
    this.#options = options;
    this.#good = { mesh: undefined, config: resolveConfig(options.layers) };
  }

  /** The last good resource, from the disk. Whether it can be followed still: flags may have changed meanwhile. */
  keptBefore(object: unknown): boolean {
    const taken = this.#tried(object);
    if (taken === undefined) return false;
    this.#good = taken;
    return true;
  }

  /** What to `follow`; undefined: this resource cannot be followed, and that is a problem now. */
  check(object: unknown): Good | undefined {
    const good = this.#tried(object);
    if (good === undefined) this.#state = 'refused';
    return good;
  }

  follow(good: Good): void {
    this.#good = good;
    this.#heard = true;
    this.#state = 'followed';
    this.#problem = undefined;
    this.#refused = undefined;
  }

  /** The API server has no such resource, or does not know its kind. */
  gone(): void {
    const { mesh, config } = this.#good;
    // One that wished for nothing takes nothing with it.
    const missed = mesh !== undefined && config.mesh.encryption !== 'none';
    this.#heard = !missed;
    this.#state = missed ? 'gone' : 'absent';
    this.#refused = undefined;
    this.#problem = missed
      ? {
          code: 'RESOURCE_GONE',
          message: `EncryptionMesh ${RESOURCE_NAME} is gone; its generation ${mesh.generation} stays in force. Apply it again, or switch off with sheath disable`,
        }
      : undefined;
  }

  get problems(): readonly ProblemFacts[] {
    return this.#problem === undefined ? [] : [this.#problem];
  }

  get status(): ResourceStatus {
    const { mesh } = this.#good;
    return {
      state: this.#state,
      ...(mesh === undefined ? {} : { observedGeneration: mesh.generation }),
      ...(mesh?.deleting === true ? { deleting: true } : {}),
      unknownFields: mesh?.unknown ?? [],
    };
  }

  /** The same object until something changed. */
  live(): LiveConfig {
    const labels = this.#options.labels();
    const facts = this.#options.facts();
    const of = [this.#good, this.#heard, this.#state, this.#problem, labels, facts];
    const made = this.#made;
    if (made?.of.every((input, at) => input === of[at]) === true) return made.value;
    const value = this.#make(labels, facts);
    this.#made = { of, value };
    return value;
  }

  #make(labels: Labels | undefined, { version, cannot }: Pick<AgentFacts, 'version' | 'cannot'>): LiveConfig {
    const { mesh, config } = this.#good;
    const { encryption, nodeSelector } = config.view;
    const source = encryption?.source ?? 'default';
    const isOff = config.spec.encryption === 'none';
    const selected = isEmpty(config) || (labels !== undefined && selects(config.spec.nodeSelector, labels));
    return {
      config: selected
        ? config
        : { ...config, mesh: { ...config.mesh, encryption: 'none', mode: 'permissive' } },
      facts: {
        version,
        cannot: this.#refused === undefined ? cannot : [this.#refused, ...cannot],
        ...(mesh === undefined ? {} : { observedGeneration: mesh.generation }),
        ...(selected ? {} : { takesPart: false }),
      },
      publishFacts: !(isOff && SPOKEN.includes(source)),
      basis: this.#basis(selected || labels !== undefined),
      ...(selected
        ? {}
        : {
            notSelected: `not selected by nodeSelector ${JSON.stringify(nodeSelector?.value)} (${nodeSelector?.name ?? 'default'})`,
          }),
    };
  }

  #basis(labelsKnown: boolean): LiveConfig['basis'] {
    if (!labelsKnown) return 'nothing';
    if (this.#heard) return 'api';
    if (this.#good.mesh !== undefined) return 'disk';
    return SPOKEN.includes(this.#good.config.view.encryption?.source ?? '') ? 'layers' : 'nothing';
  }

  #tried(object: unknown): Good | undefined {
    try {
      const mesh = parseMesh(object);
      return { mesh, config: resolveConfig([...this.#options.layers, resourceLayer(mesh)]) };
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      this.#problem = { code: error.code, message: this.#refusal(error.message) };
      this.#refused = `config: the resource is not followed: ${error.message.split('\n')[0]}`;
      return undefined;
    }
  }

  #refusal(why: string): string {
    const { mesh } = this.#good;
    const instead =
      mesh === undefined
        ? 'what flags, environment and file say stays in force'
        : `its generation ${mesh.generation} stays in force`;
    return `EncryptionMesh ${RESOURCE_NAME} cannot be followed: ${why}; ${instead}. Correct it: kubectl edit encryptionmesh ${RESOURCE_NAME}`;
  }
}

/** Takes in every node, whatever its labels. */
function isEmpty({ spec: { nodeSelector } }: ResolvedConfig): boolean {
  return Object.values(nodeSelector).every((part) => part === undefined || Object.keys(part).length === 0);
}
