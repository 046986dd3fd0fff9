/** The agent's configuration, put together: what people said here, the resource as the disk and the API server have it, and our own labels. */
import type { Logger } from 'pino';
import { preflight } from '../../tunnels/preflight.ts';
import { resolveConfig } from '../config/resolve.ts';
import type { Labels } from '../config/selector.ts';
import { type FollowOptions, ResourceFollower } from '../resource/follow.ts';
import { loadResource } from '../resource/kept.ts';
import { LayeredConfig } from '../resource/live.ts';
import type { ResourceStatus } from '../status.ts';
import type { LiveConfig } from './live.ts';
import type { AgentOptions } from './run.ts';

export class Configuration {
  readonly #layered: LayeredConfig;
  readonly #kept: unknown;
  readonly #stateDir: string;
  readonly #log: Logger;
  /** Of our own Node; set by whoever knows it. */
  labels: () => Labels | undefined = () => undefined;

  private constructor(parts: {
    kept: unknown;
    cannot: readonly string[];
    options: AgentOptions;
    log: Logger;
  }) {
    const { kept, cannot, options, log } = parts;
    this.#layered = new LayeredConfig({
      layers: options.layers,
      facts: { version: options.version, cannot },
      labels: () => this.labels(),
    });
    if (kept !== undefined) this.#layered.keptBefore(kept);
    this.#kept = kept;
    this.#stateDir = options.stateDir;
    this.#log = log;
  }

  /** Reads the disk, and what this machine can do. @throws OperatorError `CONFIG_INVALID`, `NOT_IMPLEMENTED`, `STATE_DIR_UNREADABLE` */
  static async open(options: AgentOptions, log: Logger): Promise<Configuration> {
    const kept = await loadResource(options.stateDir, (path, error) =>
      log.warn({ event: 'resource', path, err: error }, `${path} is damaged: begin without it`),
    );
    return new Configuration({ kept, cannot: await findings(options), options, log });
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
    return new ResourceFollower({
      ...options,
      config: this.#layered,
      stateDir: this.#stateDir,
      kept: this.#kept,
      log: this.#log,
    });
  }
}

const NO_IPSEC = 'ipsec: not in this version of sheath';

/** What this node is unable to do: what people read before they ask it to. */
async function findings({ layers, dataplane }: AgentOptions): Promise<readonly string[]> {
  // Whoever brings a kernel of their own is not asked about this machine's.
  if (dataplane !== undefined) return [NO_IPSEC];
  const { mesh } = resolveConfig(layers);
  return [...(await preflight({ userspace: mesh.wireguard.userspace, mesh })).cannot, NO_IPSEC];
}
