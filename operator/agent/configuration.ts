/** The agent's configuration, put together: what people said here, the resource as the disk and the API server have it, and our own labels. */
import type { Logger } from 'pino';
import type { AgentFacts, MeshConfig } from '../../mesh/types.ts';
import { preflight } from '../../tunnels/preflight.ts';
import type { Labels } from '../config/selector.ts';
import { type FollowOptions, ResourceFollower } from '../resource/follow.ts';
import { loadResource } from '../resource/kept.ts';
import { LayeredConfig } from '../resource/live.ts';
import type { ResourceStatus } from '../status.ts';
import { charonFolder } from './folders.ts';
import type { LiveConfig } from './live.ts';
import type { AgentOptions } from './run.ts';

export class Configuration {
  readonly #options: AgentOptions;
  readonly #layered: LayeredConfig;
  readonly #kept: unknown;
  readonly #log: Logger;
  #facts: Pick<AgentFacts, 'version' | 'cannot'>;
  /** What the findings rest on, as text. */
  #examined = '';
  /** Of our own Node; set by whoever knows it. */
  labels: () => Labels | undefined = () => undefined;

  private constructor({ kept, options, log }: { kept: unknown; options: AgentOptions; log: Logger }) {
    this.#options = options;
    this.#facts = { version: options.version, cannot: [] };
    this.#layered = new LayeredConfig({
      layers: options.layers,
      facts: () => this.#facts,
      labels: () => this.labels(),
    });
    if (kept !== undefined) this.#layered.keptBefore(kept);
    this.#kept = kept;
    this.#log = log;
  }

  /** Reads the disk, and what this machine can do. @throws OperatorError `CONFIG_INVALID`, `NOT_IMPLEMENTED`, `STATE_DIR_UNREADABLE` */
  static async open(options: AgentOptions, log: Logger): Promise<Configuration> {
    const kept = await loadResource(options.stateDir, (path, error) =>
      log.warn({ event: 'resource', path, err: error }, `${path} is damaged: begin without it`),
    );
    const configuration = new Configuration({ kept, options, log });
    await configuration.#examine();
    return configuration;
  }

  get live(): () => LiveConfig {
    return () => this.#layered.live();
  }

  get status(): ResourceStatus {
    return this.#layered.status;
  }

  follower(
    options: Pick<FollowOptions, 'client' | 'clock' | 'random' | 'onChange' | 'onProblems'>,
  ): ResourceFollower {
    const onChange = () => {
      options.onChange();
      void this.#examine().then((moved) => moved && options.onChange());
    };
    return new ResourceFollower({
      ...options,
      onChange,
      config: this.#layered,
      stateDir: this.#options.stateDir,
      kept: this.#kept,
      log: this.#log,
    });
  }

  /** What was in the way may be gone. Never throws. @returns whether it is another matter now */
  async examineAgain(): Promise<boolean> {
    if (this.#facts.cannot.length === 0) return false;
    this.#examined = '';
    return this.#examine();
  }

  /** What this node is unable to do with the configuration as it is now. Never throws. @returns whether that is something new */
  async #examine(): Promise<boolean> {
    const { mesh } = this.#layered.live().config;
    const text = JSON.stringify([mesh.routing, mesh.wireguard, mesh.ipsec, mesh.encryption]);
    if (text === this.#examined) return false;
    this.#examined = text;
    try {
      const cannot = await findings(this.#options, mesh);
      if (text !== this.#examined || cannot.join() === this.#facts.cannot.join()) return false;
      this.#facts = { ...this.#facts, cannot };
      return true;
    } catch (error) {
      this.#log.warn({ event: 'preflight', err: error }, 'could not look at what this machine can do');
      return false;
    }
  }
}

/** What people read before they ask a node for it. */
async function findings(
  { dataplane, runDir }: AgentOptions,
  mesh: Pick<MeshConfig, 'routing' | 'wireguard' | 'ipsec' | 'encryption'>,
): Promise<readonly string[]> {
  // Whoever brings a kernel of their own is not asked about this machine's.
  if (dataplane !== undefined) return [];
  const ipsec = { folder: charonFolder(runDir) };
  return (await preflight({ userspace: mesh.wireguard.userspace, mesh, ipsec })).cannot;
}
