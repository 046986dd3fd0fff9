/** `sheath controller`: stands by, leads when it is its turn, and gives the Lease back when it is told to end. */
import { randomUUID } from 'node:crypto';
import { type Clock, steadyClock, systemClock } from '../clock.ts';
import { HEALTH_ROUTES } from '../http/answers.ts';
import type { Listening } from '../http/server.ts';
import { listenOnAddress } from '../http/socket.ts';
import type { KubeError } from '../kube/errors.ts';
import { EventWriter } from '../kube/events.ts';
import { LeaderElection, type LeaseTimes } from '../kube/lease.ts';
import { type Cluster, openCluster } from '../kube/open.ts';
import { createLog } from '../log.ts';
import { Controller } from './controller.ts';
import { type ControllerMetrics, createControllerMetrics } from './metrics.ts';

export interface ControllerOptions {
  /** Of which there may be several: the pod's name, the host's. */
  readonly identity: string;
  /** Where the Lease is. */
  readonly namespace: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  /** `ADDRESS:PORT` of `/healthz`, `/readyz`, `/metrics`; absent: none. */
  readonly http?: string;
  readonly logLevel: string;
  /** Version of the program. */
  readonly version: string;
  /** Default: the process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** Steady. */
  readonly leaseClock?: Clock;
  readonly leaseTimes?: LeaseTimes;
  /** From 0 to 1. Default: `Math.random`. */
  readonly random?: () => number;
}

export const LEASE = 'sheath-controller';

/** Resolves when the signal aborted and everything was closed. @throws OperatorError when it cannot start */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const access = {
    kubeconfig: options.kubeconfig,
    context: options.context,
    environment: options.environment ?? process.env,
  };
  const agent = `sheath-controller/${options.version}`;
  const cluster = await openCluster(access, agent);
  // Connections of its own: a renewal waits for nothing else.
  const forLease = await openCluster(access, agent);
  const standing = new Standing(options, cluster, forLease);
  const listening = await standing.listen();
  try {
    await standing.run(signal);
  } finally {
    await listening?.close();
    cluster.client.close();
    forLease.client.close();
  }
}

/** One process that may lead. */
class Standing {
  readonly #options: ControllerOptions;
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log;
  readonly #metrics: ControllerMetrics;
  readonly #election: LeaderElection;
  readonly #identity: string;
  #controller: Controller | undefined;
  #apiTrouble: KubeError | undefined;
  #looked = false;

  constructor(options: ControllerOptions, cluster: Cluster, forLease: Cluster) {
    this.#options = options;
    this.#cluster = cluster;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#log = createLog(options.logLevel, options.identity);
    // One that was killed and started again is another.
    this.#identity = `${options.identity}_${randomUUID()}`;
    this.#metrics = createControllerMetrics(() => ({
      version: options.version,
      leading: this.#election.leading,
      status: this.#controller?.status,
    }));
    this.#election = new LeaderElection({
      client: forLease.client,
      namespace: options.namespace,
      name: LEASE,
      identity: this.#identity,
      clock: options.leaseClock ?? steadyClock,
      wall: () => this.#clock.now(),
      random: this.#random,
      ...(options.leaseTimes === undefined ? {} : { times: options.leaseTimes }),
      onTrouble: (error) => this.#lookedAtLease(error),
    });
  }

  /** Undefined where nothing is to be listened on. @throws OperatorError `HTTP_LISTEN` */
  async listen(): Promise<Listening | undefined> {
    const { http } = this.#options;
    if (http === undefined) return undefined;
    const asked = {
      metrics: () => this.#metrics.scrape(),
      healthy: () => undefined,
      ready: () => this.#unready(),
    };
    return listenOnAddress(http, { asked, routes: HEALTH_ROUTES });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { namespace, version } = this.#options;
    this.#log.info(
      { event: 'start', version, identity: this.#identity, namespace, api: this.#cluster.description },
      'controller started, standing by',
    );
    // Timers keep no process alive, and between two looks there may be nothing else.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      await this.#election.run((lead) => this.#lead(lead), signal);
    } finally {
      clearInterval(alive);
    }
    this.#log.info({ event: 'stop' }, 'controller stopped; the nodes do not need it');
  }

  async #lead(signal: AbortSignal): Promise<void> {
    this.#log.info({ event: 'leading' }, 'this controller leads now');
    const events = new EventWriter({
      client: this.#cluster.client,
      component: 'sheath-controller',
      instance: this.#options.identity,
      clock: this.#clock,
      random: this.#random,
      onTrouble: (error) => this.#log.warn({ event: 'events', err: error }, 'Events cannot be written'),
    });
    this.#controller = new Controller({
      client: this.#cluster.client,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      say: (event) => events.say(event),
      count: this.#metrics,
      leading: () => this.#election.leading,
    });
    try {
      await this.#controller.run(signal);
    } finally {
      await events.close();
      this.#controller = undefined;
      this.#log.info({ event: 'following' }, 'this controller leads no longer');
    }
  }

  #lookedAtLease(error: KubeError | undefined): void {
    this.#looked = true;
    if (error !== undefined && error.code !== this.#apiTrouble?.code)
      this.#log.warn({ event: 'lease', code: error.code }, `cannot look at the Lease: ${error.message}`);
    if (error === undefined && this.#apiTrouble !== undefined)
      this.#log.info({ event: 'lease' }, 'the Lease can be looked at again');
    this.#apiTrouble = error;
  }

  #unready(): string | undefined {
    if (!this.#looked) return 'the API server has not answered yet';
    return this.#apiTrouble === undefined ? undefined : `no Lease: ${this.#apiTrouble.message}`;
  }
}
