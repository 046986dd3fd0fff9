/** `sheath agent`: keeps this node's part of the mesh until the signal aborts, and leaves the tunnels up. */
import type { Logger } from 'pino';
import { Keyring } from '../../keys/keyring.ts';
import { createDataplane } from '../../tunnels/create.ts';
import type { Dataplane } from '../../tunnels/dataplane.ts';
import { settingsOf } from '../../tunnels/ipsec/settings.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Layer } from '../config/load.ts';
import { resolveConfig } from '../config/resolve.ts';
import { OperatorError } from '../errors.ts';
import { openCluster } from '../kube/open.ts';
import { createLog } from '../log.ts';
import { type Assembled, assemble, type Ingredients } from './assemble.ts';
import { Configuration } from './configuration.ts';
import { farewell, type Leaving, lastRites } from './farewell.ts';
import { charonFolder, kernelFolder, keysFolder, makeStateDir, wireguardGoFolder } from './folders.ts';
import { sayRefusal } from './ipsec-refusals.ts';
import { serve } from './serve.ts';
import { claimNamespace } from './sole.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface AgentOptions {
  /** The name of this machine's Node object. */
  readonly nodeName: string;
  /** `loadLayers({flags, environment, file})`, best first. */
  readonly layers: readonly Layer[];
  /** Path of a kubeconfig; absent: `KUBECONFIG`, `~/.kube/config`, then the pod's service account. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Keys and records: `/var/lib/sheath`. */
  readonly stateDir: string;
  /** The socket `agent.sock`: `/run/sheath`. */
  readonly runDir: string;
  /** Where sysctls are written: `/proc/sys`. */
  readonly procSys?: string;
  /** `ADDRESS:PORT` of `/healthz`, `/readyz`, `/metrics`, `/status`; absent: none. */
  readonly http?: string;
  readonly logLevel: LogLevel;
  /** Version of the program. */
  readonly version: string;
  /** Default: the process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What stands in for the kernel, in tests. */
  readonly dataplane?: Dataplane;
  readonly clock?: Clock;
  /** From 0 to 1. Default: `Math.random`. */
  readonly random?: () => number;
}

/**
 * Resolves when the signal aborted and everything was closed.
 * @throws OperatorError with the program's exit code, when it cannot start; KeyringError when a key is damaged
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  // What is wrong on the command line is told before anything is touched.
  resolveConfig(options.layers);
  const { client, description, reached } = await openCluster(
    {
      kubeconfig: options.kubeconfig,
      context: options.context,
      environment: options.environment ?? process.env,
    },
    `sheath-agent/${options.version}`,
  );
  await makeStateDir(options.stateDir);
  const keyring = Keyring.open(keysFolder(options.stateDir));
  const log = createLog(options.logLevel, options.nodeName);
  const claim = options.dataplane === undefined ? await claimNamespace() : undefined;
  const configuration = await Configuration.open(options, log);
  const dataplane = options.dataplane ?? (await openDataplane(options, configuration, log));
  try {
    const clock = options.clock ?? systemClock;
    const parts = { options, configuration, client, reached, keyring, dataplane, log, clock };
    const assembled = await assemble(parts);
    const servers = await serve(options, assembled);
    log.info({ event: 'start', version: options.version, api: description }, 'agent started');
    const parting = partingOf(assembled, parts);
    let nothingLeft = false;
    try {
      await runAll(assembled, farewell(signal, parting));
      // The doors stay open until then: they also keep the process alive.
      nothingLeft = await lastRites(parting);
    } finally {
      await Promise.all([...servers.map((server) => server.close()), assembled.nodeEvents.close()]);
    }
    const { encryption } = configuration.live().config.mesh;
    const after = nothingLeft
      ? ', and left nothing behind'
      : encryption === 'none'
        ? ''
        : ', the tunnels stay up';
    log.info({ event: 'stop' }, `agent stopped${after}`);
  } finally {
    client.close();
    if (options.dataplane === undefined) await dataplane.close();
    claim?.release();
  }
}

/** What the API server answers whose rights are gone. */
const REFUSED: readonly string[] = ['FORBIDDEN', 'UNAUTHORIZED'];

function partingOf(
  { kernel, publisher }: Assembled,
  { configuration, dataplane, clock, log }: Ingredients,
): Leaving {
  return {
    leaving: () =>
      configuration.status.deleting === true && configuration.live().config.mesh.encryption === 'none',
    off: () => {
      const { devices, pending, door } = kernel.report;
      return devices.length === 0 && pending.length === 0 && door?.shut !== true;
    },
    shut: () => kernel.report.door?.shut === true,
    muted: () => REFUSED.includes(publisher.status.reason?.code ?? ''),
    dataplane,
    clock,
    log,
  };
}

/** The one ends with the other. */
async function runAll({ agent, follower, policy }: Assembled, signal: AbortSignal): Promise<void> {
  const ending = new AbortController();
  const end = AbortSignal.any([signal, ending.signal]);
  const beside = [follower.run(end), policy.run(end)];
  try {
    await agent.run(signal);
  } finally {
    ending.abort();
    await Promise.all(beside);
  }
}

async function openDataplane(
  options: AgentOptions,
  configuration: Configuration,
  log: Logger,
): Promise<Dataplane> {
  const socketDir = wireguardGoFolder(options.runDir);
  const mesh = () => configuration.live().config.mesh;
  try {
    return await createDataplane({
      stateDir: kernelFolder(options.stateDir),
      get userspace() {
        return mesh().wireguard.userspace;
      },
      ipsec: {
        folder: charonFolder(options.runDir),
        get vici() {
          return mesh().ipsec.vici;
        },
        settings: () => settingsOf(mesh().ipsec),
        onRefusal: sayRefusal(log),
      },
      ...(socketDir === undefined ? {} : { socketDir }),
      ...(options.procSys === undefined ? {} : { procSys: options.procSys }),
    });
  } catch (cause) {
    throw new OperatorError(
      'DATAPLANE',
      `cannot speak with the kernel: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
