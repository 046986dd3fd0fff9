/** Pods of nodes that came up speak as soon as the door of their node is shut, which is before all else; and never before. */
import { setTimeout as sleep } from 'node:timers/promises';
import { agentStatus, nodeNamed } from '../../../lab/nodes/agents.ts';
import type { Lab } from '../../../lab/nodes/folder.ts';
import type { TrafficOptions } from '../../../lab/traffic/run.ts';
import type { Reboots } from './faults.ts';

const LOOK_EVERY_MS = 50;

export class Speakers implements Reboots {
  readonly #lab: Lab;
  readonly #speak: (options: TrafficOptions) => Promise<void>;
  /** Nodes that are down, or up with nothing in force yet: whatever a pod sent there would be in clear. */
  readonly #open = new Set<string>();
  readonly #came = new Set<string>();
  #starting: Promise<unknown> = Promise.resolve();
  #firstPort = 30_000;

  constructor(lab: Lab, speak: (options: TrafficOptions) => Promise<void>) {
    this.#lab = lab;
    this.#speak = speak;
  }

  /** A traffic that is being started binds to pods of before. */
  goes(node: string): Promise<unknown> {
    this.#open.add(node);
    return this.#starting;
  }

  came(node: string): void {
    this.#came.add(node);
  }

  /** Resolves when that is over and all who came have spoken. */
  async speakUntil(over: Promise<unknown>): Promise<void> {
    let isOver = false;
    void over.then(
      () => {
        isOver = true;
      },
      () => {
        isOver = true;
        this.#came.clear();
      },
    );
    for (; !isOver || this.#came.size > 0; await sleep(LOOK_EVERY_MS)) {
      for (const node of this.#came) if (await this.#isShut(node)) this.#open.delete(node);
      const among = this.#lab.topology.members.filter(({ name }) => !this.#open.has(name));
      const speaking = among.filter(({ name }) => this.#came.has(name));
      if (speaking.length === 0 || among.length < 2) continue;
      for (const { name } of speaking) this.#came.delete(name);
      const pods = among.flatMap((node) => node.pods.map(({ name }) => name));
      this.#starting = this.#speak({ firstPort: this.#nextPorts(), only: pods });
      await this.#starting;
    }
  }

  async #isShut(node: string): Promise<boolean> {
    const status = await agentStatus(this.#lab, nodeNamed(this.#lab, node));
    return status?.mode === 'strict';
  }

  #nextPorts(): number {
    this.#firstPort += 100;
    return this.#firstPort;
  }
}
