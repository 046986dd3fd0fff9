/**
 * Counts packets from first to last, though one node is dead for a while. Two processes send and count: one from the start,
 * whose flows with the dead node count until just before it dies; the other from its return, which counts those alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './nodes/folder.ts';
import type { FlowReport, TrafficReport } from './traffic/report.ts';
import { startTraffic, type Traffic } from './traffic/start.ts';

export interface Losses {
  readonly sent: number;
  readonly lost: number;
  /** A line for each flow that lost something. */
  readonly losers: readonly string[];
}

const NONE: Losses = { sent: 0, lost: 0, losers: [] };
/** The second process needs ports of its own. */
const SECOND_FIRST_PORT = 30_000;
/** A packet under way counts as lost: ask again, in milliseconds, for as long. */
const ASK_EVERY = 20;
const PATIENCE = 2000;

export class LossCount {
  readonly #rate: number;
  #first: Traffic | undefined;
  #second: Traffic | undefined;
  #dead: string | undefined;
  /** Of the flows with the dead node, until it died. */
  #until: Losses = NONE;

  constructor(rate: number) {
    this.#rate = rate;
  }

  async start(lab: Lab): Promise<void> {
    this.#first = await startTraffic(lab, { rate: this.#rate });
  }

  /** @returns the losses between all nodes that were alive until now. */
  async soFar(): Promise<Losses> {
    return add(this.#until, sum(await this.#flows()));
  }

  /** Takes the node out of the count from here on. @returns the losses between all nodes until now. */
  async without(node: string): Promise<Losses> {
    const flows = await this.#flows();
    this.#dead = node;
    this.#until = sum(flows.filter((flow) => concerns(flow, node)));
    return sum(flows);
  }

  /** At a moment when nothing is under way, or when that did not come. */
  async #flows(): Promise<readonly FlowReport[]> {
    const ask = async () => this.#alive(await this.#first?.report(), await this.#second?.report());
    let flows = await ask();
    const deadline = performance.now() + PATIENCE;
    while (sum(flows).lost > 0 && performance.now() < deadline) {
      await sleep(ASK_EVERY);
      flows = await ask();
    }
    return flows;
  }

  /** Flows between nodes that were alive all the time, and those of the dead one since it is back. */
  #alive(first: TrafficReport | undefined, second: TrafficReport | undefined): readonly FlowReport[] {
    const dead = this.#dead;
    return [
      ...(first?.flows.filter((flow) => dead === undefined || !concerns(flow, dead)) ?? []),
      ...(second?.flows.filter((flow) => dead !== undefined && concerns(flow, dead)) ?? []),
    ];
  }

  /** The node is back: its flows count again. */
  async again(lab: Lab): Promise<void> {
    this.#second = await startTraffic(lab, { rate: this.#rate, firstPort: SECOND_FIRST_PORT });
  }

  /** Ends the traffic. @returns all losses between nodes that were alive. */
  async stop(): Promise<Losses> {
    const [first, second] = await Promise.all([this.#first?.stop(), this.#second?.stop()]);
    this.#first = undefined;
    this.#second = undefined;
    return add(this.#until, sum(this.#alive(first, second)));
  }

  async close(): Promise<void> {
    await this.stop().catch(() => undefined);
  }
}

/** Pods are called after their node: `n3-p1`. */
function concerns(flow: FlowReport, node: string): boolean {
  return [flow.from, flow.to].some((end) => end === node || end.startsWith(`${node}-`));
}

function sum(flows: readonly FlowReport[]): Losses {
  return flows.map(lossesOf).reduce(add, NONE);
}

function lossesOf({ from, to, family, sent, lost, firstLost = 0 }: FlowReport): Losses {
  const losers =
    lost === 0
      ? []
      : [`${from} to ${to}, IPv${family}: ${lost} of ${sent}, the first was number ${firstLost}`];
  return { sent, lost, losers };
}

function add(one: Losses, another: Losses): Losses {
  return {
    sent: one.sent + another.sent,
    lost: one.lost + another.lost,
    losers: [...one.losers, ...another.losers],
  };
}
